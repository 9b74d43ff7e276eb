/**
 * The form that adds a product.
 *
 * @typedef {import("./api.js").Draft} Draft
 * @typedef {import("./api.js").FieldError} FieldError
 * @typedef {import("./api.js").Product} Product
 */
import { Problem } from "./api.js";
import { readDraft } from "./draft.js";
import { SubmissionKeys } from "./idempotency.js";

export class ProductForm {
  #form;
  #message;
  #create;
  #keys = new SubmissionKeys();
  #busy = false;

  /**
   * @param {HTMLFormElement} form
   * @param {HTMLElement} message
   * @param {(draft: Draft, key: string) => Promise<Product>} create
   */
  constructor(form, message, create) {
    this.#form = form;
    this.#message = message;
    this.#create = create;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#submit();
    });
  }

  async #submit() {
    if (this.#busy) return;
    this.#clearErrors();
    this.#setBusy(true);
    try {
      const draft = readDraft(/** @type {Record<string, string>} */ (Object.fromEntries(new FormData(this.#form))));
      const product = await this.#create(draft, this.#keys.for(draft));
      this.#succeed(product);
    } catch (error) {
      this.#fail(/** @type {Error} */ (error));
    } finally {
      this.#setBusy(false);
    }
  }

  /** @param {Product} product */
  #succeed(product) {
    this.#keys.done();
    this.#form.reset();
    this.#say(`Added: ${product.name}`, "good");
    this.#input("name")?.focus();
  }

  /** @param {Error} error */
  #fail(error) {
    const errors = error instanceof Problem ? error.errors : [];
    const elsewhere = errors.filter((each) => !this.#markField(each));
    this.#say(errors.length && !elsewhere.length ? "Not added: see the marked fields." : failure(error), "bad");
    /** @type {HTMLElement | null} */ (this.#form.querySelector("[aria-invalid]"))?.focus();
  }

  /**
   * @param {FieldError} error
   * @returns {boolean} false = the form has no such field
   */
  #markField({ field, message }) {
    // One of several, as a tag is, is named "tags.0".
    const input = this.#input(field.split(".")[0]);
    if (!input) return false;
    if (!input.hasAttribute("aria-invalid")) input.after(errorNote(input, message));
    return true;
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
    this.#form.querySelector("[type=submit]")?.setAttribute("aria-disabled", String(busy));
  }

  /**
   * @param {string} text
   * @param {"good" | "bad" | ""} tone
   */
  #say(text, tone) {
    this.#message.textContent = text;
    this.#message.dataset.tone = tone;
  }

  /**
   * @param {string} name
   * @returns {HTMLElement | null}
   */
  #input(name) {
    const input = this.#form.elements.namedItem(name);
    return input instanceof HTMLElement ? input : null;
  }
}

/**
 * @param {HTMLElement} input
 * @param {string} message
 */
function errorNote(input, message) {
  const note = document.createElement("p");
  note.id = `${input.id}-error`;
  note.className = "field-error";
  note.textContent = message;
  input.setAttribute("aria-invalid", "true");
  input.setAttribute("aria-describedby", note.id);
  return note;
}

/** @param {Error} error */
function failure(error) {
  if (error instanceof Problem) return error.message;
  return "No answer from the server. Press again: the product will not be added twice.";
}
