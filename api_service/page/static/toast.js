const SHOWN_MS = 5_000;

/** Says in passing what was done, to eyes and screen readers. */
export class Toast {
  #region;
  #timer = 0;

  /** @param {HTMLElement} region with the role status */
  constructor(region) {
    this.#region = region;
  }

  /** @param {string} text */
  say(text) {
    clearTimeout(this.#timer);
    this.#region.textContent = text;
    this.#timer = setTimeout(() => (this.#region.textContent = ""), SHOWN_MS);
  }
}
