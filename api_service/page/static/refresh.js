/** Does something again and again while the page is in sight: each time a while after the last has ended. */
export class Refresh {
  #work;
  #everyMs;
  #timer = 0;
  #isOn = false;
  #isBusy = false;

  /**
   * @param {() => Promise<void>} work never throws
   * @param {number} everyMs
   */
  constructor(work, everyMs) {
    this.#work = work;
    this.#everyMs = everyMs;
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) clearTimeout(this.#timer);
      else void this.now();
    });
  }

  /** Whether it goes on; what comes of work that was begun before it was stopped is of no use. */
  get isOn() {
    return this.#isOn;
  }

  start() {
    this.#isOn = true;
    return this.now();
  }

  stop() {
    this.#isOn = false;
    clearTimeout(this.#timer);
  }

  async now() {
    clearTimeout(this.#timer);
    if (this.#isBusy || !this.#isOn) return;
    this.#isBusy = true;
    await this.#work();
    this.#isBusy = false;
    if (this.#isOn && !document.hidden) this.#timer = setTimeout(() => this.now(), this.#everyMs);
  }
}
