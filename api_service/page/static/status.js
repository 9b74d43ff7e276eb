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
  away: { title: "Not connected", note: "" },
};

const counts = new Intl.NumberFormat();

export class Status {
  #connection;
  #replica;
  #emitter;
  #heard;
  #count = 0;
  #wasAway = false;

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
    this.#wasAway ||= state === "reconnecting";
    this.#say(STATES[state].title, STATES[state].note);
  }

  /** @param {Welcome} welcome */
  welcomed(welcome) {
    this.#emitter.textContent = welcome.node;
    if (this.#wasAway) this.#say(STATES.live.title, caughtUp(welcome));
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

/** @param {Welcome} welcome */
function caughtUp({ recovered, replayed }) {
  if (!recovered) return "Back after a gap, list reloaded";
  return replayed ? `Back, ${counts.format(replayed)} missed changes caught up` : "Back, nothing was missed";
}
