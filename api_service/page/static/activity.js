/**
 * The last events, newest first, and what came between them.
 *
 * @typedef {import("./catalogue.js").Change} Change
 * @typedef {import("./live.js").Heard} Heard
 */
import { clone, find, oncePerFrame, template } from "./dom.js";
import { formatLatency } from "./latency.js";

const LINES = 30;
const VERBS = new Map([
  ["new_product", "new"],
  ["product_updated", "changed"],
  ["product_deleted", "deleted"],
]);

export class Activity {
  #list;
  #hint;
  #template = template("#activity-line");
  /** @type {(() => HTMLElement)[]} lines that are not drawn yet, newest first */
  #waiting = [];
  /** @type {Map<string, string>} which replica took a change of ours */
  #replicas = new Map();
  #draw = oncePerFrame(() => this.#drawWaiting());
  /** @type {Intl.DateTimeFormat | undefined} not made before it is of use: a browser's first formatter is slow */
  #clock;

  /**
   * @param {HTMLElement} list
   * @param {HTMLElement} hint shown until there is something to show
   */
  constructor(list, hint) {
    this.#list = list;
    this.#hint = hint;
  }

  /** @param {Heard} heard */
  add(heard) {
    this.#put(() => this.#line(heard));
  }

  /** @param {string} text */
  note(text) {
    this.#put(() => noteLine(text));
  }

  /**
   * An event does not tell which replica took the change, but the answer to a change of ours does. Either may come
   * first.
   *
   * @param {Change} change
   * @param {string} replica empty = a proxy has taken its name out of the answer
   */
  takenBy(change, replica) {
    if (!replica) return;
    const key = keyOf(change);
    this.#replicas.set(key, replica);
    if (this.#replicas.size > LINES) this.#replicas.delete([...this.#replicas.keys()][0]);
    const line = [...this.#list.children].find((each) => /** @type {HTMLElement} */ (each).dataset.key === key);
    if (line) find(line, ".path").prepend(`${replica} → `);
  }

  /** @param {() => HTMLElement} line */
  #put(line) {
    this.#waiting = [line, ...this.#waiting].slice(0, LINES);
    this.#draw();
  }

  #drawWaiting() {
    this.#hint.hidden = true;
    const lines = this.#waiting.splice(0);
    this.#list.prepend(...lines.map((line) => line()));
    while (this.#list.children.length > LINES) this.#list.lastElementChild?.remove();
  }

  /** @param {Heard} heard */
  #line({ seq, event, product, time, node, latencyMs }) {
    const line = clone(this.#template);
    const replica = this.#replicas.get(keyOf({ event, product }));
    line.dataset.event = event;
    line.dataset.key = keyOf({ event, product });
    find(line, ".seq").textContent = `#${seq}`;
    find(line, ".event").textContent = VERBS.get(event) ?? event;
    // Of a deleted product MongoDB may have kept the id alone.
    find(line, ".name").textContent = product.name ?? product.id;
    find(line, ".path").textContent = replica ? `${replica} → ${node}` : node;
    find(line, ".latency").textContent = latencyMs === null ? "" : formatLatency(latencyMs);
    const at = /** @type {HTMLTimeElement} */ (find(line, "time"));
    at.dateTime = time;
    this.#clock ??= new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });
    at.textContent = this.#clock.format(new Date(time));
    return line;
  }
}

/** @param {string} text */
function noteLine(text) {
  const line = document.createElement("li");
  line.className = "note";
  line.textContent = text;
  return line;
}

/** @param {{event: Change["event"], product: Change["product"]}} change */
function keyOf({ event, product: { id, version } }) {
  // Which version was deleted is not told by the answer.
  return event === "product_deleted" ? `${event} ${id}` : `${event} ${id} ${version}`;
}
