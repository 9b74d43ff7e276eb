/**
 * How the page is connected, and to whom.
 *
 * @typedef {import("./live.js").ConnectionState} ConnectionState
 * @typedef {import("./live.js").Welcome} Welcome
 */
import { find } from "./dom.js";

/** @type {Record<ConnectionState, {title: string, note: string}>} */
const STATES = {
  connecting: { title: "Connecting", note: "" },
  live: { title: "Live", note: "" },
  reconnecting: { title: "Reconnecting", note: "Will catch up by itself" },
  offline: { title: "Offline", note: "Will catch up by itself" },
  away: { title: "Not connected", note: "" },
};

const counts = new Intl.NumberFormat();

export class Status {
  #connection;
  #replica;
  #emitter;
  #heard;
  #count = 0;
  /** When the connection was lost; 0 = it was not. */
  #lostAt = 0;

  /** @param {ParentNode} page */
  constructor(page) {
    this.#connection = find(page, "#connection");
    this.#replica = find(page, "#replica");
    this.#emitter = find(page, "#emitter");
    this.#heard = find(page, "#heard");
  }

  /** @param {ConnectionState} state */
  connection(state) {
    this.#connection.dataset.state = state;
    if (state === "reconnecting" || state === "offline") this.#lostAt ||= Date.now();
    this.#say(STATES[state].title, STATES[state].note);
  }

  /**
   * @param {Welcome} welcome
   * @returns {string} what became of what was missed; empty = nothing was
   */
  welcomed(welcome) {
    this.#emitter.textContent = welcome.node;
    if (!this.#lostAt) return "";
    const note = caughtUp(welcome, Date.now() - this.#lostAt);
    this.#lostAt = 0;
    this.#say(STATES.live.title, note);
    return note;
  }

  /** @param {string} replica */
  servedBy(replica) {
    this.#replica.textContent = replica;
  }

  heardNewProduct() {
    this.#count += 1;
    this.#heard.textContent = counts.format(this.#count);
  }

  /**
   * @param {string} state
   * @param {string} note
   */
  #say(state, note) {
    find(this.#connection, ".state").textContent = state;
    find(this.#connection, ".note").textContent = note;
  }
}

/**
 * @param {Welcome} welcome
 * @param {number} awayMs
 */
function caughtUp({ recovered, replayed }, awayMs) {
  const back = `Back after ${Math.ceil(awayMs / 1000)} s`;
  if (!recovered) return `${back}: list read anew`;
  return `${back}: ${replayed ? `${counts.format(replayed)} missed changes caught up` : "nothing was missed"}`;
}
