/**
 * A product as a person typed it.
 *
 * @typedef {import("./api.js").Draft} Draft
 */

const INTEGER = /^-?\d{1,15}$/;

/**
 * Make the body of a create request. What was left empty is left out: the API has the defaults, and the last word on
 * what is right.
 *
 * @param {Record<string, string>} typed
 * @returns {Draft}
 */
export function readDraft({ tags = "", stock = "", currency = "", ...rest }) {
  return withoutEmpty({
    ...withoutEmpty(trimmed(rest)),
    currency: currency.trim().toUpperCase(),
    tags: tags.split(",").map((tag) => tag.trim()).filter(Boolean),
    stock: INTEGER.test(stock.trim()) ? Number(stock) : stock.trim(),
  });
}

/** @param {Record<string, string>} typed */
function trimmed(typed) {
  return Object.fromEntries(Object.entries(typed).map(([name, value]) => [name, value.trim()]));
}

/** @param {Draft} draft */
function withoutEmpty(draft) {
  return Object.fromEntries(Object.entries(draft).filter(([, value]) => !isEmpty(value)));
}

/** @param {unknown} value */
function isEmpty(value) {
  return value === "" || (Array.isArray(value) && value.length === 0);
}
