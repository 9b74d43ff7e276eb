/**
 * Who operates, and whether it may: signs in and out, and says what to do when a token does not do. No page.
 *
 * @typedef {import("./calls.js").Problem} Problem
 * @typedef {import("./session.js").Session} Session
 *
 * @typedef {object} View
 * @property {() => Promise<void>} look throws a Problem where it is refused
 * @property {() => void} leave show nothing any more
 */

const UNAUTHORIZED = 401;
const TO_OPERATE = "Operating takes a token with the scope operate. Paste one to sign in.";

export class Operator {
  #takesToken;
  #session;
  #door;
  #view;

  /**
   * @param {boolean} takesToken
   * @param {Session} session
   * @param {import("./identity.js").Door} door
   * @param {View} view
   */
  constructor(takesToken, session, door, view) {
    this.#takesToken = takesToken;
    this.#session = session;
    this.#door = door;
    this.#view = view;
  }

  /** @returns {boolean} whether it is worth a look */
  begin() {
    if (!this.#takesToken) {
      this.#session.end(); // one of another time, which would be refused where none is asked for
      return true;
    }
    this.#door.show(this.#session.name);
    if (this.#session.token) return true;
    this.#view.leave();
    this.#door.ask(TO_OPERATE);
    return false;
  }

  /**
   * @param {string} token
   * @throws {Error} it is refused; the message says why
   */
  async signIn(token) {
    const before = this.#session.token;
    this.#become(token);
    try {
      await this.#view.look();
    } catch (error) {
      this.#become(before);
      throw error;
    }
  }

  /**
   * @param {Problem} problem that the API has with the token that was shown, or with none
   * @param {{focus: boolean}} how `focus` = because of what the operator has just done
   */
  refused({ status, detail }, how = { focus: false }) {
    const hadToken = Boolean(this.#session.token);
    // A token that only lacks the scope is still good for what it has.
    if (status === UNAUTHORIZED) this.#become("");
    this.#view.leave();
    if (!hadToken) this.#door.ask(TO_OPERATE, how);
    else if (status === UNAUTHORIZED) this.#door.ask(`You were signed out: ${detail}. Paste another token.`, how);
    else this.#door.ask(`Refused: ${detail}. Paste one that has it.`, how);
  }

  /** @param {string} token empty = none */
  #become(token) {
    if (token) this.#session.begin(token);
    else this.#session.end();
    this.#door.show(this.#session.name);
  }
}
