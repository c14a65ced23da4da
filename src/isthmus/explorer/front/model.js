/** A trained member in the page: its decoder and encoder, at one of the moments that were kept. */

import { evaluate, knows, weightsOf } from "./evaluator.js";

export class LiveModel {
  /** @param {object} given what `isthmus.explorer.given` wrote of one model. */
  constructor(given) {
    Object.assign(this, given);
    this.moment = this.moments.length - 1;
    this.kept = new Map();
  }

  get isLive() {
    return Boolean(this.decoder) && knows(this.decoder);
  }

  /** The weights at a moment; they are unpacked when they are first asked for. */
  weights(moment = this.moment) {
    if (!this.kept.has(moment)) {
      const bytes = Uint8Array.from(atob(this.moments[moment].weights), (letter) => letter.charCodeAt(0));
      this.kept.set(moment, weightsOf(this.tensors, bytes.buffer));
    }
    return this.kept.get(moment);
  }

  /** The picture of a code: numbers in the units of the data. */
  decode(code, moment = this.moment) {
    return evaluate(this.decoder, this.weights(moment), code)[0].data;
  }

  /** The posterior of a picture: its code, and the logarithm of its variance where there is one. */
  encode(pixels, moment = this.moment) {
    return evaluate(this.encoder, this.weights(moment), pixels).map((part) => part.data);
  }

  /** From coordinates along the axes that are shown to a code. */
  codeAt(coordinates) {
    const code = Float32Array.from(this.centre);
    coordinates.forEach((amount, axis) => {
      const direction = this.directions[axis];
      for (let i = 0; i < code.length; i++) code[i] += amount * direction[i];
    });
    return code;
  }

  /** From a code to its coordinates along the axes that are shown, which are orthonormal. */
  coordinatesOf(code) {
    return this.directions.map((direction) =>
      direction.reduce((total, value, i) => total + value * (code[i] - this.centre[i]), 0),
    );
  }

  /** The examples whose codes lie nearest, the nearest first. */
  nearest(code, count = 5) {
    const size = this.centre.length;
    const far = (row) => {
      let total = 0;
      for (let i = 0; i < size; i++) total += (this.codes[row * size + i] - code[i]) ** 2;
      return total;
    };
    const rows = Array.from({ length: this.codes.length / size }, (_, row) => [far(row), row]);
    return rows.sort((a, b) => a[0] - b[0]).slice(0, count).map(([, row]) => row);
  }
}
