/**
 * The products the page knows, merged from pages of the list and from events. No page, no network.
 *
 * @typedef {import("./api.js").Product} Product
 * @typedef {{product: Product, fresh: boolean}} Entry `fresh` = first heard of by an event, not by a list
 * @typedef {{event: "new_product" | "product_updated", product: Product}} Kept
 * @typedef {{event: "product_deleted", product: Pick<Product, "id"> & Partial<Product>}} Gone MongoDB may have kept
 *   nothing of it but the id
 * @typedef {Kept | Gone} Change
 */
import { Filter } from "./filter.js";

/** Greater than any id. */
const BEYOND_ALL = "~";
const EVERYTHING = new Filter();

export class Catalogue {
  /** @type {Map<string, Entry>} */
  #entries = new Map();
  #filter = EVERYTHING;
  /** @type {Set<string>} */
  #categories = new Set();
  /** The id of the oldest product that the list has brought; empty = it has brought all. */
  #reach = BEYOND_ALL;
  /** @type {Set<Change[]>} */
  #recordings = new Set();
  /** @type {() => void} */
  #changed;

  /** @param {() => void} changed called after every change */
  constructor(changed = () => {}) {
    this.#changed = changed;
  }

  /** @returns {Entry[]} those that are wanted, in the order of the list: newest first */
  newestFirst() {
    return [...this.#entries.values()].filter(({ product }) => this.#filter.matches(product)).sort(newerFirst);
  }

  /**
   * @param {string} id
   * @returns {Product | undefined}
   */
  get(id) {
    return this.#entries.get(id)?.product;
  }

  /** @returns {ReadonlySet<string>} of all products that were ever known, wanted or not */
  get categories() {
    return this.#categories;
  }

  get filter() {
    return this.#filter;
  }

  /** What is known and wanted is shown at once; what else is wanted comes with the list. */
  set filter(filter) {
    this.#filter = filter;
    this.#changed();
  }

  /** @returns {number} how many products are known */
  get count() {
    return this.#entries.size;
  }

  /** @returns {number} how many products were first heard of by an event */
  get freshCount() {
    return [...this.#entries.values()].filter((entry) => entry.fresh).length;
  }

  /** @param {Change} change an event, in the order of its `seq` */
  apply(change) {
    this.#recordings.forEach((recording) => recording.push(change));
    this.#apply(change);
    this.#changed();
  }

  /**
   * Merge what an HTTP answer brings, and again every change that was heard while it was under way: the answer may be
   * older than they are, and must not bring back what they deleted.
   *
   * @template {{items: Product[], next_cursor?: string | null}} Answer
   * @param {() => Promise<Answer>} ask resolves with products as the API had them at some time during the call
   * @param {{replace?: boolean, fresh?: boolean, wanted?: () => boolean}} [how] `replace` forgets what was known
   *   before; `wanted` is asked when the answer is there, and false drops it
   * @returns {Promise<Answer>}
   */
  async merge(ask, { replace = false, fresh = false, wanted = () => true } = {}) {
    /** @type {Change[]} */
    const recording = [];
    this.#recordings.add(recording);
    try {
      const answer = await ask();
      if (wanted()) this.#take(answer, recording, { replace, fresh });
      return answer;
    } finally {
      this.#recordings.delete(recording);
    }
  }

  /**
   * @param {{items: Product[], next_cursor?: string | null}} answer of a list, if it has a cursor
   * @param {Change[]} recording
   * @param {{replace: boolean, fresh: boolean}} how
   */
  #take({ items, next_cursor: cursor }, recording, { replace, fresh }) {
    const before = this.#entries;
    if (replace) this.#entries = new Map();
    if (cursor !== undefined) this.#reach = cursor ? (items.at(-1)?.id ?? BEYOND_ALL) : "";
    items.forEach((product) => this.#put(product, before.get(product.id)?.fresh ?? fresh));
    recording.forEach((change) => this.#apply(change));
    this.#changed();
  }

  /** @param {Change} change */
  #apply({ event, product }) {
    if (event === "product_deleted") this.#entries.delete(product.id);
    else if (event === "new_product") this.#put(product, true);
    else if (this.#entries.has(product.id)) this.#update(product);
    // What a change has made wanted. What lies further back comes, as it is by then, with its page of the list.
    else if (product.id >= this.#reach && this.#filter.matches(product)) this.#put(product, false);
  }

  /**
   * @param {Product} product
   * @param {boolean} fresh
   */
  #put(product, fresh) {
    this.#categories.add(product.category);
    const known = this.#entries.get(product.id);
    if (known && known.product.version >= product.version) return;
    this.#entries.set(product.id, { product, fresh: known?.fresh ?? fresh });
  }

  /** @param {Product} product that is known */
  #update(product) {
    this.#categories.add(product.category);
    const known = /** @type {Entry} */ (this.#entries.get(product.id));
    // The same version can have changed: other programs that write to the database do not count versions.
    if (known.product.version <= product.version) this.#entries.set(product.id, { ...known, product });
  }
}

/**
 * Ids sort by creation, and so does the list.
 *
 * @param {Entry} a
 * @param {Entry} b
 */
function newerFirst(a, b) {
  return a.product.id < b.product.id ? 1 : -1;
}
