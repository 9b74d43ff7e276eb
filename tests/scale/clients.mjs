// Very many stock Socket.IO clients, which judge for themselves whether they hear every number once and in order.
//
// The first line of standard input says what they are: {"url", "first", "count", "options", "tokens"}: the clients
// have the numbers from `first` on; `options` are those of io(), `tokens` one for each client, or null. The end of standard input is theirs, too. Standard output: lines of JSON,
// {"last", "lost", "doubled", "out_of_order", "notes": [[client, at_ms, what, detail], ...]}; `last` is the number that
// every client has come to. What wants to be acknowledged is, with what it was and who heard it.
import { createInterface } from "node:readline";

import { io } from "socket.io-client";

import { Hearing, judge } from "./hearing.mjs";

const TELL_EVERY_MS = 50;
const START_EVERY_MS = 20;
const AT_ONCE = 10;

const now = () => performance.timeOrigin + performance.now();

const lines = createInterface({ input: process.stdin });
const { url, first, count, options, tokens } = JSON.parse((await lines[Symbol.asyncIterator]().next()).value);

const hearings = Array.from({ length: count }, () => new Hearing());
let notes = [];

const note = (client, what, detail = null) => notes.push([first + client, now(), what, detail]);

const welcome = (client, { node, recovered, position }) => {
  hearings[client].begin(Number(position.split(":")[1])); // from the first welcome on it has to hear all
  note(client, recovered ? "recovered" : "welcome", node);
};

const listen = (client) => {
  const auth = tokens && { token: tokens[client] };
  const socket = io(url, { forceNew: true, ...options, ...(auth && { auth }) });
  socket.on("disconnect", (reason) => note(client, "disconnect", reason));
  socket.on("connect_error", (error) => note(client, "connect_error", error.message));
  socket.io.on("reconnect_failed", () => note(client, "gave_up"));
  socket.onAny((event, payload, meta, ...rest) => {
    if (event === "welcome") {
      welcome(client, payload);
    } else if (meta?.seq !== undefined) {
      hearings[client].hear(meta.seq);
    }
    const acknowledge = rest.at(-1);
    if (typeof acknowledge === "function") {
      acknowledge({ client: first + client, heard: payload });
    }
  });
};

const tell = () => {
  process.stdout.write(`${JSON.stringify({ ...judge(hearings), notes })}\n`);
  notes = [];
};

let started = 0;
const starting = setInterval(() => {
  for (const until = Math.min(started + AT_ONCE, count); started < until; started += 1) {
    listen(started);
  }
  if (started === count) {
    clearInterval(starting);
  }
}, START_EVERY_MS);

setInterval(tell, TELL_EVERY_MS);
lines.on("close", () => process.exit(0));
