/**
 * Whether what is shown is of now.
 *
 * @typedef {"connecting" | "live" | "reconnecting" | "away"} Freshness
 */
import { find, say } from "./dom.js";

/** @type {Record<Freshness, string>} */
const TITLES = {
  connecting: "Looking",
  live: "Up to date",
  reconnecting: "No answer",
  away: "Not signed in",
};

export class FreshnessSign {
  #sign;
  #replica;
  /** @type {Date | null} */
  #seenAt = null;

  /** @param {ParentNode} page */
  constructor(page) {
    this.#sign = find(page, "#connection");
    this.#replica = find(page, "#replica");
  }

  /** @param {string} replica that has answered */
  servedBy(replica) {
    this.#replica.textContent = replica;
  }

  seen() {
    this.#seenAt = new Date();
    this.#say("live", "");
  }

  /** @param {string} reason */
  failed(reason) {
    const last = this.#seenAt ? `Shown is what was seen at ${this.#seenAt.toLocaleTimeString()}. ` : "";
    this.#say("reconnecting", last + reason);
  }

  signedOut() {
    this.#say("away", "");
  }

  /**
   * @param {Freshness} freshness
   * @param {string} note
   */
  #say(freshness, note) {
    this.#sign.dataset.state = freshness;
    say(find(this.#sign, ".state"), TITLES[freshness]);
    say(find(this.#sign, ".note"), note);
  }
}
