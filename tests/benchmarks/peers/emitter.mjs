// The obvious emitter in Node: Socket.IO as it comes, behind the same HTTP calls as Storecast's emitter.
//
//   PORT=9000 SECRET=... SOCKET_PATH=/websocket-service node emitter.mjs
//
//   POST /emit    {"event", "payload", "to"?: [room]}                               -> {"reached": n}
//   POST /events  {"epoch", "events": [{seq, id, event, payload, topics, time}]}    -> {"epoch", "position"}
import { createServer } from "node:http";

import { Server } from "socket.io";

const { PORT, SECRET, SOCKET_PATH, PING_INTERVAL_MS } = process.env;
const EVERYONE = "products";

const text = async (request) => {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
};

const answer = (response, status, body) => {
  const json = JSON.stringify(body);
  response.writeHead(status, { "Content-Type": "application/json", "Content-Length": Buffer.byteLength(json) });
  response.end(json);
};

const calls = {
  "/emit": ({ event, payload, to }) => {
    (to ? io.to(to) : io).emit(event, payload, {});
    return { reached: io.engine.clientsCount };
  },
  // Every socket hears the products, so that the cheapest broadcast that Socket.IO has is the right one.
  "/events": ({ epoch, events, position = null }) => {
    for (const { seq, id, event, payload, topics, time } of events) {
      const target = topics.includes(EVERYONE) ? io : io.to(topics);
      target.emit(event, payload, { seq, id, time }, `${epoch}:${seq}`);
    }
    return { epoch, position: events.at(-1)?.seq ?? position };
  },
};

const server = createServer(async (request, response) => {
  const call = request.method === "POST" && calls[request.url];
  if (!call) return answer(response, 404, { error: "no such call" });
  if (request.headers.authorization !== `Bearer ${SECRET}`) return answer(response, 401, { error: "who are you?" });
  try {
    answer(response, 200, call(JSON.parse(await text(request))));
  } catch (error) {
    answer(response, 400, { error: error.message });
  }
});
const io = new Server(server, { path: SOCKET_PATH, serveClient: false, pingInterval: Number(PING_INTERVAL_MS) });

server.listen({ port: Number(PORT), host: "127.0.0.1", backlog: 2048 });
process.on("SIGTERM", () => process.exit(0));
