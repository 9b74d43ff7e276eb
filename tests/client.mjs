// Our client module, which says, one JSON line for each thing, what it is told and what its stock client hears.
//
//   node client.mjs '{"module": "/tmp/a/client.js", "options": {"origin": "http://127.0.0.1:8080"}, "tokens": ["a", "b"]}'
//
// `options` are those of connect(). With `tokens` the option is a function: each call gets the next one, or the last one
// again; one like {"error": "why"} is what it rejects with. Commands come as JSON lines on standard input:
//   {"do": "drop"}     cut the connection; the client comes back by itself
//   {"do": "again"}    hand the stock client once more the event that came last, as a transport does that is closed in an upgrade
//   {"do": "leave"}    close the connection, as a page does that is loaded again
//   {"do": "enter", "options": {...}}  begin anew with nothing but what is kept for the tab, and perhaps other options
//   {"do": "give", "tokens": ["c"]}    from now on
//   {"do": "call", "id": 7, "method": "subscribe", "args": [["products"]]}   call, and say how that ended
import { createInterface } from "node:readline";

const { module, options, tokens } = JSON.parse(process.argv[2]);
let toGive = tokens;
/** How a client's own packet begins by which it says who it is. */
const CONNECT = "0";
/** How the packet of an event ends that has a number. */
const NUMBERED = /,"[^:"]+:\d+"\]$/;
const { Refused, connect } = await import(module);

const say = (what, details = {}) => {
  const at_ms = performance.timeOrigin + performance.now();
  process.stdout.write(`${JSON.stringify({ client: 0, what, at_ms, ...details })}\n`);
};

const tab = new Map();
const storage = { getItem: (key) => tab.get(key) ?? null, setItem: (key, value) => tab.set(key, value) };
let last = "";
let connection = open();

async function token() {
  const next = toGive.length > 1 ? toGive.shift() : toGive[0];
  say("token", { next });
  if (next?.error) throw new Error(next.error);
  return next;
}

function open(others) {
  const opened = connect({
    ...options,
    ...others,
    ...(tokens && { token }),
    storage,
    onEvent: (heard) => say("heard", { own_id: connection?.id, ...heard }),
    onGap: (gap) => say("gap", gap),
    onState: (state) => say("state", state),
    onExpiry: (expiry) => say("expiry", expiry),
    onError: (error) => say("error", { error: error.message }),
  });
  const { socket } = opened;
  socket.onAny((event, ...args) => say("event", { event, args }));
  socket.io.on("open", () => {
    const { engine } = socket.io;
    engine.on("data", (data) => (last = NUMBERED.test(data) ? data : last));
    engine.on("packetCreate", ({ type, data }) => type === "message" && data.startsWith(CONNECT) && say("handshake"));
  });
  return opened;
}

const commands = {
  give: ({ tokens }) => (toGive = tokens),
  drop: () => connection.socket.io.engine.close(),
  again: () => connection.socket.io.engine.emitReserved("data", last),
  leave: () => connection.close(),
  enter: ({ options: others }) => (connection = open(others)),
  call: async ({ id, method, args }) => {
    try {
      const value = await connection[method](...args);
      say("answer", { id, answer: { value, topics: connection.topics, offset: connection.offset } });
    } catch (error) {
      say("answer", { id, answer: { refused: error instanceof Refused, status: error.status, detail: error.message } });
    }
  },
};

createInterface({ input: process.stdin })
  .on("line", (line) => {
    const command = JSON.parse(line);
    void commands[command.do](command);
  })
  .on("close", () => process.exit(0));
