/**
 * The products the page knows, merged from pages of the list and from events. No page, no network.
 *
 * @typedef {import("./api.js").Product} Product
 * @typedef {{product: Product, fresh: boolean}} Entry `fresh` = first heard of by an event, not by a list
 * @typedef {{event: string, product: Product}} Change
 */

export class Catalogue {
  /** @type {Map<string, Entry>} */
  #entries = new Map();
  /** @type {Set<Change[]>} */
  #recordings = new Set();
  /** @type {() => void} */
  #changed;

  /** @param {() => void} changed called after every change */
  constructor(changed = () => {}) {
    this.#changed = changed;
  }

  /** @returns {Entry[]} in the order of the list: newest first */
  newestFirst() {
    return [...this.#entries.values()].sort(newerFirst);
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
   * @template {{items: Product[]}} Answer
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
      if (wanted()) this.#take(answer.items, recording, { replace, fresh });
      return answer;
    } finally {
      this.#recordings.delete(recording);
    }
  }

  /**
   * @param {Product[]} products
   * @param {Change[]} recording
   * @param {{replace: boolean, fresh: boolean}} how
   */
  #take(products, recording, { replace, fresh }) {
    const before = this.#entries;
    if (replace) this.#entries = new Map();
    products.forEach((product) => this.#put(product, before.get(product.id)?.fresh ?? fresh));
    recording.forEach((change) => this.#apply(change));
    this.#changed();
  }

  /** @param {Change} change */
  #apply({ event, product }) {
    if (event === "product_deleted") this.#entries.delete(product.id);
    else if (event === "new_product") this.#put(product, true);
    else this.#update(product);
  }

  /**
   * @param {Product} product
   * @param {boolean} fresh
   */
  #put(product, fresh) {
    const known = this.#entries.get(product.id);
    if (known && known.product.version >= product.version) return;
    this.#entries.set(product.id, { product, fresh: known?.fresh ?? fresh });
  }

  /** @param {Product} product */
  #update(product) {
    const known = this.#entries.get(product.id);
    // What is not listed yet comes, as it is by then, with its page of the list. The same version can have changed:
    // other programs that write to the database do not count versions.
    if (!known || known.product.version > product.version) return;
    this.#entries.set(product.id, { ...known, product });
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
