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
import { Inset } from "./inset.js";

export class Orders {
  #api;
  #emitters;
  #told;
  #inset = new Inset("asking");
  /** @type {{card: EmitterCard, question: HTMLElement} | null} what was asked last */
  #asked = null;
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
    const question = this.#ask(card, ".drain", `Drain ${card.node}`, async () => {
      const { connections } = await this.#api.drain(card.node);
      return `${card.node} drains: ${clients(connections)} to be sent away`;
    });
    find(question, ".no").focus();
  }

  /** @param {EmitterCard} card */
  askToRebalance(card) {
    const question = this.#ask(card, ".rebalance", `Rebalance ${card.node}`, async () => {
      const { shedding } = await this.#api.rebalance(card.node, target.valueAsNumber);
      return `${card.node} sends ${clients(shedding)} away`;
    });
    const target = /** @type {HTMLInputElement} */ (find(question, "input"));
    target.value = String(evenTarget(this.#emitters()));
    target.select();
  }

  /** Say what is true by now, while the operator thinks. */
  update() {
    if (!this.#asked?.question.isConnected) return;
    const { card, question } = this.#asked;
    const warning = question.matches(".draining") ? drainWarning : rebalanceWarning;
    if (card.emitter) say(find(question, "p"), warning(card.emitter, this.#emitters()));
  }

  close() {
    this.#inset.close();
  }

  /**
   * @param {EmitterCard} card
   * @param {string} opener the button, and with it the question that its name has a template for
   * @param {string} label
   * @param {() => Promise<string>} send resolves with what to say
   * @returns {HTMLElement} the question
   */
  #ask(card, opener, label, send) {
    const question = clone(template(`#${opener.slice(1)}-question`));
    question.setAttribute("aria-label", label);
    const close = this.#inset.open(card.element, question, opener);
    find(question, ".no").addEventListener("click", close);
    question.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#send(question, send, close);
    });
    this.#asked = { card, question };
    this.update();
    return question;
  }

  /**
   * @param {HTMLElement} question
   * @param {() => Promise<string>} send
   * @param {() => void} close
   */
  async #send(question, send, close) {
    if (this.#isBusy) return;
    this.#setBusy(question, true);
    const message = find(question, ".message");
    message.textContent = "";
    try {
      const said = await send();
      close();
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
