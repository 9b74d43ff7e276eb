/**
 * What the emitter says, through the stock Socket.IO client.
 *
 * @typedef {import("./api.js").Config} Config
 * @typedef {import("./api.js").Product} Product
 * @typedef {"connecting" | "live" | "reconnecting"} ConnectionState
 * @typedef {{node: string, position: string | null, recovered: boolean, replayed: number}} Welcome
 * @typedef {{event: string, product: Product, seq: number, time: string}} Heard
 * @typedef {{who: string, node: string}} Place who we are, and on which emitter
 * @typedef {import("./said.js").Said} Said
 *
 * @typedef {object} Listener
 * @property {(state: ConnectionState) => void} onState
 * @property {(welcome: Welcome) => void} onWelcome `recovered` = nothing was missed since the last connection
 * @property {(heard: Heard) => void} onHeard
 * @property {() => void} onResync the emitter cannot say what was missed
 * @property {(place: Place | null) => void} onLobby we are in the chat; null = there is none here
 * @property {(said: Said) => void} onSaid
 */
import { LOBBY, SAID, guestName, readSaid } from "./said.js";
import { io } from "./vendor/socket.io.esm.min.js";

const EVENTS = ["new_product", "product_updated", "product_deleted"];
const COME_BACK_MS = 5_000;
const ANSWER_MS = 10_000;

/**
 * @param {Config} config
 * @param {Listener} listener
 * @returns {(text: string) => Promise<void>} says something in the chat
 */
export function listen(config, listener) {
  const socket = io(config.socket_url || undefined, {
    path: config.socket_path,
    // The cookie by which a gateway on another origin knows the session of long-polling.
    withCredentials: Boolean(config.socket_url),
  });
  followState(socket, listener);
  followEvents(socket, listener);
  followLobby(socket, listener);
  return (text) => say(socket, text);
}

/**
 * @param {import("socket.io-client").Socket} socket
 * @param {Listener} listener
 */
function followState(socket, { onState, onWelcome }) {
  let welcomed = false;
  const lost = () => {
    onState(welcomed ? "reconnecting" : "connecting");
    // The stock client leaves it at that when the server itself says no, or goodbye.
    if (!socket.active) setTimeout(() => socket.connect(), COME_BACK_MS);
  };
  socket.on("welcome", (/** @type {Welcome} */ welcome) => {
    welcomed = true;
    onState("live");
    onWelcome({ ...welcome, recovered: socket.recovered && welcome.recovered });
  });
  socket.on("disconnect", lost);
  socket.on("connect_error", lost);
}

/**
 * @param {import("socket.io-client").Socket} socket
 * @param {Listener} listener
 */
function followEvents(socket, { onHeard, onResync }) {
  for (const event of EVENTS) {
    socket.on(event, (product, meta) => onHeard({ event, product, seq: meta.seq, time: meta.time }));
  }
  socket.on("resync", onResync);
}

/**
 * @param {import("socket.io-client").Socket} socket
 * @param {Listener} listener
 */
function followLobby(socket, { onLobby, onSaid }) {
  // At each welcome: a connection that was lost leaves its topics behind, but for those of the handshake.
  socket.on("welcome", ({ node }) => {
    socket.emit("subscribe", { topics: [LOBBY] }, (/** @type {{error?: unknown}} */ { error }) => {
      onLobby(error || !socket.id ? null : { who: guestName(socket.id), node });
    });
  });
  socket.on(SAID, (payload, meta) => {
    const said = readSaid(payload, meta, socket.id);
    if (said) onSaid(said);
  });
}

/**
 * @param {import("socket.io-client").Socket} socket
 * @param {string} text
 */
async function say(socket, text) {
  const message = { topic: LOBBY, event: SAID, payload: { text } };
  const { error } = await socket
    .timeout(ANSWER_MS)
    .emitWithAck("publish", message)
    .catch(() => ({ error: { detail: "no answer. Try again." } }));
  if (error) throw new Error(error.detail);
}
