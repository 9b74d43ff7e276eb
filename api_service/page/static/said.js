/**
 * What is said in the chat. Anyone may send anything: only text is taken, and not too much of it.
 *
 * @typedef {{who: string, node: string, text: string, own: boolean}} Said `node` = the emitter that the sender is on
 */
export const LOBBY = "chat:lobby";
export const SAID = "chat_message";
export const MOST_CHARACTERS = 500;

/**
 * @param {any} payload
 * @param {any} meta as the emitter made it
 * @param {string | undefined} ownId of our socket
 * @returns {Said | null} null = nothing that was said in the lobby
 */
export function readSaid(payload, meta, ownId) {
  if (meta?.topic !== LOBBY || typeof payload?.text !== "string") return null;
  const text = payload.text.trim().slice(0, MOST_CHARACTERS);
  if (!text) return null;
  const { sid, user } = meta.from;
  return { who: user ?? guestName(sid), node: meta.node, text, own: sid === ownId };
}

/** @param {string} sid */
export function guestName(sid) {
  return `guest ${sid.slice(0, 4)}`;
}
