/**
 * Where a product is added.
 *
 * @typedef {import("./writer.js").Writer} Writer
 */
import { readDraft } from "./draft.js";
import { find, template } from "./dom.js";
import { ProductForm } from "./form.js";
import { SubmissionKeys } from "./idempotency.js";

const WORDS = {
  failed: "Not added",
  again: "press Add product again",
  unanswered: "Press again: the product will not be added twice.",
};

export class Adding {
  #panel;
  #opener;
  #form;
  #writer;
  #keys = new SubmissionKeys();

  /**
   * @param {ParentNode} page
   * @param {Writer} writer
   */
  constructor(page, writer) {
    this.#panel = find(page, "#add");
    this.#opener = find(page, "#add-opener");
    this.#writer = writer;
    const form = /** @type {HTMLFormElement} */ (find(this.#panel, "form"));
    this.#form = new ProductForm(form, template("#fields"), WORDS, (typed) => this.#add(typed));
    this.#opener.addEventListener("click", () => this.#show(Boolean(this.#panel.hidden)));
    find(this.#panel, ".cancel").addEventListener("click", () => this.#show(false));
    this.#panel.addEventListener("keydown", ({ key }) => {
      if (key === "Escape") this.#show(false);
    });
  }

  /** @param {import("./draft.js").Typed} typed */
  async #add(typed) {
    const draft = readDraft(typed);
    const product = await this.#writer.create(draft, this.#keys.for(draft));
    this.#keys.done();
    this.#form.clear();
    this.#form.focus();
    return `Added: ${product.name}`;
  }

  /** @param {boolean} open */
  #show(open) {
    this.#panel.hidden = !open;
    this.#opener.setAttribute("aria-expanded", String(open));
    if (open) this.#form.focus();
    else this.#opener.focus();
  }
}
