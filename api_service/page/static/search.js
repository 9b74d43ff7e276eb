/** Where the reader says which products are wanted. */
import { find } from "./dom.js";
import { Filter } from "./filter.js";

const PAUSE_MS = 250;
const MOST_CATEGORIES = 50;
/** As the API takes it; another program may have stored what it could not be asked for. */
const SLUG = /^[a-z0-9]+(-[a-z0-9]+)*$/;

export class Search {
  #text;
  #group;
  #suggestions;
  #onFilter;
  #filter = new Filter();
  /** @type {Map<string, HTMLButtonElement>} by category; empty = all */
  #buttons = new Map();
  #timer = 0;

  /**
   * @param {ParentNode} page
   * @param {(filter: Filter) => void} onFilter
   */
  constructor(page, onFilter) {
    const form = find(page, "#search");
    this.#text = /** @type {HTMLInputElement} */ (find(form, "input"));
    this.#group = find(form, ".categories");
    this.#suggestions = find(page, "#categories");
    this.#onFilter = onFilter;
    this.#offer("", "All");
    this.#text.addEventListener("input", () => this.#soon());
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#want(this.#filter.category);
    });
  }

  /**
   * Offer categories, as far as there is room for them.
   *
   * @param {ReadonlySet<string>} known
   */
  learn(known) {
    [...known].filter((category) => SLUG.test(category) && !this.#buttons.has(category)).sort().forEach((category) => {
      if (this.#buttons.size < MOST_CATEGORIES) this.#offer(category, category);
    });
  }

  clear() {
    this.#text.value = "";
    this.#want("");
    this.#text.focus();
  }

  #soon() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#want(this.#filter.category), PAUSE_MS);
  }

  /** @param {string} category */
  #want(category) {
    clearTimeout(this.#timer);
    const text = this.#text.value.replace(/\p{Cc}/gu, " ").trim();
    if (text === this.#filter.text && category === this.#filter.category) return;
    this.#filter = new Filter(text, category);
    this.#buttons.forEach((button, each) => button.setAttribute("aria-pressed", String(each === category)));
    this.#onFilter(this.#filter);
  }

  /**
   * @param {string} category
   * @param {string} title
   */
  #offer(category, title) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = title;
    button.setAttribute("aria-pressed", String(category === this.#filter.category));
    button.addEventListener("click", () => this.#want(category));
    const after = [...this.#buttons.keys()].filter((each) => each > category).sort()[0];
    this.#group.insertBefore(button, this.#buttons.get(after) ?? null);
    this.#buttons.set(category, button);
    if (category) this.#suggestions.append(new Option(category, category));
  }
}
