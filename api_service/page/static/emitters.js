/**
 * All emitters, by name. A card stays the same element for as long as its emitter is there.
 *
 * @typedef {import("./operatorapi.js").Cluster} Cluster
 * @typedef {import("./operatorapi.js").Emitter} Emitter
 */
import { find, say, template } from "./dom.js";
import { EmitterCard } from "./emitter.js";

const names = new Intl.Collator("en", { numeric: true });
const counts = new Intl.NumberFormat();

export class EmitterList {
  #section;
  #list;
  #actions;
  /** @type {Map<string, EmitterCard>} */
  #cards = new Map();

  /**
   * @param {HTMLElement} section
   * @param {import("./emitter.js").Actions} actions
   */
  constructor(section, actions) {
    this.#section = section;
    this.#list = find(section, "ul");
    this.#actions = actions;
  }

  /** @returns {Emitter[]} those that answer */
  get present() {
    return [...this.#cards.values()].flatMap(({ emitter }) => emitter ?? []);
  }

  /**
   * @param {Cluster | null} cluster null = it is not known: what was last seen stays, and looks old
   * @param {string | null} away why
   */
  show(cluster, away) {
    this.#section.classList.toggle("old", !cluster);
    say(find(this.#section, ".message"), away === null ? "" : `Not known: ${away}.`);
    if (!cluster) return;
    const seen = new Map(cluster.silent_nodes.map((node) => [node, /** @type {Emitter | null} */ (null)]));
    for (const emitter of cluster.emitters) seen.set(emitter.node, emitter);
    this.#forgetOthers(seen);
    const most = Math.max(0, ...cluster.emitters.map(({ connections }) => connections));
    [...seen.keys()].sort(names.compare).forEach((node, place) => {
      const card = this.#card(node);
      card.show(seen.get(node) ?? null, most);
      if (this.#list.children[place] !== card.element) this.#list.insertBefore(card.element, this.#list.children[place]);
    });
    find(this.#section, ".count").textContent = summary(cluster.emitters);
  }

  /** @param {string} node */
  #card(node) {
    const known = this.#cards.get(node);
    if (known) return known;
    const card = new EmitterCard(template("#emitter"), node, this.#actions);
    this.#cards.set(node, card);
    return card;
  }

  /** @param {Map<string, Emitter | null>} seen */
  #forgetOthers(seen) {
    for (const [node, card] of this.#cards) {
      if (seen.has(node)) continue;
      card.element.remove();
      this.#cards.delete(node);
    }
  }
}

/** @param {Emitter[]} emitters */
function summary(emitters) {
  const clients = emitters.reduce((sum, { connections }) => sum + connections, 0);
  const ready = emitters.filter(({ state }) => state === "ready").length;
  return `${ready} of ${emitters.length} ready, ${counts.format(clients)} ${clients === 1 ? "client" : "clients"}`;
}
