// The reference server: npm's socket.io, which behaves towards a client as the emitter does.
//
//   node oracle.mjs '[{"pingInterval": 25000, ...}, ...]'
//
// One HTTP server for each set of options, which are those of `new Server()`. Their ports come as one JSON line on
// standard output; the end of standard input is the end of this process.
import { createServer } from "node:http";

import { Server } from "socket.io";

const KNOWN_AUTH = new Set(["topics", "after", "pid", "offset"]);

const serve = (options) => {
  const server = createServer((_, response) => response.writeHead(404).end());
  const io = new Server(server, { path: "/websocket-service", serveClient: false, ...options });
  io.use((socket, next) => {
    if (Object.keys(socket.handshake.auth).every((key) => KNOWN_AUTH.has(key))) return next();
    next(Object.assign(new Error("the handshake's auth is not valid"), { data: {} }));
  });
  io.on("connection", greet);
  return new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(server.address().port)));
};

const greet = (socket) => {
  const topics = new Set(["products"]);
  const change = (how) => (request, acknowledge) => {
    const answer = typeof acknowledge === "function" ? acknowledge : () => {};
    if (!Array.isArray(request?.topics)) return answer({ error: {} });
    request.topics.forEach((topic) => topics[how](topic));
    const recovered = how === "add" ? { recovered: false } : {};
    answer({ topics: [...topics].sort(), ...recovered });
  };
  const handlers = { subscribe: change("add"), unsubscribe: change("delete") };
  // socket.onAny() hears numbers and names of every kind, as the emitter's handler for unknown events does.
  socket.onAny((event, ...args) => {
    const acknowledge = args.at(-1);
    if (!Object.hasOwn(handlers, event) && typeof acknowledge === "function") acknowledge({ error: {} });
  });
  Object.entries(handlers).forEach(([event, handler]) => {
    socket.on(event, (...args) => {
      const acknowledge = typeof args.at(-1) === "function" ? args.pop() : undefined;
      handler(args[0], acknowledge);
    });
  });
  socket.emit("welcome", {});
};

process.stdout.write(`${JSON.stringify(await Promise.all(JSON.parse(process.argv[2]).map(serve)))}\n`);
process.stdin.resume().on("end", () => process.exit(0));
