/**
 * The product API over HTTP.
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
 * @property {boolean} writing_takes_token
 * @property {boolean} reading_takes_token
 *
 * @typedef {{field: string, message: string}} FieldError
 * @typedef {Record<string, unknown>} Draft
 */

const DEADLINE_MS = 15_000;
const NO_CONTENT = 204;
const GONE = 404;
const STALE = 412;

/** The API refused: what it said, and which fields are wrong (RFC 9457). */
export class Problem extends Error {
  /**
   * @param {number} status
   * @param {string} detail
   * @param {FieldError[]} errors
   */
  constructor(status, detail, errors) {
    super(detail);
    this.status = status;
    this.detail = detail;
    this.errors = errors;
  }

  /** Whether a token is missing, bad, or lacks a scope. */
  get isRefusal() {
    return this.status === 401 || this.status === 403;
  }

  /** Whether there is no such product any more. */
  get isGone() {
    return this.status === GONE;
  }

  /** Whether the product has changed since the version that was to be changed. */
  get isStale() {
    return this.status === STALE;
  }
}

export class ProductApi {
  #answered;
  #token;

  /**
   * @param {(replica: string) => void} answered told which replica gave each answer
   * @param {() => string} token asked for at each call; empty = none
   */
  constructor(answered, token) {
    this.#answered = answered;
    this.#token = token;
  }

  /** @returns {Promise<Config>} */
  async config() {
    // Without a token, that it may be what the document has had fetched already.
    return (await this.#call("/config.json", {}, "")).body;
  }

  /**
   * @param {Record<string, string>} filter
   * @param {string | null} cursor where the page before ended; null = the newest
   * @param {number} limit how many at most
   * @returns {Promise<ProductPage>}
   */
  async list(filter, cursor, limit) {
    const query = new URLSearchParams({ ...filter, limit: String(limit), ...(cursor && { cursor }) });
    return (await this.#call(`/products?${query}`)).body;
  }

  /**
   * @param {string} id
   * @returns {Promise<Product>}
   */
  async read(id) {
    return (await this.#call(`/products/${id}`)).body;
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
    return (await this.#call(`/products/${id}`, { method: "DELETE" })).replica;
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
    const { body, replica } = await this.#call(path, { method, headers: typed, body: JSON.stringify(draft) });
    return { product: body, replica };
  }

  /**
   * @param {string} path
   * @param {{method?: string, headers?: Record<string, string>, body?: string}} [request]
   * @param {string} [token] empty = none
   */
  async #call(path, request, token = this.#token()) {
    const headers = { ...request?.headers, ...(token && { Authorization: `Bearer ${token}` }) };
    const response = await fetch(path, { ...request, headers, signal: AbortSignal.timeout(DEADLINE_MS) });
    const replica = response.headers.get("X-Served-By") ?? "";
    if (replica) this.#answered(replica);
    if (!response.ok) throw await problemOf(response);
    return { replica, body: response.status === NO_CONTENT ? null : await response.json() };
  }
}

/** @param {Response} response */
async function problemOf(response) {
  // A proxy answers in HTML when no replica does.
  const body = await response.json().catch(() => ({}));
  return new Problem(response.status, body.detail ?? `HTTP ${response.status}`, body.errors ?? []);
}
