import { find } from "./dom.js";

/** What is opened in a card: one at a time, and Escape closes it. */
export class Inset {
  #state;
  #opener;
  /** @type {{card: HTMLElement, element: HTMLElement} | null} */
  #opened = null;

  /**
   * @param {string} state the class that the card has meanwhile
   * @param {string} opener the card's button that has the focus again afterwards
   */
  constructor(state, opener) {
    this.#state = state;
    this.#opener = opener;
  }

  /**
   * @param {HTMLElement} card
   * @param {HTMLElement} element
   * @returns {() => void} closes it, and nothing that was opened since
   */
  open(card, element) {
    this.#close();
    const opened = { card, element };
    const close = () => {
      if (this.#opened === opened) this.#close();
    };
    this.#opened = opened;
    element.addEventListener("keydown", ({ key }) => {
      if (key === "Escape") close();
    });
    card.classList.add(this.#state);
    card.append(element);
    return close;
  }

  #close() {
    if (!this.#opened) return;
    const { card, element } = this.#opened;
    this.#opened = null;
    const hadFocus = card.contains(document.activeElement);
    element.remove();
    card.classList.remove(this.#state);
    if (hadFocus) find(card, this.#opener).focus();
  }
}
