const FIRST_MS = 500;
const LONGEST_MS = 10_000;

/**
 * @param {number} attempt 0 for the first
 * @param {number} dice 0..1; spreads the clients of a server that comes back
 */
export function retryDelayMs(attempt, dice = Math.random()) {
  return Math.min(LONGEST_MS, FIRST_MS * 2 ** attempt) * (0.5 + dice / 2);
}

/**
 * Do it again until it succeeds, each time later.
 *
 * @template T
 * @param {() => Promise<T>} work
 * @param {(error: unknown) => void} [failed] told of each failure
 * @returns {Promise<T>}
 */
export async function persist(work, failed = () => {}) {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      failed(error);
      await sleep(retryDelayMs(attempt));
    }
  }
}

/**
 * @param {number} durationMs
 * @returns {Promise<void>}
 */
export function sleep(durationMs) {
  return new Promise((resolve) => setTimeout(resolve, durationMs));
}
