// Stock Socket.IO clients that say, one JSON line for each thing, what they hear.
//
//   node listener.mjs '{"url": "http://127.0.0.1:8080", "count": 2, "options": {"path": "/websocket-service"}}'
//
// `options` are those of io(). An event that wants to be acknowledged is: with {"client", "heard"}. Commands come as JSON
// lines on standard input; its end is the end of the clients too:
//   {"do": "drop", "client": 0}                                    cut the connection; the client comes back by itself
//   {"do": "leave", "client": 0}                                   the same, and no connection can be made until
//   {"do": "enter", "client": 0}                                   now
//   {"do": "emit", "client": 0, "id": 7, "event": "subscribe", "args": [...]}   emit, and say the acknowledgement
import { createInterface } from "node:readline";

import { io } from "socket.io-client";

const { url, count, options } = JSON.parse(process.argv[2]);

const say = (client, what, details = {}) => {
  const at_ms = performance.timeOrigin + performance.now();
  process.stdout.write(`${JSON.stringify({ client, what, at_ms, ...details })}\n`);
};

const listen = (client) => {
  const socket = io(url, { forceNew: true, ...options });
  socket.on("connect", () => say(client, "connect", { id: socket.id, recovered: socket.recovered }));
  socket.on("disconnect", (reason) => say(client, "disconnect", { reason }));
  socket.on("connect_error", (error) => say(client, "connect_error", { message: error.message, data: error.data }));
  socket.onAny((event, ...args) => {
    const acknowledge = typeof args.at(-1) === "function" ? args.pop() : undefined;
    say(client, "event", { event, args });
    acknowledge?.({ client, heard: event });
  });
  return socket;
};

/** How to let a client come back that was kept away. */
const enter = [];
const sockets = Array.from({ length: count }, (_, client) => listen(client));

const commands = {
  drop: ({ client }) => sockets[client].io.engine.close(),
  leave: ({ client }) => {
    const { io: manager } = sockets[client];
    const { open } = manager;
    const entered = new Promise((resolve) => (enter[client] = resolve));
    // What it opens when it comes back by itself has to wait, as for a network that is away.
    manager.open = (...args) => void entered.then(() => open.apply(manager, args));
    manager.engine.close();
  },
  enter: ({ client }) => enter[client](),
  emit: ({ client, id, event, args }) =>
    sockets[client].emit(event, ...args, (...answer) => say(client, "answer", { id, answer })),
};

createInterface({ input: process.stdin })
  .on("line", (line) => {
    const command = JSON.parse(line);
    commands[command.do](command);
  })
  .on("close", () => process.exit(0));
