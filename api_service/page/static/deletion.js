/**
 * Deletes a product from its card, once that is confirmed; one at a time.
 *
 * @typedef {import("./api.js").Product} Product
 * @typedef {import("./writer.js").Writer} Writer
 */
import { Problem } from "./calls.js";
import { clone, find, template } from "./dom.js";
import { Inset } from "./inset.js";

export class Deletion {
  #writer;
  #onDone;
  #inset = new Inset("deleting");

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
  ask(card, product) {
    const question = clone(template("#deletion"));
    const close = this.#inset.open(card, question, ".delete");
    find(question, ".yes").addEventListener("click", () => this.#delete(product, find(question, ".message"), close));
    find(question, ".no").addEventListener("click", close);
    find(question, ".no").focus();
  }

  /**
   * @param {Product} product
   * @param {HTMLElement} message
   * @param {() => void} close
   */
  async #delete(product, message, close) {
    try {
      await this.#writer.remove(product);
      close();
      this.#onDone(`Deleted: ${product.name}`);
    } catch (error) {
      message.textContent = reason(error);
    }
  }
}

/** @param {unknown} error */
function reason(error) {
  if (!(error instanceof Problem)) return "No answer from the server. Press Delete again.";
  return error.isRefusal ? "Not deleted yet: sign in, then press Delete again." : error.message;
}
