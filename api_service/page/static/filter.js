/**
 * Which products are wanted, as `GET /products` takes it; and whether one that was heard of is among them. No page.
 *
 * @typedef {import("./api.js").Product} Product
 */
export class Filter {
  /**
   * @param {string} text empty = any
   * @param {string} category empty = any
   */
  constructor(text = "", category = "") {
    this.text = text;
    this.category = category;
  }

  /** @returns {boolean} whether all products are wanted */
  get isOpen() {
    return !this.text && !this.category;
  }

  /** @returns {Record<string, string>} for the URL */
  get query() {
    return { ...(this.text && { q: this.text }), ...(this.category && { category: this.category }) };
  }

  /** @param {Product} product */
  matches(product) {
    return (!this.category || product.category === this.category) && (!this.text || this.#isIn(product));
  }

  /** @param {Product} product */
  #isIn({ name, description, tags }) {
    const text = this.text.toLowerCase();
    return [name, description, ...tags].some((each) => each.toLowerCase().includes(text));
  }
}
