/**
 * The last events, newest first.
 *
 * @typedef {import("./live.js").Heard} Heard
 */
import { clone, find, oncePerFrame } from "./dom.js";

const LINES = 30;
const VERBS = new Map([
  ["new_product", "new"],
  ["product_updated", "changed"],
  ["product_deleted", "deleted"],
]);
const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });

export class Activity {
  #list;
  #template;
  #hint;
  /** @type {Heard[]} not drawn yet */
  #waiting = [];
  #draw = oncePerFrame(() => this.#drawWaiting());

  /**
   * @param {HTMLElement} list
   * @param {HTMLTemplateElement} template
   * @param {HTMLElement} hint shown until there is something to show
   */
  constructor(list, template, hint) {
    this.#list = list;
    this.#template = template;
    this.#hint = hint;
  }

  /** @param {Heard} heard */
  add(heard) {
    this.#waiting = [heard, ...this.#waiting].slice(0, LINES);
    this.#draw();
  }

  #drawWaiting() {
    this.#hint.hidden = true;
    this.#list.prepend(...this.#waiting.map((heard) => this.#line(heard)));
    this.#waiting = [];
    while (this.#list.children.length > LINES) this.#list.lastElementChild?.remove();
  }

  /** @param {Heard} heard */
  #line({ seq, event, product, time }) {
    const line = clone(this.#template);
    line.dataset.event = event;
    find(line, ".seq").textContent = `#${seq}`;
    find(line, ".event").textContent = VERBS.get(event) ?? event;
    // Of a deleted product MongoDB may have kept the id alone.
    find(line, ".name").textContent = product.name ?? product.id;
    const at = /** @type {HTMLTimeElement} */ (find(line, "time"));
    at.dateTime = time;
    at.textContent = clock.format(new Date(time));
    return line;
  }
}
