/**
 * What the emitter says, through the client module.
 *
 * @typedef {import("./api.js").Config} Config
 * @typedef {import("./catalogue.js").Change} Change
 * @typedef {import("./client/client.js").Connection} Connection
 * @typedef {import("./client/client.js").Heard} Told
 * @typedef {import("./client/client.js").State} State
 * @typedef {"connecting" | "live" | "reconnecting" | "offline" | "away"} ConnectionState `offline` = this
 *   device has no network; `away` = not wanted
 * @typedef {{node: string, recovered: boolean, replayed: number}} Welcome
 * @typedef {Change & {seq: number, time: string, node: string, latencyMs: number | null}} Heard
 *   `node` = by which emitter; `latencyMs` null = it was missed and caught up with, or it cannot be told
 * @typedef {{guest: string, node: string}} Place what we are called without a name, and on which emitter we are
 * @typedef {{status: number, detail: string}} Refusal 401 = of a bad token, or of none; 403 = of one that lacks a scope
 * @typedef {import("./said.js").Said} Said
 *
 * @typedef {object} Listener
 * @property {(state: ConnectionState) => void} onState
 * @property {(welcome: Welcome) => void} onWelcome `recovered` = nothing was missed since the last connection
 * @property {(heard: Heard) => void} onHeard
 * @property {() => void} onGap the emitter cannot say what was missed
 * @property {(place: Place | null) => void} onLobby we are in the chat; null = there is none here
 * @property {(said: Said) => void} onSaid
 * @property {(refusal: Refusal) => void} onRefused we may not connect, and do not try again
 * @property {(seconds: number) => void} onExpiring the token is at its end
 * @property {() => void} onExpired it is not ours any more
 */
import { connect } from "./client/client.js";
import { latencyOf } from "./latency.js";
import { LOBBY, SAID, guestName, readSaid } from "./said.js";

const EVENTS = new Set(["new_product", "product_updated", "product_deleted"]);

export class Live {
  #config;
  #listener;
  #token;
  /** @type {Connection | null} */
  #connection = null;
  #isLive = false;
  #wasLive = false;
  #node = "";
  /** Up to here events are missed ones. */
  #caughtUpAt = 0;
  /** What is shown to the connection, and is not ours before it is taken; empty = none. */
  #offered = "";
  /** @type {((refusal: Refusal | null) => void) | null} told how a connection that was asked for goes */
  #arrived = null;

  /**
   * @param {Config} config
   * @param {Listener} listener
   * @param {() => string} token asked for whenever it is shown; empty = none
   */
  constructor(config, listener, token) {
    this.#config = config;
    this.#listener = listener;
    this.#token = token;
  }

  /**
   * Connect, or connect again, with the token that there is now. What is missed meanwhile is caught up with.
   *
   * @returns {Promise<Refusal | null>} null = we are welcome, or the emitter is away
   */
  comeAnew() {
    const after = this.#hangUp();
    this.#sayNotLive();
    return new Promise((resolve) => {
      this.#arrived = resolve;
      this.#connection = this.#connected(after);
    });
  }

  leave() {
    this.#hangUp();
    this.#listener.onState("away");
  }

  /**
   * @param {string} token
   * @returns {Promise<boolean>} false = there is no connection that could take it: come anew with it
   * @throws {Error} it is refused; the message says why
   */
  async authenticate(token) {
    if (!this.#isLive) return false;
    this.#offered = token;
    try {
      await this.#connection?.authenticate();
      return true;
    } finally {
      this.#offered = "";
    }
  }

  /** Join the chat, if there is one for who we are. */
  async enterLobby() {
    const connection = this.#connection;
    if (!connection) return;
    try {
      await connection.subscribe([LOBBY]);
    } catch {
      // Permitted once, and not to who we are now: asked for in the next handshake, it would refuse the whole.
      if (connection.topics.includes(LOBBY)) await connection.unsubscribe([LOBBY]).catch(() => {});
    }
    if (connection !== this.#connection) return;
    const { id, topics } = connection;
    this.#listener.onLobby(id && topics.includes(LOBBY) ? { guest: guestName(id), node: this.#node } : null);
  }

  /** @param {string} text to be said in the chat */
  async say(text) {
    if (!this.#connection) throw new Error("there is no connection");
    await this.#connection.publish(LOBBY, SAID, { text });
  }

  /** @param {string | undefined} after where to go on, if the tab may keep nothing */
  #connected(after) {
    const { socket_url: origin, socket_path: path } = this.#config;
    return connect({
      origin: origin || location.origin,
      path,
      after,
      token: () => this.#offered || this.#token(),
      onState: (state) => this.#follow(state),
      onGap: () => this.#listener.onGap(),
      onEvent: (told) => this.#hear(told),
      onExpiry: (expiry) => {
        if (expiry.name === "expiring") this.#listener.onExpiring(expiry.seconds);
        else this.#listener.onExpired();
      },
    });
  }

  /** @returns {string | undefined} the last offset heard */
  #hangUp() {
    const connection = this.#connection;
    this.#arrive(null);
    this.#connection = null;
    this.#isLive = false;
    connection?.close();
    return connection?.offset;
  }

  /** @param {State} state */
  #follow(state) {
    this.#isLive = state.name === "live";
    if (state.name === "live") {
      this.#wasLive = true;
      this.#node = state.node;
      this.#caughtUpAt = Number(state.position?.split(":").at(-1) ?? 0);
      this.#arrive(null);
      this.#listener.onState("live");
      this.#listener.onWelcome(state);
      // At each: a connection that is new has an id of its own, and what we are called with it.
      void this.enterLobby();
    } else if (state.name === "reconnecting") {
      this.#arrive(null);
      this.#sayNotLive();
    } else if (!this.#arrive(state)) this.#listener.onRefused(state);
  }

  #sayNotLive() {
    if (navigator.onLine) this.#listener.onState(this.#wasLive ? "reconnecting" : "connecting");
    else this.#listener.onState("offline");
  }

  /**
   * @param {Refusal | null} refusal
   * @returns {boolean} whether somebody waits for it
   */
  #arrive(refusal) {
    const arrived = this.#arrived;
    this.#arrived = null;
    arrived?.(refusal);
    return arrived !== null;
  }

  /** @param {Told} told */
  #hear({ event, payload, meta, offset }) {
    // Without an offset somebody has pushed it: it is no change of the catalogue, and may hold anything.
    if (EVENTS.has(event) && offset) {
      const change = /** @type {Change} */ ({ event, product: payload });
      const { seq, time } = meta;
      const latencyMs = seq > this.#caughtUpAt ? latencyOf(time, Date.now()) : null;
      this.#listener.onHeard({ ...change, seq, time, latencyMs, node: this.#node });
    } else if (event === SAID) {
      const said = readSaid(payload, meta, this.#connection?.id);
      if (said) this.#listener.onSaid(said);
    }
  }
}
