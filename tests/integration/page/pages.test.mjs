import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";

import { Problem } from "../../../api_service/page/static/calls.js";
import { Catalogue } from "../../../api_service/page/static/catalogue.js";
import { Filter } from "../../../api_service/page/static/filter.js";
import { Pages } from "../../../api_service/page/static/pages.js";
import { retryDelayMs } from "../../../api_service/page/static/retry.js";
import { created, deferred, product } from "./products.mjs";

const [a, b, c, d] = [1, 2, 3, 4].map((number) => product(number));

/** The list as an API would give it: each call waits for the test's answer. */
class Api {
  calls = [];

  list(filter, cursor, limit) {
    const call = { filter, cursor, limit, ...deferred() };
    this.calls.push(call);
    return call.promise;
  }
}

let api, catalogue, pages, states;

beforeEach(() => {
  mock.timers.reset();
  api = new Api();
  catalogue = new Catalogue();
  states = [];
  pages = new Pages(api, catalogue, (state) => states.push(state));
});

function shown() {
  return catalogue.newestFirst().map((entry) => entry.product);
}

async function reloaded(items, next_cursor) {
  const reload = pages.reload();
  api.calls.at(-1).resolve({ items, next_cursor });
  await reload;
}

test("older pages are added until there are no more", async () => {
  await reloaded([d, c], "older");
  const more = pages.more();
  api.calls[1].resolve({ items: [b, a], next_cursor: null });
  await more;
  assert.deepEqual(shown(), [d, c, b, a]);
  assert.deepEqual(api.calls.map((call) => call.cursor), [null, "older"]);
  assert.deepEqual(states.map((state) => state.more), [false, true, true, false]);
});

test("there is one call at a time, and none past the end", async () => {
  await pages.more();
  await reloaded([d], "older");
  void pages.more();
  await pages.more();
  assert.equal(api.calls.length, 2);
  assert.equal(pages.loading, true);
});

test("a page that the events had brought before is not all that is added", async () => {
  await reloaded([d], "third");
  [c, b].forEach((item) => catalogue.apply(created(item)));
  const more = pages.more();
  api.calls[1].resolve({ items: [c, b], next_cursor: "first" });
  await settled();
  api.calls[2].resolve({ items: [a], next_cursor: "none" });
  await more;
  assert.deepEqual(shown(), [d, c, b, a]);
  assert.equal(api.calls.length, 3);
});

test("a reload takes over from an older page that is under way", async () => {
  await reloaded([d], "older");
  const more = pages.more();
  const reload = pages.reload();
  api.calls[1].resolve({ items: [a], next_cursor: null });
  api.calls[2].resolve({ items: [d, c], next_cursor: "newer" });
  await Promise.all([more, reload]);
  assert.deepEqual(shown(), [d, c]);
  assert.deepEqual(states.at(-1), { loading: false, error: null, more: true });
  void pages.more();
  assert.equal(api.calls.at(-1).cursor, "newer");
});

test("of two reloads the later one counts, whichever is answered first", async () => {
  const reloads = [pages.reload(), pages.reload()];
  api.calls[1].resolve({ items: [b], next_cursor: null });
  await reloads[1];
  catalogue.apply(created(c));
  api.calls[0].resolve({ items: [a], next_cursor: "stale" });
  await reloads[0];
  await pages.more();
  assert.deepEqual(shown(), [c, b]);
  assert.equal(api.calls.length, 2, "the later reload has seen the end of the list");
});

test("a reload that fails says so and is tried again", async () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  const reload = pages.reload();
  api.calls[0].reject(new Error("no answer"));
  await settled();
  assert.match(states.at(-1).error.message, /no answer/);
  mock.timers.tick(500);
  await settled();
  api.calls[1].resolve({ items: [a], next_cursor: null });
  await reload;
  assert.deepEqual(shown(), [a]);
  assert.equal(states.at(-1).error, null);
});

test("a reload that failed gives up once a later one has begun", async () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  const first = pages.reload();
  api.calls[0].reject(new Error("no answer"));
  await settled();
  await reloaded([b], null);
  mock.timers.tick(500);
  await first;
  assert.equal(api.calls.length, 2);
});

test("an older page that fails can be asked for again", async () => {
  await reloaded([d], "older");
  const more = pages.more();
  api.calls[1].reject(new Error("no answer"));
  await more;
  assert.deepEqual([states.at(-1).more, states.at(-1).error.message], [true, "no answer"]);
  void pages.more();
  assert.equal(api.calls[2].cursor, "older");
});

test("the pause between tries doubles up to a bound, and is spread", () => {
  assert.deepEqual([0, 1, 2, 50].map((attempt) => retryDelayMs(attempt, 1)), [500, 1000, 2000, 10_000]);
  assert.equal(retryDelayMs(0, 0), 250);
});

test("a list that is refused is not asked for again until somebody signs in", async () => {
  const reload = pages.reload();
  api.calls[0].reject(new Problem(401, "send a token", []));
  await reload;
  assert.deepEqual([api.calls.length, pages.loaded], [1, false]);
  assert.equal(states.at(-1).error.isRefusal, true);
  await reloaded([a], null);
  assert.equal(pages.loaded, true);
});

test("older pages come by themselves as long as they are wanted, large ones after a small one", async () => {
  pages = new Pages(api, catalogue, (state) => states.push(state), () => catalogue.count < 3);
  void pages.reload();
  for (const [item, next_cursor] of [[d, "1"], [c, "2"]]) {
    api.calls.at(-1).resolve({ items: [item], next_cursor });
    await settled();
  }
  assert.deepEqual([states.at(-1).loading, api.calls.length], [true, 3]);
  api.calls[2].resolve({ items: [b], next_cursor: "3" });
  await settled();
  assert.deepEqual([shown(), states.at(-1).loading, states.at(-1).more], [[d, c, b], false, true]);
  assert.deepEqual(api.calls.map(({ limit }) => limit), [24, 200, 200]);
});

test("what is wanted is asked for, and an answer to what was wanted before is dropped", async () => {
  await reloaded([d], "older");
  const before = pages.reload();
  catalogue.filter = new Filter("lamp", "kitchen");
  const now = pages.reload();
  api.calls[2].resolve({ items: [product(2, 1, { name: "lamp", category: "kitchen" })], next_cursor: null });
  api.calls[1].resolve({ items: [d, c], next_cursor: "stale" });
  await Promise.all([before, now]);
  assert.deepEqual(api.calls.map(({ filter }) => filter), [{}, {}, { q: "lamp", category: "kitchen" }]);
  assert.equal(catalogue.count, 1);
  assert.equal(states.at(-1).more, false);
});

/** Let every promise that is ready run on; setImmediate is not one of the mocked timers. */
function settled() {
  return new Promise((resolve) => setImmediate(resolve));
}
