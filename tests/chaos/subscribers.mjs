// Stock Socket.IO clients that note what they hear, as it comes, before anything could hide a doubled event.
//
//   node subscribers.mjs '{"path": "/websocket-service", "clients": [{"url": "http://127.0.0.1:8080",
//     "transports": ["websocket"]}]}'
//
// Standard output: lines of JSON, each a list of notes [client, at_ms, what, ...].
// Standard input: a client's number cuts that client's connection, which comes back by itself; its end ends all.
import { createInterface } from "node:readline";

import { io } from "socket.io-client";

const FLUSH_EVERY_MS = 50;
const NOTES_IN_A_LINE = 1000;

const { path, clients } = JSON.parse(process.argv[2]);

let notes = [];

const flush = () => {
  for (let first = 0; first < notes.length; first += NOTES_IN_A_LINE) {
    process.stdout.write(`${JSON.stringify(notes.slice(first, first + NOTES_IN_A_LINE))}\n`);
  }
  notes = [];
};

const note = (client, ...details) => notes.push([client, performance.timeOrigin + performance.now(), ...details]);

const listen = ({ url, transports }, client) => {
  // With the cookies that a proxy gives, as a browser: those of long-polling lead to where the session is.
  const socket = io(url, { path, transports, forceNew: true, reconnectionDelayMax: 1000, withCredentials: true });
  socket.on("disconnect", (reason) => note(client, "disconnect", reason));
  socket.on("connect_error", (error) => note(client, "connect_error", error.message));
  socket.onAny((event, payload, meta, offset) => {
    if (event === "welcome") {
      note(client, "welcome", payload.recovered, payload.position, payload.node);
    } else {
      note(client, "heard", meta.seq, event, payload.id ?? null, payload.version ?? null, offset);
    }
  });
  return socket;
};

const sockets = clients.map(listen);

const cut = ({ connected, io: { engine } }) => {
  if (!connected) {
    return; // it is coming back; closed now, it would not try again before its connection attempt times out
  }
  if (engine.upgrading) {
    // Its own close() is no network that breaks: it goes on taking packets until the change is over, and those that it
    // has not handed over by then come out of its buffer after the next CONNECT, which has asked for them again.
    return;
  }
  if (engine.transport.ws) {
    engine.transport.ws.terminate(); // without a goodbye, as a network that breaks
  } else {
    engine.close();
  }
};

setInterval(flush, FLUSH_EVERY_MS);

createInterface({ input: process.stdin })
  .on("line", (client) => cut(sockets[client]))
  .on("close", () => process.exit(0));
