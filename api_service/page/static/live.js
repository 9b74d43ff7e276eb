/**
 * What the emitter says, through the stock Socket.IO client.
 *
 * @typedef {import("./api.js").Config} Config
 * @typedef {import("./api.js").Product} Product
 * @typedef {"connecting" | "live" | "reconnecting" | "offline" | "away"} ConnectionState `offline` = this
 *   device has no network; `away` = not wanted
 * @typedef {{node: string, position: string | null, recovered: boolean, replayed: number}} Welcome
 * @typedef {{event: string, product: Product, seq: number, time: string, node: string, latencyMs: number | null}} Heard
 *   `node` = by which emitter; `latencyMs` null = it was missed and caught up with, or it cannot be told
 * @typedef {{guest: string, node: string}} Place what we are called without a name, and on which emitter we are
 * @typedef {{status: number, detail: string}} Refusal 401 = of a bad token, or of none; 403 = of one that lacks a scope
 * @typedef {import("./said.js").Said} Said
 *
 * @typedef {object} Listener
 * @property {(state: ConnectionState) => void} onState
 * @property {(welcome: Welcome) => void} onWelcome `recovered` = nothing was missed since the last connection
 * @property {(heard: Heard) => void} onHeard
 * @property {() => void} onResync the emitter cannot say what was missed
 * @property {(place: Place | null) => void} onLobby we are in the chat; null = there is none here
 * @property {(said: Said) => void} onSaid
 * @property {(refusal: Refusal) => void} onRefused we may not connect, and do not try again
 * @property {(seconds: number) => void} onExpiring the token is at its end
 * @property {() => void} onExpired it is not ours any more
 */
import { latencyOf } from "./latency.js";
import { LOBBY, SAID, guestName, readSaid } from "./said.js";
import { io } from "./vendor/socket.io.esm.min.js";

const PRODUCTS = "products";
const EVENTS = ["new_product", "product_updated", "product_deleted"];
const COME_BACK_MS = 5_000;
const ANSWER_MS = 10_000;

export class Live {
  #socket;
  #listener;
  #wasWelcome = false;
  #node = "";
  /** Up to here events are missed ones. */
  #caughtUpAt = 0;
  /** @type {((refusal: Refusal | null) => void) | null} told how a connection that was asked for goes */
  #arrived = null;
  #comeBack = 0;

  /**
   * @param {Config} config
   * @param {Listener} listener
   * @param {() => string} token asked for at each connection; empty = none
   */
  constructor(config, listener, token) {
    this.#listener = listener;
    this.#socket = io(config.socket_url || undefined, {
      path: config.socket_path,
      // The cookie by which a gateway on another origin knows the session of long-polling.
      withCredentials: Boolean(config.socket_url),
      autoConnect: false,
      auth: (give) => give(token() ? { token: token() } : {}),
    });
    this.#followState();
    this.#followEvents();
    this.#followLobby();
    this.#followToken();
    addEventListener("online", () => this.#hurry());
  }

  /**
   * Connect, or connect again, with the token that there is now. What is missed meanwhile is caught up with.
   *
   * @returns {Promise<Refusal | null>} null = we are welcome, or the emitter is away
   */
  comeAnew() {
    this.#hangUp();
    this.#sayNotLive();
    return new Promise((resolve) => {
      this.#arrived = resolve;
      this.#socket.connect();
    });
  }

  leave() {
    this.#hangUp();
    this.#listener.onState("away");
  }

  /**
   * @param {string} token
   * @returns {Promise<boolean>} false = the connection cannot take it: come anew with it
   * @throws {Error} it is refused, and the connection is whose it was; the message says why
   */
  async authenticate(token) {
    if (!this.#socket.connected) return false;
    const { error } = await this.#ask("authenticate", { token });
    // The connection is another user's: what is on the way to it may not be for this one.
    if (error?.status === 403) return false;
    if (error) throw new Error(error.detail);
    // It has left what the new token does not permit, and would not say so.
    return !(await this.#ask("subscribe", { topics: [PRODUCTS] })).error;
  }

  /** Join the chat, if there is one for who we are. */
  enterLobby() {
    this.#socket.emit("subscribe", { topics: [LOBBY] }, (/** @type {{error?: Refusal}} */ { error }) => {
      const { id } = this.#socket;
      this.#listener.onLobby(error || !id ? null : { guest: guestName(id), node: this.#node });
    });
  }

  /** @param {string} text to be said in the chat */
  async say(text) {
    const { error } = await this.#ask("publish", { topic: LOBBY, event: SAID, payload: { text } });
    if (error) throw new Error(error.detail);
  }

  #followState() {
    const socket = this.#socket;
    socket.on("welcome", (/** @type {Welcome} */ welcome) => {
      this.#wasWelcome = true;
      this.#node = welcome.node;
      this.#caughtUpAt = Number(welcome.position?.split(":").at(-1) ?? 0);
      this.#arrive(null);
      this.#listener.onState("live");
      this.#listener.onWelcome({ ...welcome, recovered: socket.recovered && welcome.recovered });
    });
    socket.on("disconnect", (reason) => {
      if (reason !== "io client disconnect") this.#lost();
    });
    socket.on("connect_error", (/** @type {Error & {data?: Refusal}} */ { data }) => {
      if (data?.status !== 401 && data?.status !== 403) this.#lost();
      else if (!this.#arrive(data)) this.#listener.onRefused(data);
    });
  }

  #lost() {
    this.#arrive(null);
    this.#sayNotLive();
    // The stock client leaves it at that when the server itself says no, or goodbye.
    if (!this.#socket.active) this.#comeBack = setTimeout(() => this.#socket.connect(), COME_BACK_MS);
  }

  #sayNotLive() {
    if (navigator.onLine) this.#listener.onState(this.#wasWelcome ? "reconnecting" : "connecting");
    else this.#listener.onState("offline");
  }

  /** The network is back: the next try need not wait. */
  #hurry() {
    if (!this.#socket.active || this.#socket.connected) return;
    this.#socket.disconnect();
    this.#sayNotLive();
    this.#socket.connect();
  }

  #hangUp() {
    this.#arrive(null);
    clearTimeout(this.#comeBack);
    this.#socket.disconnect();
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

  #followEvents() {
    for (const event of EVENTS) {
      this.#socket.on(event, (product, meta) => {
        const { seq, time } = meta;
        const latencyMs = seq > this.#caughtUpAt ? latencyOf(time, Date.now()) : null;
        this.#listener.onHeard({ event, product, seq, time, latencyMs, node: this.#node });
      });
    }
    this.#socket.on("resync", this.#listener.onResync);
  }

  #followLobby() {
    // At each welcome: a connection that was lost leaves its topics behind, but for those of the handshake.
    this.#socket.on("welcome", () => this.enterLobby());
    this.#socket.on(SAID, (payload, meta) => {
      const said = readSaid(payload, meta, this.#socket.id);
      if (said) this.#listener.onSaid(said);
    });
  }

  #followToken() {
    this.#socket.on("token_expiring", ({ expires_in_s: seconds }) => this.#listener.onExpiring(seconds));
    this.#socket.on("token_expired", this.#listener.onExpired);
  }

  /**
   * @param {string} event
   * @param {object} request
   * @returns {Promise<{error?: Refusal}>}
   */
  #ask(event, request) {
    const noAnswer = { error: { status: 503, detail: "no answer. Try again" } };
    return this.#socket.timeout(ANSWER_MS).emitWithAck(event, request).catch(() => noAnswer);
  }
}
