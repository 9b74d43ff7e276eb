/**
 * The chat box: shown where the emitter permits it.
 *
 * @typedef {import("./live.js").Place} Place
 * @typedef {import("./said.js").Said} Said
 */
import { clone, find, template } from "./dom.js";

const LINES = 50;
/** How far above the end still counts as reading the end. */
const NEAR_END_PX = 40;

export class Chat {
  #box;
  #log;
  #lines;
  #template = template("#chat-line");
  #input;
  #say;
  #busy = false;

  /**
   * @param {HTMLDetailsElement} box
   * @param {(text: string) => Promise<void>} say
   */
  constructor(box, say) {
    this.#box = box;
    this.#log = find(box, ".log");
    this.#lines = find(box, "ol");
    this.#input = /** @type {HTMLInputElement} */ (find(box, "input"));
    this.#say = say;
    box.addEventListener("toggle", () => box.classList.remove("unread"));
    find(box, "form").addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#submit();
    });
  }

  /**
   * @param {Place | null} place where we are; null = there is no chat here
   * @param {string | null} name ours
   */
  open(place, name) {
    this.#box.hidden = !place;
    if (place) find(this.#box, ".self").textContent = `You are ${name ?? place.guest} on ${place.node}.`;
  }

  /** @param {Said} said */
  add(said) {
    const log = this.#log;
    const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < NEAR_END_PX;
    this.#lines.append(this.#line(said));
    this.#box.classList.toggle("unread", !this.#box.open);
    while (this.#lines.children.length > LINES) this.#lines.firstElementChild?.remove();
    // Who reads further up is left there.
    if (atEnd || said.own) log.scrollTop = log.scrollHeight;
  }

  async #submit() {
    const text = this.#input.value.trim();
    if (!text || this.#busy) return;
    this.#busy = true;
    try {
      await this.#say(text);
      this.#input.value = "";
      this.#complain("");
    } catch (error) {
      this.#complain(`Not sent: ${/** @type {Error} */ (error).message}`);
    } finally {
      this.#busy = false;
    }
  }

  /** @param {string} text */
  #complain(text) {
    find(this.#box, ".message").textContent = text;
  }

  /** @param {Said} said */
  #line({ who, node, text, own }) {
    const line = clone(this.#template);
    line.classList.toggle("own", own);
    find(line, ".who").textContent = own ? "you" : who;
    find(line, ".node").textContent = node;
    find(line, ".text").textContent = text;
    return line;
  }
}
