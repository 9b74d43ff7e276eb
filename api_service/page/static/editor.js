/**
 * Changes a product in its card; one at a time.
 *
 * @typedef {import("./api.js").Product} Product
 * @typedef {import("./draft.js").Typed} Typed
 * @typedef {import("./writer.js").Writer} Writer
 */
import { Problem } from "./calls.js";
import { readChanges } from "./draft.js";
import { clone, find, template } from "./dom.js";
import { ProductForm } from "./form.js";
import { Inset } from "./inset.js";

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
  #inset = new Inset("editing");

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
    const element = /** @type {HTMLFormElement} */ (clone(template("#editor")));
    let base = product;
    /** @param {Typed} typed */
    const save = async (typed) => {
      try {
        const said = await this.#save(base, readChanges(before, typed));
        close();
        this.#onDone(said);
        return "";
      } catch (error) {
        if (error instanceof Problem && error.isStale) base = await this.#writer.refresh(product);
        throw explained(error);
      }
    };
    const form = new ProductForm(element, template("#fields"), WORDS, save);
    form.fill(typedOf(product));
    const before = form.typed;
    const close = this.#inset.open(card, element, ".edit");
    find(element, ".cancel").addEventListener("click", close);
    form.focus();
  }

  /**
   * @param {Product} base
   * @param {import("./api.js").Draft} changes
   */
  async #save(base, changes) {
    return Object.keys(changes).length ? `Saved: ${(await this.#writer.change(base, changes)).name}` : "";
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
