/**
 * Calls of our own origin over HTTP, and what is answered.
 *
 * @typedef {{field: string, message: string}} FieldError
 * @typedef {{replica: string, body: any}} Answer and which replica gave it; null = nothing is answered
 *
 * @typedef {object} Request
 * @property {string} [method]
 * @property {Record<string, string>} [headers]
 * @property {string} [body]
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

export class Calls {
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

  /**
   * @param {string} path
   * @param {Request} [request]
   * @param {number} [deadlineMs]
   * @returns {Promise<Answer>}
   */
  async send(path, request, deadlineMs = DEADLINE_MS) {
    const token = this.#token();
    const headers = { ...request?.headers, ...(token && { Authorization: `Bearer ${token}` }) };
    return this.#fetch(path, { ...request, headers }, deadlineMs);
  }

  /**
   * Without the token, for what everybody may know.
   *
   * @param {string} path
   * @returns {Promise<Answer>}
   */
  sendOpenly(path) {
    return this.#fetch(path, {}, DEADLINE_MS);
  }

  /**
   * @param {string} path
   * @param {Request} request
   * @param {number} deadlineMs
   * @returns {Promise<Answer>}
   */
  async #fetch(path, request, deadlineMs) {
    const response = await fetch(path, { ...request, signal: AbortSignal.timeout(deadlineMs) });
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
