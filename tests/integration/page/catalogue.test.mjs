import assert from "node:assert/strict";
import { test } from "node:test";

import { Catalogue } from "../../../api_service/page/static/catalogue.js";
import { Filter } from "../../../api_service/page/static/filter.js";
import { created, deferred, deleted, page, product, updated } from "./products.mjs";

const [a, b, c] = [product(1), product(2), product(3)];

function shown(catalogue) {
  return catalogue.newestFirst().map((entry) => entry.product);
}

async function listed(...items) {
  const catalogue = new Catalogue();
  await catalogue.merge(async () => page(...items));
  return catalogue;
}

test("a list and what is heard after it are shown newest first", async () => {
  const catalogue = await listed(c, a);
  catalogue.apply(created(b));
  assert.deepEqual(shown(catalogue), [c, b, a]);
});

test("only what is first heard of by an event is fresh, and it stays so", async () => {
  const catalogue = await listed(a);
  catalogue.apply(created(b));
  catalogue.apply(updated(product(2, 2)));
  await catalogue.merge(async () => page(product(2, 3), a), { replace: true });
  assert.deepEqual(catalogue.newestFirst().map((entry) => entry.fresh), [true, false]);
  assert.equal(catalogue.freshCount, 1);
});

test("an update to an older version is not applied", async () => {
  const catalogue = await listed(product(1, 2));
  catalogue.apply(updated(product(1, 3)));
  catalogue.apply(updated(product(1, 2, { name: "older" })));
  assert.deepEqual(shown(catalogue), [product(1, 3)]);
});

test("an update by another program, which does not count versions, is applied", async () => {
  const catalogue = await listed(product(1, 2));
  catalogue.apply(updated(product(1, 2, { name: "renamed" })));
  assert.deepEqual(shown(catalogue), [product(1, 2, { name: "renamed" })]);
});

test("a product that is heard of twice is the same entry: nothing is drawn again", async () => {
  const catalogue = await listed(a);
  const [before] = catalogue.newestFirst();
  catalogue.apply(created(product(1)));
  assert.equal(catalogue.newestFirst()[0], before);
});

test("an update of a product further back than the list has come adds nothing", async () => {
  const catalogue = new Catalogue();
  await catalogue.merge(async () => ({ items: [b], next_cursor: "older" }));
  catalogue.apply(updated(product(1, 2)));
  assert.deepEqual(shown(catalogue), [b]);
});

test("only what is wanted is shown, also of what is heard; the rest is there again without a list", async () => {
  const [lamp, chair] = [product(1, 1, { category: "light" }), product(2, 1, { category: "furniture" })];
  const catalogue = await listed(chair, lamp);
  catalogue.filter = new Filter("", "light");
  catalogue.apply(created(product(3, 1, { category: "furniture" })));
  catalogue.apply(created(product(4, 1, { category: "light" })));
  assert.deepEqual(shown(catalogue).map(({ id }) => Number(id)), [4, 1]);
  catalogue.filter = new Filter();
  assert.deepEqual(shown(catalogue).map(({ id }) => Number(id)), [4, 3, 2, 1]);
});

test("what a change makes wanted comes in, and what it makes unwanted goes", async () => {
  const catalogue = new Catalogue();
  catalogue.filter = new Filter("", "light");
  await catalogue.merge(async () => page(product(1, 1, { category: "light" })), { replace: true });
  catalogue.apply(updated(product(2, 5, { category: "light" })));
  catalogue.apply(updated(product(3, 5, { category: "other" })));
  catalogue.apply(updated(product(1, 2, { category: "other" })));
  assert.deepEqual(catalogue.newestFirst(), [{ product: product(2, 5, { category: "light" }), fresh: false }]);
});

test("what is deleted goes, also when only its id is told", async () => {
  const catalogue = await listed(b, a);
  catalogue.apply(deleted(b));
  assert.deepEqual(shown(catalogue), [a]);
});

test("what is heard while a list is under way is shown at once and survives the older list", async () => {
  const catalogue = new Catalogue();
  const list = deferred();
  const merging = catalogue.merge(() => list.promise, { replace: true });
  catalogue.apply(created(c));
  assert.deepEqual(shown(catalogue), [c]);
  list.resolve(page(b, a));
  await merging;
  assert.deepEqual(shown(catalogue), [c, b, a]);
});

test("a list that was read before a delete does not bring the product back", async () => {
  const catalogue = await listed(b);
  const list = deferred();
  const merging = catalogue.merge(() => list.promise);
  catalogue.apply(deleted(a));
  list.resolve(page(a));
  await merging;
  assert.deepEqual(shown(catalogue), [b]);
});

test("a list that was read before an update does not undo it, also of a product it is the first to bring", async () => {
  const catalogue = await listed(b);
  const list = deferred();
  const merging = catalogue.merge(() => list.promise);
  catalogue.apply(updated(product(2, 2)));
  catalogue.apply(updated(product(1, 2)));
  list.resolve(page(b, a));
  await merging;
  assert.deepEqual(shown(catalogue), [product(2, 2), product(1, 2)]);
});

test("a list that was read after the events it overlaps with changes nothing", async () => {
  const catalogue = new Catalogue();
  const list = deferred();
  const merging = catalogue.merge(() => list.promise, { replace: true });
  catalogue.apply(created(a));
  catalogue.apply(updated(product(1, 2)));
  list.resolve(page(product(1, 2)));
  await merging;
  assert.deepEqual(shown(catalogue), [product(1, 2)]);
});

test("a created product whose answer comes after its deletion is not shown", async () => {
  const catalogue = await listed(b);
  const answer = deferred();
  const merging = catalogue.merge(() => answer.promise, { fresh: true });
  catalogue.apply(created(a));
  catalogue.apply(deleted(a));
  answer.resolve({ items: [a] });
  await merging;
  assert.deepEqual(shown(catalogue), [b]);
});

test("a reload forgets what is no longer there", async () => {
  const catalogue = await listed(b, a);
  await catalogue.merge(async () => page(c, b), { replace: true });
  assert.deepEqual(shown(catalogue), [c, b]);
});

test("an answer that is no longer wanted is dropped", async () => {
  const catalogue = await listed(b);
  await catalogue.merge(async () => page(a), { replace: true, wanted: () => false });
  assert.deepEqual(shown(catalogue), [b]);
});

test("a call that fails leaves the catalogue as it was", async () => {
  const catalogue = await listed(b);
  await assert.rejects(catalogue.merge(() => Promise.reject(new Error("down")), { replace: true }), /down/);
  catalogue.apply(created(c));
  assert.deepEqual(shown(catalogue), [c, b]);
});

test("whoever shows the catalogue is told of every change", async () => {
  let changes = 0;
  const catalogue = new Catalogue(() => (changes += 1));
  await catalogue.merge(async () => page(a));
  catalogue.apply(updated(product(1, 2)));
  assert.equal(changes, 2);
});

test("however a list call and the events around it interleave, the end is what the database holds", async () => {
  const history = [created(a), created(b), updated(product(1, 2)), deleted(b), created(c), updated(product(3, 2))];
  const end = [product(3, 2), product(1, 2)];
  const states = [page(), page(a), page(b, a), page(b, product(1, 2)), page(product(1, 2)), page(c, product(1, 2))];
  states.push(page(...end));
  for (const [heardBefore, read, answered] of interleavings(history.length)) {
    const catalogue = new Catalogue();
    const list = deferred();
    history.slice(0, heardBefore).forEach((change) => catalogue.apply(change));
    const merging = catalogue.merge(() => list.promise, { replace: true });
    history.slice(heardBefore, answered).forEach((change) => catalogue.apply(change));
    list.resolve(states[read]);
    await merging;
    history.slice(answered).forEach((change) => catalogue.apply(change));
    assert.deepEqual(shown(catalogue), end, `asked after ${heardBefore}, read at ${read}, answered after ${answered}`);
  }
});

/** What was heard was committed before: a list that is asked for then has it. It may have more than was heard yet. */
function* interleavings(length) {
  for (let heardBefore = 0; heardBefore <= length; heardBefore += 1)
    for (let read = heardBefore; read <= length; read += 1)
      for (let answered = heardBefore; answered <= length; answered += 1) yield [heardBefore, read, answered];
}
