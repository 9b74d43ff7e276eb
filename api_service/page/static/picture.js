/**
 * The picture of a product, made of what it is called: pure, so that it is the same on every page and at every time.
 *
 * @typedef {{id: string, name: string, category: string}} Pictured
 * @typedef {{hue: number, accentHue: number, shapes: string[]}} Picture hues in degrees; `shapes` = path data (SVG 2,
 *   section 9.3), a path for each tone, the last one for the accent
 * @typedef {[number, number]} Point
 * @typedef {(a: Point, b: Point, c: Point, d: Point) => string} Shape drawn into a tile with these corners
 */

const COLUMNS = 6;
const ROWS = 3;
const TILE = 20;
const HALF = TILE / 2;
const TONES = 2;
/** Of ten tiles this many are left empty. */
const EMPTY_OF_TEN = 2;
const SHAPES_OF_A_CATEGORY = 3;

export const WIDTH = COLUMNS * TILE;
export const HEIGHT = ROWS * TILE;

/** @type {Shape[]} */
const SHAPES = [
  (a, b, _, d) => `M${a}L${b}A${TILE} ${TILE} 0 0 1 ${d}Z`, // a quarter of a disc
  (a, b) => `M${b}${arc(a)}Z`, // half a disc
  (a, _, c) => `M${a}A${TILE} ${TILE} 0 0 1 ${c}A${TILE} ${TILE} 0 0 1 ${a}Z`, // a leaf
  (a, b, _, d) => `M${a}L${b}L${d}Z`, // a triangle
  (a, b, c, d) => `M${middle(a, b)}L${middle(b, c)}L${middle(c, d)}L${middle(d, a)}Z`, // a diamond
  (a, b, c, d) => `M${middle(a, b)}${arc(middle(c, d))}${arc(middle(a, b))}Z`, // a disc
  (a, b, c, d) => `M${a}L${b}L${middle(b, c)}L${middle(d, a)}Z`, // half a tile
  (a, b, c, d) => `M${a}L${middle(a, b)}L${c}L${middle(c, d)}Z`, // a slanted bar
];

/**
 * Like things look alike: the category gives the colour and the shapes, the id their arrangement, the name the accent.
 *
 * @param {Pictured} product
 * @returns {Picture}
 */
export function picture({ id, name, category }) {
  const family = hash(category);
  const dice = randomly(hash(id));
  const shapes = chosen(randomly(family));
  const paths = Array.from({ length: TONES + 1 }, () => "");
  const accented = pick(dice, COLUMNS * ROWS);
  for (let tile = 0; tile < COLUMNS * ROWS; tile += 1) {
    const shape = shapes[pick(dice, shapes.length)](...corners(tile, pick(dice, 4)));
    const tone = pick(dice, TONES);
    const isEmpty = pick(dice, 10) < EMPTY_OF_TEN;
    if (tile === accented) paths[TONES] = shape;
    else if (!isEmpty) paths[tone] += shape;
  }
  return { hue: family % 360, accentHue: hash(name) % 360, shapes: paths };
}

/** @param {() => number} dice */
function chosen(dice) {
  const left = [...SHAPES];
  return Array.from({ length: SHAPES_OF_A_CATEGORY }, () => left.splice(pick(dice, left.length), 1)[0]);
}

/**
 * @param {number} tile
 * @param {number} turns quarter turns, clockwise
 * @returns {[Point, Point, Point, Point]} clockwise
 */
function corners(tile, turns) {
  const [x, y] = [(tile % COLUMNS) * TILE, Math.floor(tile / COLUMNS) * TILE];
  /** @type {Point[]} */
  const all = [[x, y], [x + TILE, y], [x + TILE, y + TILE], [x, y + TILE]];
  return /** @type {[Point, Point, Point, Point]} */ ([...all.slice(turns), ...all.slice(0, turns)]);
}

/** @param {Point} to where half a circle ends */
function arc(to) {
  return `A${HALF} ${HALF} 0 0 1 ${to}`;
}

/**
 * @param {Point} a
 * @param {Point} b
 * @returns {Point}
 */
function middle(a, b) {
  return [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2];
}

/**
 * @param {() => number} dice
 * @param {number} count
 * @returns {number} 0 to count - 1
 */
function pick(dice, count) {
  return Math.floor(dice() * count);
}

/**
 * FNV-1a.
 *
 * @param {string} text
 * @returns {number} 32 bits
 */
function hash(text) {
  let state = 0x811c9dc5;
  for (const character of text) state = Math.imul(state ^ (character.codePointAt(0) ?? 0), 0x01000193);
  return state >>> 0;
}

/**
 * mulberry32.
 *
 * @param {number} seed 32 bits
 * @returns {() => number} 0 to less than 1
 */
function randomly(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
