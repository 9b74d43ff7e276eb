import assert from "node:assert/strict";
import { test } from "node:test";

import { Problem } from "../../../api_service/page/static/calls.js";
import { formatAge } from "../../../api_service/page/static/feed.js";
import { drainWarning, evenTarget, rebalanceWarning } from "../../../api_service/page/static/handover.js";
import { Operator } from "../../../api_service/page/static/operator.js";
import { Session } from "../../../api_service/page/static/session.js";

/** A tab's storage. */
class Tab extends Map {
  getItem = (key) => this.get(key) ?? null;
  setItem = (key, value) => this.set(key, value);
  removeItem = (key) => this.delete(key);
}

/** @param {boolean} takesToken */
function operator(takesToken, token = "") {
  const session = new Session(new Tab(token ? [["storecast.token", token]] : []));
  const [asked, left, looks] = [[], [], []];
  const door = { ask: (reason) => asked.push(reason), show: () => {} };
  const view = { look: async () => looks.length && Promise.reject(looks.shift()), leave: () => left.push(true) };
  return { operator: new Operator(takesToken, session, door, view), session, asked, left, looks };
}

const emitter = (node, state, connections) => ({ node, state, connections, lag_ms: 0 });
const ALL = [emitter("a", "ready", 7), emitter("b", "ready", 0), emitter("c", "draining", 90)];

test("without tokens it is looked at once, and one of another time is forgotten", () => {
  const { operator: who, session, asked } = operator(false, "old");
  assert.equal(who.begin(), true);
  assert.equal(session.token, "");
  assert.deepEqual(asked, []);
});

test("where it takes a token and there is none, nothing is asked for but that", () => {
  const { operator: who, asked, left } = operator(true);
  assert.equal(who.begin(), false);
  assert.equal(left.length, 1);
  assert.match(asked[0], /scope operate/);
});

test("a token of before is tried", () => {
  assert.equal(operator(true, "token").operator.begin(), true);
});

test("a token that has expired is forgotten, and another one is asked for", () => {
  const { operator: who, session, asked, left } = operator(true, "token");
  who.refused(new Problem(401, "the token has expired", []));
  assert.equal(session.token, "");
  assert.equal(left.length, 1);
  assert.match(asked[0], /the token has expired/);
});

test("a token that lacks the scope is kept: it is good for the catalogue", () => {
  const { operator: who, session, asked, left } = operator(true, "token");
  who.refused(new Problem(403, "the token lacks the scope operate", []));
  assert.equal(session.token, "token");
  assert.equal(left.length, 1);
  assert.match(asked[0], /lacks the scope operate/);
});

test("who is refused with another token has the first one still", async () => {
  const { operator: who, session, looks } = operator(true, "first");
  looks.push(new Problem(403, "no", []));
  await assert.rejects(who.signIn("second"), /no/);
  assert.equal(session.token, "first");
  await who.signIn("third");
  assert.equal(session.token, "third");
});

test("a drain is told for what it is", () => {
  assert.match(drainWarning(ALL[0], ALL), /Its 7 clients would be sent to the others/);
  assert.match(drainWarning(ALL[0], [ALL[0], ALL[2]]), /No other emitter is ready: its 7 clients would have nowhere/);
  assert.match(drainWarning(emitter("a", "ready", 1), [ALL[0]]), /its one client would have nowhere to go/);
  assert.match(drainWarning(ALL[2], ALL), /until its process is started again/);
});

test("a rebalance is told for what it is", () => {
  assert.match(rebalanceWarning(ALL[0], ALL), /It has 7 clients/);
  assert.match(rebalanceWarning(ALL[0], [ALL[0], ALL[2]]), /comes straight back/);
});

test("an even share is that of the emitters that take clients", () => {
  assert.equal(evenTarget(ALL), 4);
  assert.equal(evenTarget([ALL[2]]), 0);
});

test("an age is told in what suits it", () => {
  assert.deepEqual([0.04, 59.9, 60, 3_599, 3_660].map(formatAge), ["0.0 s", "59.9 s", "1 min", "59 min", "1 h 1 min"]);
});
