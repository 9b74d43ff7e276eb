import assert from "node:assert/strict";
import { test } from "node:test";

import { Identity } from "../../../api_service/page/static/identity.js";
import { Session, readToken, tabStorage } from "../../../api_service/page/static/session.js";

const OPEN = { takes_token: true, reading_takes_token: false };
const CLOSED = { takes_token: true, reading_takes_token: true };
const OFF = { takes_token: false, reading_takes_token: false };

/** A tab's storage. */
class Tab extends Map {
  getItem = (key) => this.get(key) ?? null;
  setItem = (key, value) => this.set(key, value);
  removeItem = (key) => this.delete(key);
}

/** Notes what is done to the connection, and answers as it is told. */
class Line {
  done = [];
  authenticated = true;
  refusals = [];
  authenticate = async (token) => {
    this.done.push(`authenticate ${token}`);
    if (this.authenticated instanceof Error) throw this.authenticated;
    return this.authenticated;
  };
  comeAnew = async () => (this.done.push("come"), this.refusals.shift() ?? null);
  enterLobby = () => this.done.push("lobby");
  leave = () => this.done.push("leave");
}

function reader(config, token = "") {
  const storage = new Tab(token ? [["storecast.token", token]] : []);
  const session = new Session(storage);
  const asked = [];
  const shown = [];
  const line = new Line();
  const door = { ask: (reason) => asked.push(reason), show: (name) => shown.push(name) };
  return { identity: new Identity(config, session, door, line), session, storage, line, asked, shown };
}

/** @param {object} claims */
function tokenOf(claims) {
  return `e30.${Buffer.from(JSON.stringify(claims)).toString("base64url")}.signature`;
}

test("a token is kept for the tab, and forgotten without a trace", () => {
  const storage = new Tab();
  new Session(storage).begin(tokenOf({ sub: "ann" }));
  const again = new Session(storage);
  assert.equal(again.name, "ann");
  again.end();
  assert.deepEqual([again.token, again.name, storage.size], ["", null, 0]);
});

test("a name is shown of any token, whatever is in it", () => {
  const named = (token) => new Session(new Tab([["storecast.token", token]])).name;
  assert.match(tokenOf({ sub: "~~~???" }), /[-_]/);
  assert.equal(named(tokenOf({ sub: "~~~???" })), "~~~???");
  assert.equal(named(tokenOf({ sub: "ann@shop.example" })), "ann@shop.example");
  for (const odd of ["x", "a.b.c", "..", tokenOf(null)]) assert.equal(named(odd), "somebody");
});

test("where the tab may keep nothing, the token lasts as long as the page", () => {
  const session = new Session(tabStorage());
  session.begin("t");
  assert.equal(session.token, "t");
});

test("what was pasted around a token is left out", () => {
  for (const pasted of ["abc", " abc\n", "Bearer abc", "Authorization: bearer  abc "]) {
    assert.equal(readToken(pasted), "abc");
  }
});

test("where there are no tokens, none is shown and one of another time is forgotten", () => {
  const { identity, session, storage, line, asked, shown } = reader(OFF, "left over");
  identity.begin();
  assert.deepEqual([session.token, storage.size, line.done, asked, shown], ["", 0, ["come"], [], []]);
});

test("who may read without a token is asked for none", () => {
  const { identity, line, asked, shown } = reader(OPEN);
  identity.begin();
  assert.deepEqual([line.done, asked, shown], [["come"], [], [null]]);
});

test("where reading takes a token, it is asked for before anything else", async () => {
  const { identity, line, asked } = reader(CLOSED);
  identity.begin();
  assert.deepEqual([line.done, asked], [["leave"], ["Sign in to see the products."]]);
  line.authenticated = false;
  await identity.signIn("t");
  assert.deepEqual(line.done, ["leave", "authenticate t", "come"]);
});

test("the running connection takes the token, and the chat is entered as who one is", async () => {
  const { identity, session, line, shown } = reader(OPEN);
  await identity.signIn(tokenOf({ sub: "ann" }));
  assert.deepEqual(line.done.slice(1), ["lobby"]);
  assert.equal(session.name, "ann");
  assert.deepEqual(shown, ["ann"]);
});

test("a token that is refused changes nothing for who is signed in already", async () => {
  const { identity, session, line } = reader(OPEN, "good");
  line.authenticated = new Error("the token has expired");
  await assert.rejects(identity.signIn("bad"), /has expired/);
  assert.equal(session.token, "good");
});

test("a token that is refused when coming anew is forgotten, and reading goes on where it may", async () => {
  for (const [config, then] of [[OPEN, "come"], [CLOSED, "leave"]]) {
    const { identity, session, line } = reader(config, "good");
    line.authenticated = false;
    line.refusals = [{ status: 401, detail: "no" }];
    await assert.rejects(identity.signIn("bad"), /^Error: no$/);
    assert.deepEqual([session.token, line.done], ["", ["authenticate bad", "come", then]]);
  }
});

test("a kept token that has expired meanwhile is given up, and why is said", async () => {
  const { identity, session, line, asked } = reader(OPEN, "old");
  line.refusals = [{ status: 401, detail: "the token has expired" }];
  identity.begin();
  await new Promise(setImmediate);
  assert.deepEqual([session.token, line.done], ["", ["come", "come"]]);
  assert.match(asked.at(-1), /signed out: the token has expired\./);
});

test("who is refused without a token does not come again and again", async () => {
  const { identity, line, asked } = reader(OPEN);
  line.refusals = Array.from({ length: 9 }, () => ({ status: 401, detail: "no" }));
  identity.begin();
  await new Promise(setImmediate);
  assert.deepEqual([line.done, asked], [["come", "leave"], ["Sign in to see the products."]]);
});

test("an expiry is said ahead, and ends the session; the connection goes on where anybody may read", () => {
  for (const [config, then] of [[OPEN, "lobby"], [CLOSED, "leave"]]) {
    const { identity, session, line, asked } = reader(config, "good");
    identity.expiring(58);
    assert.equal(session.token, "good");
    identity.expired();
    assert.deepEqual([session.token, line.done], ["", [then]]);
    assert.match(asked[0], /expires in 58 s\. Paste/);
    assert.match(asked[1], /has expired\. Paste/);
  }
});

test("an answer that was on its way when the token expired takes back nothing of what was said", async () => {
  const { identity, line, asked } = reader(CLOSED, "good");
  identity.begin();
  identity.expired();
  identity.refused({ status: 401, detail: "the token has expired" });
  assert.deepEqual([line.done, asked.length], [["come", "leave"], 1]);

  line.authenticated = false;
  line.refusals = [{ status: 403, detail: "no" }];
  await assert.rejects(identity.signIn("lesser"), /no/);
  assert.equal(line.done.at(-1), "leave");
});

test("a change that takes a token, another one, or more of it says which it is", async () => {
  const without = reader(OPEN);
  without.identity.changeRefused({ status: 401, detail: "send a token" });
  assert.match(without.asked.at(-1), /takes a token/);
  assert.deepEqual(without.line.done, []);

  const lacking = reader(OPEN, "good");
  lacking.identity.changeRefused({ status: 403, detail: "the token lacks the scope x" });
  assert.match(lacking.asked.at(-1), /lacks the scope x/);
  assert.equal(lacking.session.token, "good");

  const expired = reader(OPEN, "old");
  expired.identity.changeRefused({ status: 401, detail: "the token has expired" });
  assert.match(expired.asked.at(-1), /has expired/);
  assert.deepEqual([expired.session.token, expired.line.done], ["", ["come"]]);
});
