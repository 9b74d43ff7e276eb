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
const PAGE_SIZE = 24;

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
  config() {
    return this.#call("/config.json");
  }

  /**
   * @param {string | null} cursor where the page before ended; null = the newest
   * @returns {Promise<ProductPage>}
   */
  list(cursor) {
    const query = new URLSearchParams({ limit: String(PAGE_SIZE), ...(cursor && { cursor }) });
    return this.#call(`/products?${query}`);
  }

  /**
   * @param {Draft} draft
   * @param {string} key the same for every try of one submission
   * @returns {Promise<Product>}
   */
  create(draft, key) {
    return this.#call("/products", {
      method: "POST",
      headers: { "Content-Type": "application/json", "Idempotency-Key": key },
      body: JSON.stringify(draft),
    });
  }

  /**
   * @param {string} path
   * @param {{method?: string, headers?: Record<string, string>, body?: string}} [request]
   */
  async #call(path, request) {
    const token = this.#token();
    const headers = { ...request?.headers, ...(token && { Authorization: `Bearer ${token}` }) };
    const response = await fetch(path, { ...request, headers, signal: AbortSignal.timeout(DEADLINE_MS) });
    const replica = response.headers.get("X-Served-By");
    if (replica) this.#answered(replica);
    if (!response.ok) throw await problemOf(response);
    return response.json();
  }
}

/** @param {Response} response */
async function problemOf(response) {
  // A proxy answers in HTML when no replica does.
  const body = await response.json().catch(() => ({}));
  return new Problem(response.status, body.detail ?? `HTTP ${response.status}`, body.errors ?? []);
}
