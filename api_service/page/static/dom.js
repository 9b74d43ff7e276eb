/**
 * @param {ParentNode} parent
 * @param {string} selector
 * @returns {HTMLElement}
 */
export function find(parent, selector) {
  const element = parent.querySelector(selector);
  if (element instanceof HTMLElement) return element;
  throw new Error(`the page has no ${selector}`);
}

/**
 * @param {HTMLTemplateElement} template with one element
 * @returns {HTMLElement}
 */
export function clone(template) {
  return find(/** @type {DocumentFragment} */ (template.content.cloneNode(true)), "*");
}

/**
 * @param {string} selector
 * @returns {HTMLTemplateElement}
 */
export function template(selector) {
  return /** @type {HTMLTemplateElement} */ (find(document, selector));
}

/**
 * Write, unless it stands there: what is written again is read out again by screen readers.
 *
 * @param {HTMLElement} place
 * @param {string} text
 */
export function say(place, text) {
  if (place.textContent !== text) place.textContent = text;
}

/**
 * Take the ends of lines out of what is cloned a thousand times: they are a third of its nodes, and nobody sees them.
 *
 * @param {HTMLTemplateElement} template whose elements do not stand in a line of text where its source has an end of line
 * @returns {HTMLTemplateElement}
 */
export function compact(template) {
  const texts = document.createTreeWalker(template.content, NodeFilter.SHOW_TEXT);
  /** @type {Text[]} */
  const ends = [];
  while (texts.nextNode()) {
    const text = /** @type {Text} */ (texts.currentNode);
    if (/^\s*\n\s*$/.test(text.data)) ends.push(text);
  }
  ends.forEach((end) => end.remove());
  return template;
}

/** @returns {boolean} whether the reader wants nothing to move */
export function isStill() {
  return matchMedia("(prefers-reduced-motion: reduce)").matches;
}

/**
 * Let many calls before the next frame be one; a page that is not seen draws nothing.
 *
 * @param {() => void} draw
 * @returns {() => void}
 */
export function oncePerFrame(draw) {
  let asked = false;
  return () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => {
      asked = false;
      draw();
    });
  };
}
