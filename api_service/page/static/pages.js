/**
 * The list, page by page, into the catalogue.
 *
 * @typedef {import("./api.js").ProductApi} ProductApi
 * @typedef {import("./catalogue.js").Catalogue} Catalogue
 * @typedef {{loading: boolean, more: boolean, error: Error | null}} ListState
 */
import { Problem } from "./calls.js";
import { retryDelayMs, sleep } from "./retry.js";

/** The first page is small, so that something is seen soon. */
const FIRST_PAGE = 24;
/** The most that the API gives at once. */
const PAGE = 200;

export class Pages {
  #api;
  #catalogue;
  #show;
  #goesOn;
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
   * @param {() => boolean} goesOn asked after each page: whether the next one is to come without being asked for
   */
  constructor(api, catalogue, show, goesOn = () => false) {
    this.#api = api;
    this.#catalogue = catalogue;
    this.#show = show;
    this.#goesOn = goesOn;
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
    this.#cursor = null;
    for (let attempt = 0; generation === this.#generation; attempt += 1) {
      const error = await this.#load(null);
      if (!error) return this.#goOn(generation);
      if (error instanceof Problem && error.isRefusal) return;
      await sleep(retryDelayMs(attempt));
    }
  }

  /** @param {number} generation */
  async #goOn(generation) {
    while (generation === this.#generation && this.#cursor && this.#goesOn()) {
      if (await this.#load(this.#cursor)) return;
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
      const { query } = this.#catalogue.filter;
      const list = () => this.#api.list(query, cursor, cursor ? PAGE : FIRST_PAGE);
      const page = await this.#catalogue.merge(list, { replace: !cursor, wanted });
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
