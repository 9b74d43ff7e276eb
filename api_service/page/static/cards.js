/**
 * The products as cards.
 *
 * @typedef {import("./api.js").Product} Product
 * @typedef {import("./catalogue.js").Entry} Entry
 * @typedef {(card: HTMLElement, product: Product) => void} Act
 */
import { Card } from "./card.js";
import { compact, find, template } from "./dom.js";

/** A flood of new products is not lit up card by card: the browser would do little else. */
const MOST_GLOWING = 24;
/** Nor do cards fade by the hundred when the reader searches. */
const MOST_FADING = 3;
/** Says that a card comes into sight or leaves it (CSS Containment Level 2, section 4.6). */
const SIGHT = "contentvisibilityautostatechange";
/** Of the browsers of before 2024 not all do. */
const IS_SIGHT_TOLD = `on${SIGHT}` in document.documentElement;

export class Cards {
  #list;
  #template = compact(template("#card"));
  /** How many more may be lit up in this draw. */
  #lights = 0;
  /** @type {Map<string, Card>} */
  #cards = new Map();

  /**
   * @param {HTMLElement} list
   * @param {{edit: Act, remove: Act}} acts
   */
  constructor(list, { edit, remove }) {
    this.#list = list;
    list.addEventListener("click", ({ target }) => {
      this.#act(target, ".edit", edit);
      this.#act(target, ".delete", remove);
    });
    list.addEventListener(SIGHT, (event) => {
      const { target, skipped } = /** @type {ContentVisibilityAutoStateChangeEvent} */ (event);
      if (!skipped && target instanceof HTMLElement) this.#cards.get(target.dataset.id ?? "")?.paint();
    });
  }

  /** @param {Entry[]} entries in the order they are to stand */
  show(entries) {
    this.#removeAllBut(new Set(entries.map(({ product }) => product.id)));
    this.#lights = MOST_GLOWING - this.#list.querySelectorAll(".glowing").length;
    let place = standing(this.#list.firstElementChild);
    for (const entry of entries) {
      const { element } = this.#filled(entry);
      // What already stands in its place is not touched: it keeps its animation and the focus.
      if (element === place) place = standing(place.nextElementSibling);
      else this.#list.insertBefore(element, place);
    }
  }

  /** @param {Set<string>} wanted */
  #removeAllBut(wanted) {
    const gone = [...this.#cards.values()].filter(({ id }) => !wanted.has(id));
    for (const card of gone) {
      this.#cards.delete(card.id);
      passFocusOn(card.element);
      if (gone.length <= MOST_FADING) card.fade();
      else card.element.remove();
    }
  }

  /** @param {Entry} entry */
  #filled({ product, fresh }) {
    const card = this.#cards.get(product.id) ?? this.#made(product.id, fresh);
    if (card.show(product)) this.#glow(card, "glowing");
    if (!IS_SIGHT_TOLD) card.paint();
    return card;
  }

  /**
   * @param {string} id
   * @param {boolean} fresh
   */
  #made(id, fresh) {
    const card = new Card(this.#template, id, fresh);
    if (fresh) this.#glow(card, "glowing", "rising");
    this.#cards.set(id, card);
    return card;
  }

  /**
   * @param {Card} card
   * @param {string[]} classes
   */
  #glow({ element }, ...classes) {
    if (this.#lights <= 0) return;
    this.#lights -= 1;
    element.classList.add(...classes);
  }

  /**
   * @param {EventTarget | null} target
   * @param {string} button
   * @param {Act} act
   */
  #act(target, button, act) {
    if (!(target instanceof Element && target.closest(button))) return;
    const card = this.#cards.get(target.closest("li")?.dataset.id ?? "");
    if (card?.product) act(card.element, card.product);
  }
}

/**
 * @param {Element | null} element
 * @returns {Element | null} it, or what follows it and does not fade away
 */
function standing(element) {
  let each = element;
  while (each?.matches(".fading")) each = each.nextElementSibling;
  return each;
}

/** @param {HTMLElement} card that is about to go */
function passFocusOn(card) {
  if (!card.contains(document.activeElement)) return;
  const neighbour = standing(card.nextElementSibling) ?? card.previousElementSibling;
  if (neighbour) find(neighbour, ".edit").focus();
}
