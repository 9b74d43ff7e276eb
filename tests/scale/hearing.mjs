// Whether numbers are heard once and in order, for clients that are too many to tell each number to anybody.

export class Hearing {
  // The number up to which all was heard before; null until that is known.
  last = null;
  lost = 0;
  doubled = 0;
  outOfOrder = 0;
  #missing = new Set();

  begin(position) {
    this.last ??= position;
  }

  hear(seq) {
    if (seq > this.last) {
      for (let between = this.last + 1; between < seq; between += 1) {
        this.#missing.add(between);
        this.lost += 1;
      }
      this.last = seq;
    } else if (this.#missing.delete(seq)) {
      this.lost -= 1;
      this.outOfOrder += 1;
    } else {
      this.doubled += 1;
    }
  }
}

const sum = (hearings, what) => hearings.reduce((total, hearing) => total + hearing[what], 0);

export const judge = (hearings) => ({
  last: Math.min(...hearings.map(({ last }) => last ?? -1)),
  lost: sum(hearings, "lost"),
  doubled: sum(hearings, "doubled"),
  out_of_order: sum(hearings, "outOfOrder"),
});
