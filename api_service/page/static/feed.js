/**
 * The way of the events from the database to the emitters: who leads, and what waits.
 *
 * @typedef {import("./operatorapi.js").Feed} Feed
 */
import { find, say } from "./dom.js";

/** A leader that died is followed within 3 s; what waits for longer waits for something else. */
const LATE_S = 5;
const counts = new Intl.NumberFormat();

export class FeedPanel {
  #panel;

  /** @param {HTMLElement} panel */
  constructor(panel) {
    this.#panel = panel;
  }

  /**
   * @param {Feed | null} feed null = it is not known: what was last seen stays, and looks old
   * @param {string | null} away why
   */
  show(feed, away) {
    this.#panel.classList.toggle("old", !feed);
    say(find(this.#panel, ".message"), away === null ? "" : `Not known: ${away}.`);
    if (!feed) return;
    const { leader, log_end, undelivered_events: waiting, undelivered_age_s: ageS } = feed;
    this.#write("#leader", leader ?? "nobody", leader === null);
    this.#write("#log-end", counts.format(log_end), false);
    this.#write("#undelivered", waiting === null ? "–" : counts.format(waiting), isLate(feed));
    this.#write("#undelivered-age", waiting ? formatAge(ageS ?? 0) : "–", isLate(feed));
  }

  /**
   * @param {string} place
   * @param {string} text
   * @param {boolean} isBad
   */
  #write(place, text, isBad) {
    const figure = find(this.#panel, place);
    figure.textContent = text;
    figure.classList.toggle("bad", isBad);
  }
}

/** @param {Feed} feed */
function isLate({ undelivered_events, undelivered_age_s }) {
  return Boolean(undelivered_events) && (undelivered_age_s ?? 0) > LATE_S;
}

/**
 * @param {number} seconds
 * @returns {string}
 */
export function formatAge(seconds) {
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min`;
  return `${Math.floor(seconds / 3_600)} h ${Math.floor((seconds % 3_600) / 60)} min`;
}
