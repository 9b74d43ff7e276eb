const PAUSE_MS = 3_000;

/** Tells screen readers of new products, at a pace that can be listened to. */
export class Announcer {
  #region;
  #waiting = 0;
  #newest = "";
  #resting = false;

  /** @param {HTMLElement} region an aria-live region */
  constructor(region) {
    this.#region = region;
  }

  /** @param {string} name of the new product */
  announce(name) {
    this.#waiting += 1;
    this.#newest = name;
    if (!this.#resting) this.#speak();
  }

  /** @param {string} text */
  say(text) {
    this.#region.textContent = text;
  }

  #speak() {
    this.#resting = this.#waiting > 0;
    if (!this.#resting) return;
    const others = this.#waiting - 1;
    this.#region.textContent = `New product: ${this.#newest}${others ? ` and ${others} more` : ""}`;
    this.#waiting = 0;
    setTimeout(() => this.#speak(), PAUSE_MS);
  }
}
