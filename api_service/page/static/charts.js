/** The last minute, drawn each second. */
import { find } from "./dom.js";
import { formatLatency } from "./latency.js";
import { SECONDS } from "./pulse.js";
import uPlot from "./vendor/uPlot.esm.js";

const EVERY_MS = 1_000;
const LEAST_RATE = 4;
const LEAST_LATENCY_MS = 20;

export class Charts {
  #pulse;
  #rate;
  #latency;
  #rates;
  #latencies;

  /**
   * @param {ParentNode} page
   * @param {import("./pulse.js").Pulse} pulse
   */
  constructor(page, pulse) {
    this.#pulse = pulse;
    this.#rate = find(page, "#rate");
    this.#latency = find(page, "#latency");
    this.#rates = chart(find(page, "#rate-chart"), LEAST_RATE, bars);
    this.#latencies = chart(find(page, "#latency-chart"), LEAST_LATENCY_MS, dots);
    this.#draw();
    setInterval(() => document.hidden || this.#draw(), EVERY_MS);
    // What is drawn keeps its colours, whatever the page around it has by now.
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#draw());
    new MutationObserver(() => this.#draw()).observe(document.documentElement, { attributeFilter: ["data-theme"] });
  }

  #draw() {
    const { ages, rates, latencies, rate, latency } = this.#pulse.read(Date.now());
    this.#rate.textContent = String(rate);
    this.#latency.textContent = latency === null ? "–" : formatLatency(latency);
    this.#rates.setData([ages, rates]);
    this.#latencies.setData([ages, latencies]);
  }
}

/**
 * @param {HTMLElement} place whose text has the colour of the drawing, and whose border that of the lines behind it
 * @param {number} least what the scale reaches up to, even if all is smaller
 * @param {(color: () => string) => object} look of the series
 */
function chart(place, least, look) {
  const color = () => getComputedStyle(place).color;
  const line = () => getComputedStyle(place).borderTopColor;
  const muted = () => getComputedStyle(/** @type {Element} */ (place.parentElement)).color;
  const made = new uPlot(
    {
      ...sizeOf(place),
      padding: [8, 4, 4, 0],
      legend: { show: false },
      cursor: { show: false },
      scales: {
        // Half a second more at both ends, for whole bars.
        x: { time: false, range: [0.5 - SECONDS, 0.5] },
        y: { range: upTo(least) },
      },
      axes: [
        { show: false },
        {
          size: 34,
          gap: 4,
          font: "11px system-ui, sans-serif",
          stroke: muted,
          grid: { stroke: line, width: 1 },
          ticks: { show: false },
          space: 20,
          incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000],
        },
      ],
      series: [{}, look(color)],
    },
    [[], []],
    place,
  );
  new ResizeObserver(() => made.setSize(sizeOf(place))).observe(place);
  return made;
}

/**
 * @param {number} least
 * @returns {(plot: unknown, lowest: number, highest: number) => [number, number]}
 */
function upTo(least) {
  return (_plot, _lowest, highest) => [0, Math.max(least, highest * 1.1)];
}

/** @param {HTMLElement} place */
function sizeOf({ clientWidth: width, clientHeight: height }) {
  return { width, height };
}

/** @param {() => string} color */
function bars(color) {
  return { fill: color, width: 0, points: { show: false }, paths: uPlot.paths.bars?.({ size: [0.7, 8], radius: 0.3 }) };
}

/** @param {() => string} color */
function dots(color) {
  return { width: 0, paths: () => null, points: { show: true, size: 5, width: 0, fill: color } };
}
