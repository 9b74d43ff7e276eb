/** A product; newer ones have a higher number, as they have a higher id. */
export function product(number, version = 1, fields = {}) {
  return { id: String(number).padStart(24, "0"), name: `product ${number}`, version, ...fields };
}

/** A page of the list. */
export function page(...items) {
  return { items, next_cursor: null };
}

/** An answer that the test gives when it wants to. */
export function deferred() {
  const answer = {};
  answer.promise = new Promise((resolve, reject) => Object.assign(answer, { resolve, reject }));
  return answer;
}

export const created = (item) => ({ event: "new_product", product: item });
export const updated = (item) => ({ event: "product_updated", product: item });
export const deleted = (item) => ({ event: "product_deleted", product: { id: item.id } });
