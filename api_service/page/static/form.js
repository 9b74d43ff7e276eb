/**
 * A form of a product's fields: says beside each what the API finds wrong with it.
 *
 * @typedef {import("./calls.js").FieldError} FieldError
 * @typedef {import("./draft.js").Typed} Typed
 *
 * @typedef {object} Words
 * @property {string} failed such as "Not added"
 * @property {string} again what to do once it is possible
 * @property {string} unanswered what to do where it is not known whether it was done
 */
import { Problem } from "./calls.js";
import { find } from "./dom.js";

export class ProductForm {
  #form;
  #message;
  #words;
  #send;
  #busy = false;

  /**
   * @param {HTMLFormElement} form its fields are put in here
   * @param {HTMLTemplateElement} fields
   * @param {Words} words
   * @param {(typed: Typed) => Promise<string>} send resolves with what to say
   */
  constructor(form, fields, words, send) {
    this.#form = form;
    this.#message = find(form, ".message");
    this.#words = words;
    this.#send = send;
    form.prepend(fields.content.cloneNode(true));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#submit();
    });
  }

  /** @returns {Typed} */
  get typed() {
    return /** @type {Typed} */ (Object.fromEntries(new FormData(this.#form)));
  }

  /** @param {Typed} typed */
  fill(typed) {
    for (const [name, value] of Object.entries(typed)) this.#input(name).value = value;
  }

  clear() {
    this.#form.reset();
    this.#clearErrors();
  }

  focus() {
    this.#input("name").focus();
  }

  async #submit() {
    if (this.#busy) return;
    this.#clearErrors();
    this.#setBusy(true);
    try {
      this.#say(await this.#send(this.typed), "good");
    } catch (error) {
      this.#fail(/** @type {Error} */ (error));
    } finally {
      this.#setBusy(false);
    }
  }

  /** @param {Error} error */
  #fail(error) {
    const errors = error instanceof Problem ? error.errors : [];
    const elsewhere = errors.filter((each) => !this.#markField(each));
    const isMarked = errors.length > 0 && elsewhere.length === 0;
    this.#say(isMarked ? `${this.#words.failed}: see the marked fields.` : this.#reason(error), "bad");
    /** @type {HTMLElement | null} */ (this.#form.querySelector("[aria-invalid]"))?.focus();
  }

  /** @param {Error} error */
  #reason(error) {
    if (!(error instanceof Problem)) return `No answer from the server. ${this.#words.unanswered}`;
    return error.isRefusal ? `${this.#words.failed} yet: sign in, then ${this.#words.again}.` : error.message;
  }

  /**
   * @param {FieldError} error
   * @returns {boolean} false = the form has no such field
   */
  #markField({ field, message }) {
    // One of several, as a tag is, is named "tags.0".
    const name = field.split(".")[0];
    if (!this.#form.elements.namedItem(name)) return false;
    const input = this.#input(name);
    if (!input.hasAttribute("aria-invalid")) this.#note(input, message);
    return true;
  }

  /**
   * @param {HTMLInputElement} input
   * @param {string} message
   */
  #note(input, message) {
    const note = document.createElement("p");
    note.id = `${this.#form.id}-${input.name}-error`;
    note.className = "field-error";
    note.textContent = message;
    // Not in the label, whose text is the field's name.
    input.closest(".field")?.append(note);
    input.setAttribute("aria-invalid", "true");
    input.setAttribute("aria-describedby", note.id);
  }

  #clearErrors() {
    this.#say("", "");
    this.#form.querySelectorAll(".field-error").forEach((note) => note.remove());
    this.#form.querySelectorAll("[aria-invalid]").forEach((input) => {
      input.removeAttribute("aria-invalid");
      input.removeAttribute("aria-describedby");
    });
  }

  /** @param {boolean} busy */
  #setBusy(busy) {
    this.#busy = busy;
    // Not `disabled`: that would take the keyboard's focus away from the button.
    find(this.#form, "[type=submit]").setAttribute("aria-disabled", String(busy));
  }

  /**
   * @param {string} text
   * @param {"good" | "bad" | ""} tone
   */
  #say(text, tone) {
    this.#message.textContent = text;
    this.#message.dataset.tone = tone;
  }

  /** @param {string} name */
  #input(name) {
    return /** @type {HTMLInputElement} */ (this.#form.elements.namedItem(name));
  }
}
