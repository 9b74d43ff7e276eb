/**
 * One emitter, and what can be done with it.
 *
 * @typedef {import("./operatorapi.js").Emitter} Emitter
 * @typedef {import("./operatorapi.js").State} State
 *
 * @typedef {object} Actions
 * @property {(card: EmitterCard) => void} drain
 * @property {(card: EmitterCard) => void} rebalance
 */
import { clone, find } from "./dom.js";

/** @type {Record<State, string>} */
const STATES = {
  ready: "Ready",
  waiting: "Waiting for its history",
  deaf: "Deaf: hears no Redis",
  draining: "Draining: takes no clients",
};
/** Of an event loop that is so late. */
const LATE_MS = 50;
const counts = new Intl.NumberFormat();

export class EmitterCard {
  /** @type {Emitter | null} */
  #emitter = null;

  /**
   * @param {HTMLTemplateElement} template
   * @param {string} node
   * @param {Actions} actions
   */
  constructor(template, node, actions) {
    this.node = node;
    this.element = clone(template);
    find(this.element, ".name").textContent = node;
    this.element.setAttribute("aria-label", node);
    find(this.element, ".drain").addEventListener("click", () => actions.drain(this));
    find(this.element, ".rebalance").addEventListener("click", () => actions.rebalance(this));
  }

  /** @returns {Emitter | null} null = it does not answer */
  get emitter() {
    return this.#emitter;
  }

  /**
   * @param {Emitter | null} emitter null = it does not answer
   * @param {number} most clients of any emitter
   */
  show(emitter, most) {
    this.#emitter = emitter;
    this.element.dataset.state = emitter?.state ?? "silent";
    find(this.element, ".state").textContent = emitter ? STATES[emitter.state] : "Does not answer";
    find(this.element, ".connections").textContent = emitter ? counts.format(emitter.connections) : "–";
    const lag = find(this.element, ".lag");
    lag.textContent = emitter ? `${emitter.lag_ms.toFixed(1)} ms` : "–";
    lag.classList.toggle("bad", Boolean(emitter && emitter.lag_ms > LATE_MS));
    this.element.style.setProperty("--share", String(emitter && most ? emitter.connections / most : 0));
    this.#offer(Boolean(emitter && emitter.state !== "draining"));
  }

  /** @param {boolean} isPossible */
  #offer(isPossible) {
    const actions = find(this.element, ".actions");
    // Whoever has just used one of the buttons stays where they are.
    if (!isPossible && actions.contains(document.activeElement)) this.element.focus();
    actions.hidden = !isPossible;
  }
}
