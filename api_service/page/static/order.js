/**
 * What an operator has an emitter do, once that is confirmed on its card; one at a time.
 *
 * @typedef {import("./emitter.js").EmitterCard} EmitterCard
 * @typedef {import("./operatorapi.js").Begun} Begun
 * @typedef {import("./operatorapi.js").Emitter} Emitter
 *
 * @typedef {object} Told
 * @property {(said: string) => void} onDone
 * @property {(problem: Problem) => void} onRefused it takes another token
 */
import { Problem } from "./calls.js";
import { clone, find, say, template } from "./dom.js";
import { drainWarning, evenTarget, rebalanceWarning } from "./handover.js";

export class Orders {
  #api;
  #emitters;
  #told;
  /** @type {EmitterCard | null} */
  #card = null;
  /** @type {HTMLElement | null} */
  #opener = null;
  #isBusy = false;

  /**
   * @param {import("./operatorapi.js").OperatorApi} api
   * @param {() => Emitter[]} emitters those that answer
   * @param {Told} told
   */
  constructor(api, emitters, told) {
    this.#api = api;
    this.#emitters = emitters;
    this.#told = told;
  }

  /** @param {EmitterCard} card */
  askToDrain(card) {
    const question = this.#open(card, "#drain-question", ".drain", `Drain ${card.node}`);
    this.#onSubmit(question, async () => {
      const { connections } = await this.#api.drain(card.node);
      return `${card.node} drains: ${clients(connections)} to be sent away`;
    });
    find(question, ".no").focus();
  }

  /** @param {EmitterCard} card */
  askToRebalance(card) {
    const question = this.#open(card, "#rebalance-question", ".rebalance", `Rebalance ${card.node}`);
    const target = /** @type {HTMLInputElement} */ (find(question, "input"));
    target.value = String(evenTarget(this.#emitters()));
    this.#onSubmit(question, async () => {
      const { shedding } = await this.#api.rebalance(card.node, target.valueAsNumber);
      return `${card.node} sends ${clients(shedding)} away`;
    });
    target.select();
  }

  /** Say what is true by now, while the operator thinks. */
  update() {
    const emitter = this.#card?.emitter;
    if (this.#card && !this.#card.element.isConnected) this.#card = null;
    if (!this.#card || !emitter) return;
    const warning = this.#question?.matches(".draining") ? drainWarning : rebalanceWarning;
    say(find(this.#card.element, ".question p"), warning(emitter, this.#emitters()));
  }

  close() {
    const [card, question, opener] = [this.#card, this.#question, this.#opener];
    this.#card = this.#opener = null;
    if (!card || !question) return;
    const hadFocus = question.contains(document.activeElement);
    question.remove();
    card.element.classList.remove("asking");
    // Of an emitter that drains meanwhile nothing more can be asked.
    if (hadFocus) (opener?.getClientRects().length ? opener : card.element).focus();
  }

  /** @returns {HTMLElement | null} */
  get #question() {
    return this.#card?.element.querySelector(".question") ?? null;
  }

  /**
   * @param {EmitterCard} card
   * @param {string} name of the template
   * @param {string} opener
   * @param {string} label
   */
  #open(card, name, opener, label) {
    this.close();
    this.#card = card;
    this.#opener = find(card.element, opener);
    const question = clone(template(name));
    question.setAttribute("aria-label", label);
    find(question, ".no").addEventListener("click", () => this.close());
    question.addEventListener("keydown", ({ key }) => {
      if (key === "Escape") this.close();
    });
    card.element.classList.add("asking");
    card.element.append(question);
    this.update();
    return question;
  }

  /**
   * @param {HTMLElement} question
   * @param {() => Promise<string>} send resolves with what to say
   */
  #onSubmit(question, send) {
    question.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#send(question, send);
    });
  }

  /**
   * @param {HTMLElement} question
   * @param {() => Promise<string>} send
   */
  async #send(question, send) {
    if (this.#isBusy) return;
    this.#setBusy(question, true);
    const message = find(question, ".message");
    message.textContent = "";
    try {
      const said = await send();
      if (this.#question === question) this.close();
      this.#told.onDone(said);
    } catch (error) {
      message.textContent = error instanceof Problem ? `Not done: ${error.message}.` : "No answer: it may be done, or not.";
      if (error instanceof Problem && error.isRefusal) this.#told.onRefused(error);
    } finally {
      this.#setBusy(question, false);
    }
  }

  /**
   * @param {HTMLElement} question
   * @param {boolean} isBusy
   */
  #setBusy(question, isBusy) {
    this.#isBusy = isBusy;
    find(question, "[type=submit]").setAttribute("aria-disabled", String(isBusy));
  }
}

/** @param {number} count */
function clients(count) {
  return `${count.toLocaleString()} ${count === 1 ? "client" : "clients"}`;
}
