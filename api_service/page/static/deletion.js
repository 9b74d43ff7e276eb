/**
 * Deletes a product from its card, once that is confirmed; one at a time.
 *
 * @typedef {import("./api.js").Product} Product
 * @typedef {import("./writer.js").Writer} Writer
 */
import { Problem } from "./api.js";
import { clone, find, template } from "./dom.js";

export class Deletion {
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
  ask(card, product) {
    this.close();
    this.#card = card;
    const question = clone(template("#deletion"));
    find(question, ".yes").addEventListener("click", () => this.#delete(product, find(question, ".message")));
    find(question, ".no").addEventListener("click", () => this.close());
    question.addEventListener("keydown", ({ key }) => {
      if (key === "Escape") this.close();
    });
    card.classList.add("deleting");
    card.append(question);
    find(question, ".no").focus();
  }

  close() {
    const card = this.#card;
    this.#card = null;
    if (!card) return;
    const hadFocus = card.contains(document.activeElement);
    find(card, ".deletion").remove();
    card.classList.remove("deleting");
    if (hadFocus) find(card, ".delete").focus();
  }

  /**
   * @param {Product} product
   * @param {HTMLElement} message
   */
  async #delete(product, message) {
    try {
      await this.#writer.remove(product);
      this.#card = null;
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
