/** The keys of submissions: a retry of the same content has the same key, so that it cannot be stored twice. */
export class SubmissionKeys {
  #content = "";
  #key = "";

  /**
   * @param {unknown} draft
   * @returns {string}
   */
  for(draft) {
    const content = JSON.stringify(draft);
    if (content !== this.#content) {
      this.#content = content;
      this.#key = randomKey();
    }
    return this.#key;
  }

  /** It is stored: the same content again is meant as another product. */
  done() {
    this.#content = "";
  }
}

/** @returns {string} 128 random bits */
export function randomKey() {
  // Over plain HTTP, other than on localhost, browsers have no randomUUID.
  return crypto.randomUUID?.() ?? hexadecimal(crypto.getRandomValues(new Uint8Array(16)));
}

/** @param {Uint8Array} bytes */
function hexadecimal(bytes) {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
