/**
 * The product API over HTTP: the products, and what the page must know.
 *
 * @typedef {object} Product
 * @property {string} id
 * @property {string} name
 * @property {string} description
 * @property {string} price a decimal, exact: "12.50"
 * @property {string} currency ISO 4217
 * @property {string} category
 * @property {string[]} tags
 * @property {number | null} stock null = not counted
 * @property {number} version
 * @property {string} created_at RFC 3339, UTC
 * @property {string} updated_at RFC 3339, UTC
 *
 * @typedef {{items: Product[], next_cursor: string | null}} ProductPage
 * @typedef {{product: Product, replica: string}} Written and which replica did it
 *
 * @typedef {object} Config
 * @property {string} socket_url empty = the page's own origin
 * @property {string} socket_path
 * @property {boolean} takes_token for all but reading
 * @property {boolean} reading_takes_token
 *
 * @typedef {Record<string, unknown>} Draft
 * @typedef {import("./calls.js").Calls} Calls
 */
export class ProductApi {
  #calls;

  /** @param {Calls} calls */
  constructor(calls) {
    this.#calls = calls;
  }

  /** @returns {Promise<Config>} */
  async config() {
    // That it may be what the document has had fetched already.
    return (await this.#calls.sendOpenly("/config.json")).body;
  }

  /**
   * @param {Record<string, string>} filter
   * @param {string | null} cursor where the page before ended; null = the newest
   * @param {number} limit how many at most
   * @returns {Promise<ProductPage>}
   */
  async list(filter, cursor, limit) {
    const query = new URLSearchParams({ ...filter, limit: String(limit), ...(cursor && { cursor }) });
    return (await this.#calls.send(`/products?${query}`)).body;
  }

  /**
   * @param {string} id
   * @returns {Promise<Product>}
   */
  async read(id) {
    return (await this.#calls.send(`/products/${id}`)).body;
  }

  /**
   * @param {Draft} draft
   * @param {string} key the same for every try of one submission
   * @returns {Promise<Written>}
   */
  create(draft, key) {
    return this.#write("POST", "/products", { "Idempotency-Key": key }, draft);
  }

  /**
   * @param {Product} product as it was when it was decided to change it; another version is not changed
   * @param {Draft} changes
   * @returns {Promise<Written>}
   */
  change({ id, version }, changes) {
    return this.#write("PATCH", `/products/${id}`, { "If-Match": `"${version}"` }, changes);
  }

  /**
   * @param {string} id
   * @returns {Promise<string>} the replica that did it
   */
  async remove(id) {
    return (await this.#calls.send(`/products/${id}`, { method: "DELETE" })).replica;
  }

  /**
   * @param {string} method
   * @param {string} path
   * @param {Record<string, string>} headers
   * @param {Draft} draft
   * @returns {Promise<Written>}
   */
  async #write(method, path, headers, draft) {
    const typed = { "Content-Type": "application/json", ...headers };
    const { body, replica } = await this.#calls.send(path, { method, headers: typed, body: JSON.stringify(draft) });
    return { product: body, replica };
  }
}
