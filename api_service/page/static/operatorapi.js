/**
 * What operators ask of the API.
 *
 * @typedef {"ready" | "waiting" | "deaf" | "draining"} State clients come only where it is ready
 * @typedef {{node: string, state: State, connections: number, lag_ms: number}} Emitter
 * @typedef {{emitters: Emitter[], silent_nodes: string[]}} Cluster
 *
 * @typedef {object} Feed
 * @property {string | null} leader the replica that numbers and relays
 * @property {number} log_end the number of the newest event
 * @property {number | null} undelivered_events null = no leader knows yet
 * @property {number | null} undelivered_age_s of the oldest of them
 *
 * @typedef {object} System null = it does not answer, and why
 * @property {Feed | null} feed
 * @property {string | null} feed_away
 * @property {Cluster | null} cluster
 * @property {string | null} cluster_away
 *
 * @typedef {{state: State, connections: number, shedding: number}} Begun
 */

/** The API itself waits for what does not answer, and says so after less than this. */
const STATE_WITHIN_MS = 9_000;

export class OperatorApi {
  #calls;

  /** @param {import("./calls.js").Calls} calls */
  constructor(calls) {
    this.#calls = calls;
  }

  /** @returns {Promise<System>} */
  async state() {
    return (await this.#calls.send("/operate/state", {}, STATE_WITHIN_MS)).body;
  }

  /**
   * @param {string} node
   * @returns {Promise<Begun>}
   */
  drain(node) {
    return this.#order("drain", { node });
  }

  /**
   * @param {string} node
   * @param {number} target how many clients are to be left
   * @returns {Promise<Begun>}
   */
  rebalance(node, target) {
    return this.#order("rebalance", { node, target });
  }

  /**
   * @param {string} what
   * @param {object} order
   */
  async #order(what, order) {
    const headers = { "Content-Type": "application/json" };
    const request = { method: "POST", headers, body: JSON.stringify(order) };
    return (await this.#calls.send(`/operate/${what}`, request)).body;
  }
}
