/**
 * The token that this tab has, if any. Kept where no other tab, no later visit and no request finds it by itself.
 *
 * @typedef {Pick<Storage, "getItem" | "setItem" | "removeItem">} TabStorage
 */

const KEY = "storecast.token";

export class Session {
  #storage;
  #token;

  /** @param {TabStorage} storage */
  constructor(storage) {
    this.#storage = storage;
    this.#token = storage.getItem(KEY) ?? "";
  }

  /** @returns {string} empty = there is none */
  get token() {
    return this.#token;
  }

  /** @returns {string | null} whose token it is; null = there is none */
  get name() {
    return this.#token ? subjectOf(this.#token) : null;
  }

  /** @param {string} token */
  begin(token) {
    this.#token = token;
    this.#storage.setItem(KEY, token);
  }

  end() {
    this.#token = "";
    this.#storage.removeItem(KEY);
  }
}

/** @returns {TabStorage} */
export function tabStorage() {
  try {
    return sessionStorage;
  } catch {
    // The reader has forbidden it: the token lasts until the page is left.
    return { getItem: () => null, setItem: () => {}, removeItem: () => {} };
  }
}

/**
 * @param {string} text as it was pasted
 * @returns {string} the token in it
 */
export function readToken(text) {
  return text.trim().replace(/^(authorization:\s*)?bearer\s+/i, "");
}

/**
 * Only to be shown: whether it is true is for the services to say.
 *
 * @param {string} token
 */
function subjectOf(token) {
  try {
    const claims = token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
    return String(JSON.parse(atob(claims)).sub);
  } catch {
    return "somebody";
  }
}
