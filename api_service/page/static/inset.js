import { find } from "./dom.js";

/** What is opened in a card: one at a time, and Escape closes it. */
export class Inset {
  #state;
  /** @type {{card: HTMLElement, element: HTMLElement, opener: HTMLElement} | null} */
  #opened = null;

  /** @param {string} state the class that the card has meanwhile */
  constructor(state) {
    this.#state = state;
  }

  /**
   * @param {HTMLElement} card
   * @param {HTMLElement} element
   * @param {string} opener the card's button that has the focus again afterwards
   * @returns {() => void} closes it, and nothing that was opened since
   */
  open(card, element, opener) {
    this.close();
    const opened = { card, element, opener: find(card, opener) };
    const close = () => {
      if (this.#opened === opened) this.close();
    };
    this.#opened = opened;
    element.addEventListener("keydown", ({ key }) => {
      if (key === "Escape") close();
    });
    card.classList.add(this.#state);
    card.append(element);
    return close;
  }

  close() {
    if (!this.#opened) return;
    const { card, element, opener } = this.#opened;
    this.#opened = null;
    const hadFocus = element.contains(document.activeElement);
    element.remove();
    card.classList.remove(this.#state);
    // Of an emitter that drains meanwhile nothing more can be asked: its buttons are gone.
    if (hadFocus) (opener.getClientRects().length ? opener : card).focus();
  }
}
