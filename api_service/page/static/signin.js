/** Where the reader signs in and out. */
import { find } from "./dom.js";
import { readToken } from "./session.js";

export class SignIn {
  #corner;
  #hint;
  #reason;
  #panel;
  #input;
  #complaint;
  #onToken;
  /** @type {string | null} */
  #name = null;
  /** @type {HTMLElement | null} */
  #returnTo = null;
  #busy = false;
  /** How often a token was asked for. */
  #asks = 0;

  /**
   * @param {ParentNode} page
   * @param {(token: string) => Promise<void>} onToken throws an Error that says why it is refused
   * @param {() => void} onSignOut
   */
  constructor(page, onToken, onSignOut) {
    this.#corner = find(page, "#identity");
    this.#hint = find(page, "#sign-in-first");
    this.#reason = find(page, "#sign-in-reason");
    this.#panel = find(page, "#sign-in-panel");
    this.#input = /** @type {HTMLInputElement} */ (find(this.#panel, "input"));
    this.#complaint = find(this.#panel, ".message");
    this.#onToken = onToken;
    find(this.#corner, ".sign-in").addEventListener("click", () => this.ask("", { focus: true }));
    find(this.#corner, ".sign-out").addEventListener("click", onSignOut);
    find(this.#panel, ".cancel").addEventListener("click", () => this.#close());
    find(this.#panel, "form").addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#submit();
    });
  }

  /** @param {string | null} name who is signed in; null = nobody */
  show(name) {
    this.#name = name;
    find(this.#corner, ".name").textContent = name ?? "";
    this.#draw();
  }

  /**
   * @param {string} reason
   * @param {{focus: boolean}} how `focus` = because of what the reader has just done
   */
  ask(reason, { focus } = { focus: false }) {
    this.#asks += 1;
    this.#reason.textContent = reason;
    if (focus) this.#returnTo = /** @type {HTMLElement | null} */ (document.activeElement);
    this.#panel.hidden = false;
    this.#draw();
    if (focus) this.#input.focus();
  }

  async #submit() {
    const token = readToken(this.#input.value);
    if (!token || this.#busy) return;
    this.#setBusy(true);
    this.#complaint.textContent = "";
    const asks = this.#asks;
    try {
      await this.#onToken(token);
      this.#input.value = "";
      // Of a token that is already at its end another one was asked for meanwhile.
      if (asks === this.#asks) this.#close();
    } catch (error) {
      // Said here alone.
      this.#reason.textContent = "";
      this.#complaint.textContent = `Not signed in: ${/** @type {Error} */ (error).message}.`;
      this.#input.focus();
    } finally {
      this.#setBusy(false);
    }
  }

  #close() {
    this.#input.value = "";
    this.#reason.textContent = "";
    this.#complaint.textContent = "";
    this.#panel.hidden = true;
    this.#draw();
    const button = find(this.#corner, this.#name ? ".sign-out" : ".sign-in");
    // Where the reader was, if that is still to be seen.
    (this.#returnTo?.getClientRects().length ? this.#returnTo : button).focus();
    this.#returnTo = null;
  }

  #draw() {
    const name = this.#name;
    this.#corner.hidden = !name && !this.#panel.hidden;
    find(this.#corner, ".who").hidden = !name;
    find(this.#corner, ".sign-out").hidden = !name;
    find(this.#corner, ".sign-in").hidden = Boolean(name);
    this.#hint.hidden = Boolean(name);
  }

  /** @param {boolean} busy */
  #setBusy(busy) {
    this.#busy = busy;
    find(this.#panel, "[type=submit]").setAttribute("aria-disabled", String(busy));
  }
}
