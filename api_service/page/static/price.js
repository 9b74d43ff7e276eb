/** @type {Map<string, Intl.NumberFormat>} */
const formats = new Map();

/**
 * Show a price in the reader's own way, with exactly the digits it has: the decimal string is never made a float.
 *
 * @param {string} price "12.50"
 * @param {string} currency ISO 4217
 * @param {string} [locale] the browser's own if none is given
 * @returns {string}
 */
export function formatPrice(price, currency, locale) {
  const digits = price.split(".")[1]?.length ?? 0;
  try {
    // Strings are numbers of any length to format() (ECMA-402, 10th edition); TypeScript wants a literal's type.
    return format(currency, digits, locale).format(/** @type {`${number}`} */ (price));
  } catch {
    // Another program may have stored a currency, or digits, that no formatter knows.
    return `${price} ${currency}`;
  }
}

/**
 * @param {string} currency
 * @param {number} digits
 * @param {string | undefined} locale
 */
function format(currency, digits, locale) {
  const key = `${locale} ${currency} ${digits}`;
  const known = formats.get(key);
  if (known) return known;
  const fixed = { minimumFractionDigits: digits, maximumFractionDigits: digits };
  const made = new Intl.NumberFormat(locale, { style: "currency", currency, ...fixed });
  formats.set(key, made);
  return made;
}
