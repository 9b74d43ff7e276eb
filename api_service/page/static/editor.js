/**
 * Changes a product in its card; one at a time.
 *
 * @typedef {import("./api.js").Product} Product
 * @typedef {import("./draft.js").Typed} Typed
 * @typedef {import("./writer.js").Writer} Writer
 */
import { Problem } from "./api.js";
import { readChanges } from "./draft.js";
import { clone, find, template } from "./dom.js";
import { ProductForm } from "./form.js";

const WORDS = {
  failed: "Not saved",
  again: "press Save again",
  unanswered: "Press Save again.",
};
const STALE = "Somebody has changed it meanwhile. Save again to put yours over it.";
const GONE = "Somebody has deleted it meanwhile.";

export class Editor {
  #writer;
  #onDone;
  /** @type {HTMLElement | null} */
  #card = null;

  /**
   * @param {Writer} writer
   * @param {(said: string) => void} onDone
   */
  constructor(writer, onDone) {
    this.#writer = writer;
    this.#onDone = onDone;
  }

  /**
   * @param {HTMLElement} card
   * @param {Product} product
   */
  open(card, product) {
    this.close();
    this.#card = card;
    const element = /** @type {HTMLFormElement} */ (clone(template("#editor")));
    let base = product;
    /** @param {Typed} typed */
    const save = async (typed) => {
      try {
        return await this.#save(base, readChanges(before, typed));
      } catch (error) {
        if (error instanceof Problem && error.isStale) base = await this.#writer.refresh(product);
        throw explained(error);
      }
    };
    const form = new ProductForm(element, template("#fields"), WORDS, save);
    form.fill(typedOf(product));
    const before = form.typed;
    find(element, ".cancel").addEventListener("click", () => this.close());
    element.addEventListener("keydown", ({ key }) => {
      if (key === "Escape") this.close();
    });
    card.classList.add("editing");
    card.append(element);
    form.focus();
  }

  close() {
    const card = this.#card;
    this.#card = null;
    if (!card) return;
    const hadFocus = card.contains(document.activeElement);
    find(card, ".editor").remove();
    card.classList.remove("editing");
    if (hadFocus) find(card, ".edit").focus();
  }

  /**
   * @param {Product} base
   * @param {import("./api.js").Draft} changes
   */
  async #save(base, changes) {
    const said = Object.keys(changes).length ? `Saved: ${(await this.#writer.change(base, changes)).name}` : "";
    this.close();
    this.#onDone(said);
    return "";
  }
}

/** @param {unknown} error */
function explained(error) {
  if (!(error instanceof Problem)) return error;
  if (error.isStale) return new Problem(error.status, STALE, []);
  return error.isGone ? new Problem(error.status, GONE, []) : error;
}

/**
 * @param {Product} product
 * @returns {Typed}
 */
function typedOf({ name, description, price, currency, category, tags, stock }) {
  const texts = { tags: tags.join(", "), stock: stock === null ? "" : String(stock) };
  return { name, description, price, currency, category, ...texts };
}
