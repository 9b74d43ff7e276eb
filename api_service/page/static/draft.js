/**
 * A product as a person typed it.
 *
 * @typedef {import("./api.js").Draft} Draft
 * @typedef {Record<string, string>} Typed by the names of the fields
 */

const INTEGER = /^-?\d{1,15}$/;

/**
 * Make the body of a create request. What was left empty is left out: the API has the defaults, and the last word on
 * what is right.
 *
 * @param {Typed} typed
 * @returns {Draft}
 */
export function readDraft(typed) {
  return Object.fromEntries(Object.entries(read(typed)).filter(([, value]) => !isEmpty(value)));
}

/**
 * Make the body of a change: of several people who change different fields each has their way.
 *
 * @param {Typed} before what stood in the fields at first
 * @param {Typed} typed
 * @returns {Draft}
 */
export function readChanges(before, typed) {
  const known = read(before);
  const changed = Object.entries(read(typed)).filter(([name, value]) => !isSame(value, known[name]));
  return Object.fromEntries(changed);
}

/**
 * @param {Typed} typed
 * @returns {Draft}
 */
function read({ name = "", description = "", price = "", currency = "", category = "", tags = "", stock = "" }) {
  return {
    name: name.trim(),
    description: description.trim(),
    price: price.trim(),
    currency: currency.trim().toUpperCase(),
    category: category.trim(),
    tags: tags.split(",").map((tag) => tag.trim()).filter(Boolean),
    stock: readStock(stock.trim()),
  };
}

/** @param {string} stock empty = not counted */
function readStock(stock) {
  if (!stock) return null;
  return INTEGER.test(stock) ? Number(stock) : stock;
}

/**
 * @param {unknown} a
 * @param {unknown} b
 */
function isSame(a, b) {
  return JSON.stringify(a) === JSON.stringify(b);
}

/** @param {unknown} value */
function isEmpty(value) {
  return value === "" || value === null || (Array.isArray(value) && value.length === 0);
}
