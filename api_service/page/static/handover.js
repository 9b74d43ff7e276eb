/**
 * What becomes of an emitter's clients when it sends them away. Pure.
 *
 * @typedef {import("./operatorapi.js").Emitter} Emitter
 */

/**
 * @param {Emitter} emitter
 * @param {Emitter[]} all those that answer
 * @returns {string} what happens when it is drained
 */
export function drainWarning(emitter, all) {
  const until = "until its process is started again";
  if (!hasOthers(emitter, all)) {
    return (
      `No other emitter is ready: its ${clientsOf(emitter)} would have nowhere to go, ` +
      `and new ones would be refused, ${until}.`
    );
  }
  return `Its ${clientsOf(emitter)} would be sent to the others, a few at a time, and none would be taken ${until}.`;
}

/**
 * @param {Emitter} emitter
 * @param {Emitter[]} all those that answer
 * @returns {string} what happens when it is rebalanced
 */
export function rebalanceWarning(emitter, all) {
  if (!hasOthers(emitter, all)) return "No other emitter is ready: who is sent away comes straight back.";
  return `It has ${clientsOf(emitter)}. Those beyond the target are sent away, a few at a time.`;
}

/**
 * @param {Emitter[]} all those that answer
 * @returns {number} how many clients each would have
 */
export function evenTarget(all) {
  const ready = all.filter(({ state }) => state === "ready");
  if (!ready.length) return 0;
  return Math.ceil(ready.reduce((sum, { connections }) => sum + connections, 0) / ready.length);
}

/**
 * @param {Emitter} emitter
 * @param {Emitter[]} all
 */
function hasOthers({ node }, all) {
  return all.some((other) => other.node !== node && other.state === "ready");
}

/** @param {Emitter} emitter */
function clientsOf({ connections }) {
  return connections === 1 ? "one client" : `${connections.toLocaleString()} clients`;
}
