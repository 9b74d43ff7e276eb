/**
 * One product as a card.
 *
 * @typedef {import("./api.js").Product} Product
 */
import { clone, find, isStill } from "./dom.js";
import { picture } from "./picture.js";
import { formatPrice } from "./price.js";

const FADE_MS = 250;
const counts = new Intl.NumberFormat();

export class Card {
  /** @type {Product | null} */
  #product = null;
  #isPainted = false;

  /**
   * @param {HTMLTemplateElement} template
   * @param {string} id of the product
   * @param {boolean} fresh
   */
  constructor(template, id, fresh) {
    this.id = id;
    this.element = clone(template);
    this.element.dataset.id = id;
    find(this.element, ".badge").hidden = !fresh;
    this.element.addEventListener("animationend", stopGlowing);
  }

  get product() {
    return this.#product;
  }

  /**
   * @param {Product} product
   * @returns {boolean} whether another version of it was shown before
   */
  show(product) {
    const before = this.#product;
    if (before === product) return false;
    this.#product = product;
    fill(this.element, product);
    if (this.#isPainted && before && looksOtherwise(before, product)) paint(this.element, product);
    return before !== null;
  }

  /** Have a picture: most cards are never looked at, and a picture is half of the work. */
  paint() {
    if (this.#isPainted || !this.#product) return;
    this.#isPainted = true;
    paint(this.element, this.#product);
  }

  /** Go, and be no longer of use meanwhile. */
  fade() {
    this.element.classList.add("fading");
    this.element.inert = true;
    const duration = isStill() ? 0 : FADE_MS;
    const fading = this.element.animate({ opacity: 0, scale: 0.97 }, { duration, fill: "forwards" });
    fading.addEventListener("finish", () => this.element.remove());
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
  find(card, ".category").textContent = product.category;
  find(card, ".name").textContent = product.name;
  find(card, ".description").textContent = product.description;
  find(card, ".tags").replaceChildren(...product.tags.map(tagItem));
  find(card, ".price").textContent = formatPrice(product.price, product.currency);
  find(card, ".stock").textContent = stockText(product.stock);
  card.classList.toggle("sold-out", product.stock === 0);
}

/**
 * @param {Product} before
 * @param {Product} after
 */
function looksOtherwise(before, after) {
  return before.name !== after.name || before.category !== after.category;
}

/**
 * @param {HTMLElement} card
 * @param {Product} product
 */
function paint(card, product) {
  const { hue, accentHue, shapes } = picture(product);
  card.style.setProperty("--hue", String(hue));
  card.style.setProperty("--accent-hue", String(accentHue));
  card.querySelectorAll(".picture path").forEach((path, tone) => path.setAttribute("d", shapes[tone]));
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
  return stock === 0 ? "Sold out" : `${counts.format(stock)} in stock`;
}
