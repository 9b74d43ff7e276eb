/**
 * How much was heard in the last minute, and how late: counted by the second. No page, no clock of its own.
 *
 * @typedef {{at: number, latencies: number[], count: number}} Second `at` = whole seconds since 1970
 *
 * @typedef {object} Reading
 * @property {number[]} ages seconds before the newest whole one, as negative numbers, oldest first
 * @property {number[]} rates events in each second
 * @property {(number | null)[]} latencies the median of each second, in ms; null = nothing to tell
 * @property {number} rate events in the newest whole second
 * @property {number | null} latency the median of the minute, in ms
 */

export const SECONDS = 60;

export class Pulse {
  /** @type {Second[]} oldest first */
  #seconds = [];

  /**
   * @param {number} nowMs
   * @param {number | null} latencyMs null = it cannot be told
   */
  beat(nowMs, latencyMs) {
    const second = this.#second(Math.floor(nowMs / 1000));
    second.count += 1;
    if (latencyMs !== null) second.latencies.push(latencyMs);
  }

  /**
   * The running second is left out: it would always look like a drop.
   *
   * @param {number} nowMs
   * @returns {Reading}
   */
  read(nowMs) {
    const newest = Math.floor(nowMs / 1000) - 1;
    const known = new Map(this.#seconds.map((second) => [second.at, second]));
    const ages = Array.from({ length: SECONDS }, (_, index) => index + 1 - SECONDS);
    const seconds = ages.map((age) => known.get(newest + age));
    return {
      ages,
      rates: seconds.map((second) => second?.count ?? 0),
      latencies: seconds.map((second) => median(second?.latencies ?? [])),
      rate: seconds.at(-1)?.count ?? 0,
      latency: median(seconds.flatMap((second) => second?.latencies ?? [])),
    };
  }

  /** @param {number} at */
  #second(at) {
    const last = this.#seconds.at(-1);
    if (last?.at === at) return last;
    const made = { at, latencies: [], count: 0 };
    this.#seconds = [...this.#seconds, made].slice(-SECONDS - 1);
    return made;
  }
}

/** @param {number[]} numbers */
function median(numbers) {
  return numbers.length ? numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] : null;
}
