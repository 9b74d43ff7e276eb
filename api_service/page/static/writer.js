/**
 * What the reader changes: sent, and shown from the answer as well, as the emitter may be away.
 *
 * @typedef {import("./api.js").Draft} Draft
 * @typedef {import("./api.js").Product} Product
 * @typedef {import("./api.js").ProductApi} ProductApi
 * @typedef {import("./catalogue.js").Catalogue} Catalogue
 * @typedef {import("./catalogue.js").Change} Change
 *
 * @typedef {object} Told
 * @property {(change: Change, replica: string) => void} onDone
 * @property {(problem: Problem) => void} onRefused it takes a token, another one, or more of it
 */
import { Problem } from "./calls.js";

export class Writer {
  #api;
  #catalogue;
  #told;

  /**
   * @param {ProductApi} api
   * @param {Catalogue} catalogue
   * @param {Told} told
   */
  constructor(api, catalogue, told) {
    this.#api = api;
    this.#catalogue = catalogue;
    this.#told = told;
  }

  /**
   * @param {Draft} draft
   * @param {string} key the same for every try of one submission
   * @returns {Promise<Product>}
   */
  create(draft, key) {
    return this.#put("new_product", () => this.#api.create(draft, key));
  }

  /**
   * @param {Product} product as it was when the reader began to change it
   * @param {Draft} changes
   * @returns {Promise<Product>}
   */
  change(product, changes) {
    return this.#put("product_updated", () => this.#api.change(product, changes));
  }

  /** @param {Product} product */
  async remove(product) {
    const gone = { event: /** @type {const} */ ("product_deleted"), product };
    try {
      this.#told.onDone(gone, await this.#refusable(() => this.#api.remove(product.id)));
    } catch (error) {
      // Somebody was faster.
      if (!(error instanceof Problem && error.isGone)) throw error;
    }
    this.#catalogue.apply(gone);
  }

  /**
   * Read what has become of a product.
   *
   * @param {Product} product
   * @returns {Promise<Product>}
   */
  async refresh({ id }) {
    const { items } = await this.#catalogue.merge(async () => ({ items: [await this.#api.read(id)] }));
    return items[0];
  }

  /**
   * @param {import("./catalogue.js").Kept["event"]} event that tells of it
   * @param {() => Promise<import("./api.js").Written>} write
   */
  async #put(event, write) {
    const { items } = await this.#catalogue.merge(
      async () => {
        const { product, replica } = await this.#refusable(write);
        this.#told.onDone({ event, product }, replica);
        return { items: [product] };
      },
      { fresh: event === "new_product" },
    );
    return items[0];
  }

  /**
   * @template Answer
   * @param {() => Promise<Answer>} write
   */
  async #refusable(write) {
    try {
      return await write();
    } catch (error) {
      if (error instanceof Problem && error.isRefusal) this.#told.onRefused(error);
      throw error;
    }
  }
}
