import assert from "node:assert/strict";
import { test } from "node:test";

import { LOBBY, MOST_CHARACTERS, readSaid } from "../../../api_service/page/static/said.js";

const meta = { topic: LOBBY, from: { sid: "abcdefgh", user: null }, node: "emitter-2" };

test("a guest has the beginning of its socket's id for a name, and the emitter that it is on", () => {
  const said = { who: "guest abcd", node: "emitter-2", text: "hi", own: false };
  assert.deepEqual(readSaid({ text: " hi " }, meta, "other"), said);
  assert.deepEqual(readSaid({ text: "hi" }, meta, "abcdefgh"), { ...said, own: true });
});

test("who has a token is called by it", () => {
  assert.equal(readSaid({ text: "hi" }, { ...meta, from: { sid: "x", user: "ann" } }, "y").who, "ann");
});

test("whatever else is sent is not shown", () => {
  for (const payload of [undefined, null, "hi", 7, {}, { text: 7 }, { text: {} }, { text: "  " }]) {
    assert.equal(readSaid(payload, meta, "x"), null);
  }
  for (const elsewhere of [undefined, {}, { ...meta, topic: "chat:else" }]) {
    assert.equal(readSaid({ text: "hi" }, elsewhere, "x"), null);
  }
});

test("a long text is cut", () => {
  assert.equal(readSaid({ text: "x".repeat(10_000) }, meta, "x").text.length, MOST_CHARACTERS);
});
