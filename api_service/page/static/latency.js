/**
 * How long an event was on its way, from the commit by the database's clock to now by ours.
 *
 * @param {string} time of the commit, RFC 3339
 * @param {number} nowMs
 * @returns {number | null} milliseconds; null = our clock is behind the database's
 */
export function latencyOf(time, nowMs) {
  const latencyMs = nowMs - Date.parse(time);
  return latencyMs >= 0 ? latencyMs : null;
}

/**
 * @param {number} latencyMs
 * @returns {string}
 */
export function formatLatency(latencyMs) {
  return latencyMs < 1000 ? `${Math.round(latencyMs)} ms` : `${(latencyMs / 1000).toFixed(1)} s`;
}
