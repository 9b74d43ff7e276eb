/**
 * The products as cards.
 *
 * @typedef {import("./api.js").Product} Product
 * @typedef {import("./catalogue.js").Entry} Entry
 * @typedef {{element: HTMLElement, product: Product | null}} Card
 */
import { formatPrice } from "./price.js";
import { clone, find } from "./dom.js";

/** A flood of new products is not lit up card by card: the browser would do little else. */
const MOST_GLOWING = 24;

export class Cards {
  #list;
  #template;
  #glowing;
  /** @type {Map<string, Card>} */
  #cards = new Map();

  /**
   * @param {HTMLElement} list
   * @param {HTMLTemplateElement} template
   */
  constructor(list, template) {
    this.#list = list;
    this.#template = template;
    this.#glowing = list.getElementsByClassName("glowing");
  }

  /** @param {Entry[]} entries in the order they are to stand */
  show(entries) {
    this.#removeAllBut(new Set(entries.map(({ product }) => product.id)));
    let place = this.#list.firstElementChild;
    for (const entry of entries) {
      const card = this.#filled(entry);
      // What already stands in its place is not touched: it keeps its animation and the focus.
      if (card === place) place = place.nextElementSibling;
      else this.#list.insertBefore(card, place);
    }
  }

  /** @param {Set<string>} wanted */
  #removeAllBut(wanted) {
    for (const [id, { element }] of this.#cards) {
      if (wanted.has(id)) continue;
      element.remove();
      this.#cards.delete(id);
    }
  }

  /** @param {Entry} entry */
  #filled({ product, fresh }) {
    const card = this.#cards.get(product.id) ?? this.#made(product.id, fresh);
    if (card.product !== product) {
      if (card.product) this.#glow(card.element, "glowing");
      fill(card.element, product);
      card.product = product;
    }
    return card.element;
  }

  /**
   * @param {string} id
   * @param {boolean} fresh
   * @returns {Card}
   */
  #made(id, fresh) {
    const card = { element: clone(this.#template), product: null };
    card.element.dataset.id = id;
    find(card.element, ".badge").hidden = !fresh;
    if (fresh) this.#glow(card.element, "glowing", "rising");
    card.element.addEventListener("animationend", stopGlowing);
    this.#cards.set(id, card);
    return card;
  }

  /**
   * @param {HTMLElement} card
   * @param {string[]} classes
   */
  #glow(card, ...classes) {
    if (this.#glowing.length < MOST_GLOWING) card.classList.add(...classes);
  }
}

/** @param {AnimationEvent} ended */
function stopGlowing({ animationName, currentTarget }) {
  if (animationName !== "glow") return;
  /** @type {HTMLElement} */ (currentTarget).classList.remove("glowing", "rising");
}

/**
 * @param {HTMLElement} card
 * @param {Product} product
 */
function fill(card, product) {
  card.style.setProperty("--hue", String(hueOf(product.category)));
  find(card, ".swatch").textContent = product.category.charAt(0).toUpperCase();
  find(card, ".category").textContent = product.category;
  find(card, ".name").textContent = product.name;
  find(card, ".description").textContent = product.description;
  find(card, ".tags").replaceChildren(...product.tags.map(tagItem));
  find(card, ".price").textContent = formatPrice(product.price, product.currency);
  find(card, ".stock").textContent = stockText(product.stock);
  card.classList.toggle("sold-out", product.stock === 0);
}

/** @param {string} tag */
function tagItem(tag) {
  const item = document.createElement("li");
  item.textContent = tag;
  return item;
}

/** @param {number | null} stock */
function stockText(stock) {
  if (stock === null) return "";
  return stock === 0 ? "Sold out" : `${stock.toLocaleString()} in stock`;
}

/**
 * @param {string} text
 * @returns {number} degrees on the colour wheel, the same for the same text
 */
function hueOf(text) {
  let hash = 0;
  for (const character of text) hash = (hash * 31 + (character.codePointAt(0) ?? 0)) % 360_007;
  return hash % 360;
}
