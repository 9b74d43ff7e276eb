import assert from "node:assert/strict";
import { test } from "node:test";

import { readChanges, readDraft } from "../../../api_service/page/static/draft.js";
import { SubmissionKeys, randomKey } from "../../../api_service/page/static/idempotency.js";
import { formatPrice } from "../../../api_service/page/static/price.js";

test("what was typed becomes the body of a create request", () => {
  const typed = { name: " Lamp ", price: "12.50", currency: "eur", category: "light", tags: "a, b ,,", stock: "3" };
  assert.deepEqual(readDraft({ ...typed, description: "" }), {
    name: "Lamp",
    price: "12.50",
    currency: "EUR",
    category: "light",
    tags: ["a", "b"],
    stock: 3,
  });
});

test("what was left empty is left out, so that the API has the last word on it", () => {
  assert.deepEqual(readDraft({ name: "  ", price: "", currency: "", tags: " , ", stock: " " }), {});
});

test("a stock that is no number is sent as it was typed, for the API to refuse", () => {
  assert.equal(readDraft({ stock: "three" }).stock, "three");
  assert.equal(readDraft({ stock: "-1" }).stock, -1);
  assert.equal(readDraft({ stock: "99999999999999999999" }).stock, "99999999999999999999");
});

test("a change is what differs from what stood there, and what was emptied is emptied", () => {
  const before = { name: "Lamp", price: "1", currency: "EUR", category: "light", tags: "a, b", stock: "3" };
  assert.deepEqual(readChanges(before, before), {});
  assert.deepEqual(readChanges(before, { ...before, name: " Lamp ", tags: "a,b", currency: "eur" }), {});
  const emptied = { ...before, price: "2", tags: "", stock: "", description: "" };
  const left = { price: "2", tags: [], stock: null, description: "" };
  assert.deepEqual(readChanges({ ...before, description: "x" }, emptied), left);
  assert.deepEqual(readChanges(before, { ...before, name: "", stock: "many" }), { name: "", stock: "many" });
});

test("a submission keeps its key until it is stored or its content changes", () => {
  const keys = new SubmissionKeys();
  const first = keys.for({ name: "a" });
  assert.equal(keys.for({ name: "a" }), first);
  const second = keys.for({ name: "b" });
  assert.notEqual(second, first);
  keys.done();
  assert.notEqual(keys.for({ name: "b" }), second);
});

test("keys are random where the browser has no randomUUID", (context) => {
  context.mock.method(crypto, "randomUUID");
  crypto.randomUUID = undefined;
  const keys = new Set(Array.from({ length: 100 }, randomKey));
  assert.equal(keys.size, 100);
  for (const key of keys) assert.match(key, /^[0-9a-f]{32}$/);
});

test("prices are shown to the last digit, in the reader's own way", () => {
  assert.equal(formatPrice("12.50", "USD", "en-US"), "$12.50");
  assert.equal(formatPrice("1200", "JPY", "en-US"), "¥1,200");
  assert.equal(formatPrice("1.234", "BHD", "en-US").replace(/\s/u, " "), "BHD 1.234");
  assert.equal(formatPrice("12.50", "EUR", "de-DE").replace(/\s/u, " "), "12,50 €");
});

test("a price that no float can hold is shown as it is", () => {
  assert.equal(formatPrice("999999999999.9999", "CLF", "en-US").replace(/[^\d.,]/gu, ""), "999,999,999,999.9999");
  assert.equal(formatPrice("9007199254740993.01", "USD", "en-US"), "$9,007,199,254,740,993.01");
});

test("a price that another program stored in its own way is shown all the same", () => {
  assert.equal(formatPrice("5.00", "coins", "en-US"), "5.00 coins");
  assert.equal(formatPrice(`0.${"0".repeat(200)}1`, "USD", "en-US"), `0.${"0".repeat(200)}1 USD`);
});
