/** The entries of a quantised member in the page: from indices to a code, and back by exchange. */

/** The numbers of 4 bytes that a text in base64 holds. */
function wordsOf(text, Kind) {
  return new Kind(Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer);
}

export class Codebook {
  /** @param {object} given what `isthmus.explorer._quantised` wrote. */
  constructor(given) {
    this.dim = given.dim;
    this.rows = wordsOf(given.rows, Int32Array);
    this.training = wordsOf(given.training, Int32Array);
    this.levels = given.levels.map((level) => ({
      ...level,
      places: level.grid[0] * level.grid[1],
      table: wordsOf(level.table, Float32Array),
      row: new Map(level.entries.map((entry, row) => [entry, row])),
    }));
    this.positions = this.levels.reduce((total, level) => total + level.places, 0);
  }

  /** The indices of an example, those of all levels one after another. */
  indicesOf(row) {
    return this.rows.slice(row * this.positions, (row + 1) * this.positions);
  }

  get count() {
    return this.rows.length / this.positions;
  }

  /** What an entry adds to a vector; null for one that the page does not carry. */
  entry(level, index) {
    const row = level.row.get(index);
    return row === undefined ? null : level.table.subarray(row * this.dim, (row + 1) * this.dim);
  }

  /** The code of indices, laid out as the decoder takes it: (dim, places) of each grid. */
  codeOf(indices, length) {
    const code = new Float32Array(length);
    for (const level of this.levels) {
      for (let place = 0; place < level.places; place++) {
        const vector = this.entry(level, indices[level.first + place]);
        for (let d = 0; vector && d < this.dim; d++) code[level.start + d * level.places + place] += vector[d];
      }
    }
    return code;
  }

  /** The codes of the training examples, one after another. */
  trained(length) {
    const count = this.training.length / this.positions;
    const codes = new Float32Array(count * length);
    for (let row = 0; row < count; row++) {
      const indices = this.training.subarray(row * this.positions, (row + 1) * this.positions);
      codes.set(this.codeOf(indices, length), row * length);
    }
    return codes;
  }

  /** A code with another entry at a place of a level. */
  exchanged(code, level, place, before, after) {
    const found = Float32Array.from(code);
    const [old, chosen] = [this.entry(level, before), this.entry(level, after)];
    for (let d = 0; d < this.dim; d++) {
      const at = level.start + d * level.places + place;
      found[at] = level.shared ? found[at] - old[d] + chosen[d] : chosen[d];
    }
    return found;
  }

  colourOf(level, index) {
    return level.colours[level.row.get(index)] ?? "#888888";
  }

  /** Entries that could stand at a place: those that examples have there most often, then those most like the present one. */
  choices(level, place, present, count) {
    const uses = new Map();
    for (let row = 0; row < this.count; row++) {
      const index = this.rows[row * this.positions + level.first + place];
      uses.set(index, (uses.get(index) ?? 0) + 1);
    }
    const common = [...uses].sort((a, b) => b[1] - a[1]).map(([index]) => index);
    const here = this.entry(level, present);
    const far = (index) => this.entry(level, index).reduce((total, value, d) => total + (value - (here?.[d] ?? 0)) ** 2, 0);
    const distances = new Map(level.entries.map((index) => [index, far(index)]));
    const like = [...level.entries].sort((a, b) => distances.get(a) - distances.get(b));
    const others = (list) => list.filter((index) => index !== present).slice(0, count);
    return { common: others(common), like: others(like) };
  }
}

/** The codebook of a model, unpacked when it is first asked for. */
export function codebookOf(model) {
  model.codebook ??= new Codebook(model.quantised);
  return model.codebook;
}
