import assert from "node:assert/strict";
import { test } from "node:test";

import { formatLatency, latencyOf } from "../../../api_service/page/static/latency.js";
import { Pulse, SECONDS } from "../../../api_service/page/static/pulse.js";

/** Seconds since some time, in ms. */
const at = (seconds) => (1_000_000 + seconds) * 1_000;

test("events are counted by the second, the running one left out", () => {
  const pulse = new Pulse();
  for (const seconds of [0, 0.5, 0.999, 2, 3]) pulse.beat(at(seconds), null);
  const { ages, rates, rate, latency } = pulse.read(at(3.5));
  assert.deepEqual([rates.slice(-3), rate, latency], [[3, 0, 1], 1, null]);
  assert.deepEqual([ages.length, ages[0], ages.at(-1)], [SECONDS, 1 - SECONDS, 0]);
  assert.equal(pulse.read(at(4)).rate, 1);
  assert.equal(pulse.read(at(5)).rate, 0);
});

test("a minute is remembered, however long nothing comes and however much comes at once", () => {
  const pulse = new Pulse();
  pulse.beat(at(0), 5);
  for (let count = 0; count < 10_000; count += 1) pulse.beat(at(59), 7);
  assert.deepEqual([pulse.read(at(60)).rates[0], pulse.read(at(60)).rate], [1, 10_000]);
  assert.equal(pulse.read(at(61)).rates[0], 0);
  assert.deepEqual([pulse.read(at(500)).rate, pulse.read(at(500)).latency], [0, null]);
  for (let second = 500; second < 700; second += 1) pulse.beat(at(second), null);
  assert.deepEqual(pulse.read(at(700)).rates, Array(SECONDS).fill(1));
});

test("the latency is the median: one late event does not move it", () => {
  const pulse = new Pulse();
  for (const latency of [10, 11, 12, 9_000]) pulse.beat(at(0), latency);
  pulse.beat(at(1), 1);
  const { latencies, latency } = pulse.read(at(2));
  assert.deepEqual([latencies.slice(-3), latency], [[null, 12, 1], 11]);
});

test("a latency is told only where the clocks can have it", () => {
  assert.equal(latencyOf("2026-11-21T10:00:00.100Z", Date.UTC(2026, 10, 21, 10, 0, 0, 112)), 12);
  assert.equal(latencyOf("2026-11-21T10:00:00.100Z", Date.UTC(2026, 10, 21, 10, 0, 0, 99)), null);
  assert.deepEqual([12, 999.6, 1_240].map(formatLatency), ["12 ms", "1000 ms", "1.2 s"]);
});
