/**
 * Storecast's events through the stock Socket.IO client: each once, in order, and on from where one was.
 *
 * One file, because a page that has no build step fetches it by its one public path. `socket.io.js` beside it is the
 * stock client: from npm in the package, and in a page the build that is served by that name.
 *
 * @typedef {import("./index.js").Connection} Connection
 * @typedef {import("./index.js").Heard} Heard
 * @typedef {import("./index.js").KeptIn} KeptIn
 * @typedef {import("./index.js").Options} Options
 * @typedef {import("./index.js").Problem} Problem
 *
 * @typedef {{node: string, position: string | null, recovered: boolean, replayed: number}} Welcome
 * @typedef {{error?: Problem}} Answer
 */
import { io } from "./socket.io.js";

const PATH = "/websocket-service";
const PRODUCTS = "products";
const RESYNC = "resync";
/** What is between the server and this module. */
const OURS = new Set(["welcome", "token_expiring", "token_expired"]);
const OFFSET = /^[^:]+:[0-9]{1,18}$/;

const ANSWER_MS = 10_000;
const COME_BACK_MS = 2_000;
const TOO_MANY_MS = 1_000;

const UNAUTHORIZED = 401;
const FORBIDDEN = 403;
const TOO_MANY = 429;

/** The server refused: what it said, and which fields are wrong (RFC 9457). */
export class Refused extends Error {
  /** @param {Problem} problem */
  constructor({ status, detail, errors = [] }) {
    super(detail);
    this.name = "Refused";
    this.status = status;
    this.detail = detail;
    this.errors = errors;
  }
}

/**
 * @param {Options} options
 * @returns {Connection}
 */
export function connect(options) {
  return new SocketConnection(options);
}

/** How far the log was heard, kept where a reload of the page finds it. */
class Place {
  #storage;
  #key;
  #offset;

  /**
   * @param {KeptIn | null} storage
   * @param {string} key
   * @param {string | undefined} after where to begin if nothing is kept
   */
  constructor(storage, key, after) {
    this.#storage = storage;
    this.#key = key;
    const kept = storage?.getItem(key);
    // What anything else of this origin may have put there would be refused at each try.
    this.#offset = kept && OFFSET.test(kept) ? kept : after;
  }

  get offset() {
    return this.#offset;
  }

  /** @param {string} offset */
  isPast(offset) {
    if (this.#offset === undefined) return false;
    const [epoch, seq] = offset.split(":");
    const [here, heard] = this.#offset.split(":");
    // The server says first where its own epoch begins: what is of another one has been on its way since before.
    return epoch !== here || Number(seq) <= Number(heard);
  }

  /** @param {string} offset */
  moveTo(offset) {
    this.#offset = offset;
    try {
      this.#storage?.setItem(this.#key, offset);
    } catch {
      // It is full: then a reload begins anew.
      this.#storage = null;
    }
  }
}

/** The token to show, and the one that the server was shown. */
class Token {
  #get;
  /** @type {string | undefined} */
  #current;
  /** @type {string | undefined} */
  #shown;
  #isAsked = false;
  /** @type {Promise<void> | null} */
  #asking = null;

  /** @param {Options["token"]} token */
  constructor(token) {
    this.#get = typeof token === "function" ? token : () => token;
  }

  /** The one that there is. */
  get current() {
    return this.#current;
  }

  /** Whether there is another one than the server was shown. */
  get isNew() {
    return this.#current !== this.#shown;
  }

  /** @param {string | undefined} token */
  wasShown(token) {
    this.#shown = token;
  }

  /** Ask for it, unless that was done. A client that comes back does not: its server may have sent thousands away. */
  async have() {
    if (!this.#isAsked) await this.renew();
  }

  /** Ask for it; who asks meanwhile waits for the same answer. */
  async renew() {
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = null;
    });
    await this.#asking;
  }

  async #ask() {
    this.#current = (await this.#get()) || undefined;
    this.#isAsked = true;
  }
}

/** @implements {Connection} */
class SocketConnection {
  #socket;
  #options;
  #topics;
  #place;
  #token;
  #isLive = false;
  /** Whether the connection has outlived its token, and left what takes one. */
  #isExpired = false;
  /** Whether the token was just replaced because it was refused. */
  #isRenewed = false;
  /** @type {Error | null} why no connection comes any more */
  #end = null;
  /** @type {{resolve: () => void, reject: (reason: Error) => void}[]} those who wait for a connection */
  #waiting = [];
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #comeBack;
  #hurry = () => this.#comeAtOnce();

  /** @param {Options} options */
  constructor(options) {
    const { origin, path = PATH, topics = [PRODUCTS], token, after, storage = tabStorage() } = options;
    this.#options = options;
    this.#topics = new Set(topics);
    this.#place = new Place(storage, `storecast.after ${origin}${path} ${[...topics].sort()}`, after);
    this.#token = new Token(token);
    this.#socket = io(origin, {
      path,
      forceNew: true,
      // The cookie by which a gateway knows the session of long-polling.
      withCredentials: true,
      autoConnect: false,
      auth: (give) => void this.#authenticate(give),
    });
    this.#followState();
    this.#followToken();
    this.#socket.onAny((event, ...args) => this.#hear(event, args));
    // There is no such event outside of a browser.
    globalThis.addEventListener?.("online", this.#hurry);
    this.#socket.connect();
  }

  get socket() {
    return this.#socket;
  }

  get id() {
    return this.#socket.id;
  }

  get offset() {
    return this.#place.offset;
  }

  get topics() {
    return [...this.#topics];
  }

  /** @param {string[]} topics */
  async subscribe(topics) {
    accept(await this.#ask("subscribe", { topics }));
    for (const topic of topics) this.#topics.add(topic);
  }

  /** @param {string[]} topics */
  async unsubscribe(topics) {
    if (this.topics.every((topic) => topics.includes(topic))) {
      // The server takes nobody without a topic, so that such a connection could not come back.
      throw new Error("topics: these are all that there are. Subscribe to another one first, or close the connection");
    }
    // Refused, there is no connection that hears them, and the next one is made without.
    if (!this.#end) accept(await this.#ask("unsubscribe", { topics }));
    for (const topic of topics) this.#topics.delete(topic);
  }

  /**
   * @param {string} topic
   * @param {string} event
   * @param {unknown} payload
   * @returns {Promise<number>}
   */
  async publish(topic, event, payload) {
    // It would be kept for a later connection, when nobody knows any more what it was about.
    if (!this.#isLive) throw new Error("there is no connection");
    /** @type {Answer & {reached?: number}} */
    const answer = await this.#socket.timeout(ANSWER_MS).emitWithAck("publish", { topic, event, payload }).catch(() => {
      throw new Error("no answer came in time");
    });
    accept(answer);
    return /** @type {number} */ (answer.reached);
  }

  async authenticate() {
    await this.#token.renew();
    if (this.#end instanceof Refused) this.#comeAnew();
    await this.#arrival();
    // A handshake that was on its way has shown the one before.
    if (this.#token.isNew) await this.#showToken();
    await this.#arrival();
  }

  close() {
    globalThis.removeEventListener?.("online", this.#hurry);
    this.#stop(new Error("the connection was closed"));
  }

  // How it comes and goes.

  #followState() {
    this.#socket.on("welcome", (welcome) => this.#welcomed(welcome));
    this.#socket.on("disconnect", (reason) => {
      // It is our own doing, and whoever does it says what comes next.
      if (reason === "io client disconnect") this.#isLive = false;
      else this.#lost(reason);
    });
    this.#socket.on("connect_error", (/** @type {Error & {data?: Problem}} */ { message, data }) => {
      if (data && data.status < 500 && data.status !== TOO_MANY) void this.#refused(new Refused(data));
      else this.#lost(data?.detail ?? message);
    });
  }

  /** @param {Welcome} welcome */
  #welcomed({ node, position, recovered, replayed }) {
    const hadPlace = this.#place.offset !== undefined;
    // Without a position the server has not got one itself yet, and says welcome again when it has.
    if (!recovered && position) this.#place.moveTo(position);
    this.#isLive = true;
    this.#isExpired = this.#isRenewed = false;
    for (const { resolve } of this.#waiting.splice(0)) resolve();
    this.#options.onState?.({ name: "live", node, position, recovered, replayed });
    if (!recovered) this.#options.onGap({ reason: hadPlace ? "lost" : "new" });
  }

  /** @param {string} reason */
  #lost(reason) {
    this.#isLive = this.#isRenewed = false;
    this.#options.onState?.({ name: "reconnecting", reason });
    // The stock client leaves it at that when the server itself says no, or goodbye.
    if (!this.#end && !this.#socket.active) {
      clearTimeout(this.#comeBack);
      this.#comeBack = setTimeout(() => this.#socket.connect(), COME_BACK_MS * (0.5 + Math.random()));
    }
  }

  /** @param {Refused} refusal */
  async #refused(refusal) {
    if (refusal.status === UNAUTHORIZED && !this.#isRenewed) {
      // Once: a token that was just made and is refused again will be so for ever.
      this.#isRenewed = true;
      const isNew = await this.#renewed();
      if (this.#end || isNew === undefined) return;
      if (isNew) {
        this.#socket.connect();
        return;
      }
    }
    this.#stop(refusal);
    this.#options.onState?.({ name: "refused", status: refusal.status, detail: refusal.detail });
  }

  #comeAnew() {
    this.#end = null;
    this.#isExpired = false;
    this.#connectAgain("with another token");
  }

  /** The network is back: the next try need not wait. */
  #comeAtOnce() {
    // Not while a new token is on its way: the old one would be refused once more, and that would be the end.
    if (!this.#end && !this.#isLive && !this.#isRenewed) this.#connectAgain("the network is back");
  }

  /** @param {string} reason */
  #connectAgain(reason) {
    clearTimeout(this.#comeBack);
    this.#socket.disconnect();
    this.#options.onState?.({ name: "reconnecting", reason });
    this.#socket.connect();
  }

  /** @param {Error} reason */
  #stop(reason) {
    this.#end = reason;
    clearTimeout(this.#comeBack);
    this.#socket.disconnect();
    for (const { reject } of this.#waiting.splice(0)) reject(reason);
  }

  /** @returns {Promise<void>} fulfilled as soon as there is a connection */
  #arrival() {
    if (this.#end) return Promise.reject(this.#end);
    if (this.#isLive) return Promise.resolve();
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  // What is heard and asked.

  /**
   * @param {string} event
   * @param {any[]} args
   */
  #hear(event, [payload, meta, offset]) {
    if (OURS.has(event)) return;
    // Behind what has no number comes nothing, or what acknowledges it.
    const place = typeof offset === "string" ? offset : undefined;
    if (place && this.#place.isPast(place)) return;
    if (event === RESYNC) this.#options.onGap({ reason: RESYNC });
    else this.#options.onEvent(/** @type {Heard} */ ({ event, payload, meta, offset: place }));
    // Only now: what the application failed at was not heard, should it be started again.
    if (place) this.#place.moveTo(place);
  }

  /**
   * Ask, on the next connection again if this one ends before the answer.
   *
   * @param {string} event
   * @param {object} request
   * @returns {Promise<Answer>}
   */
  async #ask(event, request) {
    for (;;) {
      await this.#arrival();
      /** @type {Answer | null} null = the connection has gone, or hangs */
      const answer = await this.#socket.timeout(ANSWER_MS).emitWithAck(event, request).catch(() => null);
      if (answer && answer.error?.status !== TOO_MANY) return answer;
      if (answer) await new Promise((resolve) => setTimeout(resolve, TOO_MANY_MS));
    }
  }

  // Who we are.

  /** @param {(auth: object) => void} give */
  async #authenticate(give) {
    const { engine } = this.#socket.io;
    try {
      await this.#token.have();
    } catch (error) {
      this.#withoutToken(error);
      return;
    }
    // Meanwhile the connection may have gone, and the next one asks for itself.
    if (!this.#socket.active || this.#socket.io.engine !== engine) return;
    const token = this.#token.current;
    this.#token.wasShown(token);
    give({
      topics: this.topics,
      token,
      after: this.offset,
      // The stock client's own memory would count before `after`; it does not know what a reload has left.
      pid: undefined,
      offset: undefined,
    });
  }

  #followToken() {
    this.#socket.on("token_expiring", ({ expires_in_s: seconds }) => void this.#expiring(seconds));
    this.#socket.on("token_expired", () => void this.#expired());
  }

  /** @param {number} seconds for which the token is still good */
  async #expiring(seconds) {
    try {
      await this.#token.renew();
      if (!this.#isLive) return;
      if (this.#token.isNew) await this.#showToken();
      else this.#options.onExpiry?.({ name: "expiring", seconds });
    } catch (error) {
      // There is another chance: when it has expired.
      if (!this.#end) this.#report(error);
    }
  }

  async #expired() {
    this.#isExpired = true;
    const isNew = await this.#renewed();
    // Meanwhile the connection may have been given a new one, or have gone.
    if (isNew === undefined || !this.#isExpired || this.#end) return;
    if (isNew) this.#comeAnew();
    else this.#options.onExpiry?.({ name: "expired" });
  }

  async #showToken() {
    if (!(await this.#takes(this.#token.current))) this.#comeAnew();
  }

  /**
   * @param {string | undefined} token
   * @returns {Promise<boolean>} whether the connection is whose the token is, and hears what it is to hear
   */
  async #takes(token) {
    // Nobody it cannot become.
    if (!token) return false;
    const { error } = await this.#ask("authenticate", { token });
    // It is another user's: what is on the way to it may not be for this one.
    if (error?.status === FORBIDDEN) return false;
    accept({ error });
    this.#token.wasShown(token);
    // What it left as its token ended it would be sent from now on, without what was told since.
    if (this.#isExpired) return false;
    // It has left what the new token does not permit, and would not say so.
    const heard = await this.#ask("subscribe", { topics: this.topics });
    return !heard.error;
  }

  /** @returns {Promise<boolean | undefined>} whether there is another token now; undefined = it cannot be had */
  async #renewed() {
    try {
      await this.#token.renew();
      return this.#token.isNew;
    } catch (error) {
      this.#withoutToken(error);
      return undefined;
    }
  }

  /** @param {unknown} error */
  #withoutToken(error) {
    if (this.#end) return;
    this.#report(error);
    this.#socket.disconnect();
    this.#lost("there is no token");
  }

  /** @param {unknown} error */
  #report(error) {
    const report = this.#options.onError ?? console.error;
    report(error);
  }
}

/** @param {Answer} answer */
function accept({ error }) {
  if (error) throw new Refused(error);
}

/** @returns {KeptIn | null} */
function tabStorage() {
  try {
    return globalThis.sessionStorage ?? null;
  } catch {
    // The reader has forbidden it: the place lasts until the page is left.
    return null;
  }
}
