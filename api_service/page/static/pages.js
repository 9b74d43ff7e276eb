/**
 * The list, page by page, into the catalogue.
 *
 * @typedef {import("./api.js").ProductApi} ProductApi
 * @typedef {import("./catalogue.js").Catalogue} Catalogue
 * @typedef {{loading: boolean, more: boolean, error: Error | null}} ListState
 */
import { Problem } from "./api.js";
import { retryDelayMs, sleep } from "./retry.js";

export class Pages {
  #api;
  #catalogue;
  #show;
  /** @type {string | null} */
  #cursor = null;
  /** Counts the reloads: an answer to a call that was made before the newest reload is dropped. */
  #generation = 0;
  #loading = false;
  #loaded = false;

  /**
   * @param {ProductApi} api
   * @param {Catalogue} catalogue
   * @param {(state: ListState) => void} show
   */
  constructor(api, catalogue, show) {
    this.#api = api;
    this.#catalogue = catalogue;
    this.#show = show;
  }

  get loading() {
    return this.#loading;
  }

  /** Whether the newest products were there after the last reload. */
  get loaded() {
    return this.#loaded;
  }

  /** Start again from the newest products; keep trying until it is done, refused, or a later reload takes over. */
  async reload() {
    const generation = ++this.#generation;
    this.#loaded = false;
    for (let attempt = 0; generation === this.#generation; attempt += 1) {
      const error = await this.#load(null);
      if (!error || (error instanceof Problem && error.isRefusal)) return;
      await sleep(retryDelayMs(attempt));
    }
  }

  /** Add the next older products: the next page, or the one after it where the events had brought all of that one. */
  async more() {
    const before = this.#catalogue.count;
    while (!this.#loading && this.#cursor && this.#catalogue.count === before) {
      if (await this.#load(this.#cursor)) return;
    }
  }

  /**
   * @param {string | null} cursor
   * @returns {Promise<Error | null>} why it failed
   */
  async #load(cursor) {
    const generation = this.#generation;
    const wanted = () => generation === this.#generation;
    this.#report(true);
    try {
      const page = await this.#catalogue.merge(() => this.#api.list(cursor), { replace: !cursor, wanted });
      if (wanted()) {
        this.#cursor = page.next_cursor;
        this.#loaded = true;
        this.#report(false);
      }
      return null;
    } catch (caught) {
      const error = /** @type {Error} */ (caught);
      if (wanted()) this.#report(false, error);
      return error;
    }
  }

  /**
   * @param {boolean} loading
   * @param {Error | null} error
   */
  #report(loading, error = null) {
    this.#loading = loading;
    this.#show({ loading, error, more: this.#cursor !== null });
  }
}
