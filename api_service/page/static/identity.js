/**
 * Who the reader is to the services: signs in and out, and says what to do when a token is at its end. No page.
 *
 * @typedef {import("./api.js").Config} Config
 * @typedef {import("./live.js").Refusal} Refusal
 * @typedef {import("./session.js").Session} Session
 *
 * @typedef {object} Door where a token is asked for
 * @property {(reason: string, how?: {focus: boolean}) => void} ask
 * @property {(name: string | null) => void} show who is signed in; null = nobody
 *
 * @typedef {object} Line the connection to the emitter
 * @property {(token: string) => Promise<boolean>} authenticate
 * @property {() => Promise<Refusal | null>} comeAnew
 * @property {() => void} enterLobby
 * @property {() => void} leave
 */

const TO_READ = "Sign in to see the products.";
const UNAUTHORIZED = 401;

export class Identity {
  #config;
  #session;
  #door;
  #line;
  #isAway = false;

  /**
   * @param {Config} config
   * @param {Session} session
   * @param {Door} door
   * @param {Line} line
   */
  constructor(config, session, door, line) {
    this.#config = config;
    this.#session = session;
    this.#door = door;
    this.#line = line;
  }

  /** Connect, unless it is known that a token is missing for it. */
  begin() {
    if (this.#config.takes_token) this.#door.show(this.#session.name);
    else this.#session.end(); // one of another time, which would be refused where none is asked for
    if (this.#config.reading_takes_token && !this.#session.token) {
      this.#leave();
      this.#door.ask(TO_READ);
    } else void this.#come();
  }

  /**
   * Show the token to the connection that there is, or else come anew with it.
   *
   * @param {string} token
   * @throws {Error} it is refused; the message says why
   */
  async signIn(token) {
    if (await this.#line.authenticate(token)) {
      this.#become(token);
      this.#line.enterLobby();
      return;
    }
    this.#become(token);
    const refusal = await this.#comeAnew();
    if (!refusal) return;
    this.refused(refusal);
    throw new Error(refusal.detail);
  }

  /** @param {number} seconds for which the token is still good */
  expiring(seconds) {
    this.#door.ask(`Your token expires in ${seconds} s. Paste a new one to stay signed in.`);
  }

  expired() {
    this.#become("");
    // Where anybody may read, the connection goes on; it is nobody's now.
    if (this.#config.reading_takes_token) this.#leave();
    else this.#line.enterLobby();
    this.#door.ask("Your token has expired. Paste a new one to sign in again.");
  }

  /** @param {Refusal} refusal of the token that was shown, or of who has shown none */
  refused({ detail }) {
    // The answer to a call of before: why we have left has been said.
    if (this.#isAway) return;
    const hadToken = Boolean(this.#session.token);
    this.#become("");
    if (this.#config.reading_takes_token || !hadToken) this.#leave();
    else void this.#come();
    this.#door.ask(hadToken ? `You were signed out: ${detail}. Paste another token.` : TO_READ);
  }

  /** @param {Refusal} refusal of a change that the reader wanted to make */
  changeRefused(refusal) {
    const hadToken = Boolean(this.#session.token);
    // A token that only lacks a scope is still good for what it has.
    if (refusal.status === UNAUTHORIZED && hadToken) this.refused(refusal);
    const reason = hadToken ? `Refused: ${refusal.detail}.` : "Changing products takes a token.";
    this.#door.ask(`${reason} Paste one that is good for it.`, { focus: true });
  }

  /** @param {string} token empty = none */
  #become(token) {
    if (token) this.#session.begin(token);
    else this.#session.end();
    this.#door.show(this.#session.name);
  }

  async #come() {
    const refusal = await this.#comeAnew();
    if (refusal) this.refused(refusal);
  }

  #comeAnew() {
    this.#isAway = false;
    return this.#line.comeAnew();
  }

  #leave() {
    this.#isAway = true;
    this.#line.leave();
  }
}
