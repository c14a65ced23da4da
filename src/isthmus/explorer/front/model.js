/** A trained member in the page: its decoder and encoder, at one of the moments that were kept. */

import { evaluate, knows, weightsOf } from "./evaluator.js";

export class LiveModel {
  /**
   * @param {object} one what `isthmus.explorer.given` wrote of this model.
   * @param {object} given what all models are shown with; `ask` says who answers for what is not in the page.
   */
  constructor(one, given) {
    Object.assign(this, one, { given });
    this.moment = this.moments.length - 1;
    this.kept = new Map();
  }

  /** Whether the networks are in the page; else a server answers for them, a little later. */
  get isLive() {
    return Boolean(this.decoder) && knows(this.decoder);
  }

  /** The weights at a moment; they are unpacked when they are first asked for. */
  weights(moment = this.moment) {
    if (!this.kept.has(moment)) {
      const { tensors, weights } = this.moments[moment];
      this.kept.set(moment, weightsOf(tensors, bytesOf(weights).buffer));
    }
    return this.kept.get(moment);
  }

  /** The codes of all examples at a moment, one after another. */
  codes(moment = this.moment) {
    const known = this.moments[moment];
    if (typeof known.codes === "string") known.codes = new Float32Array(bytesOf(known.codes).buffer);
    return known.codes;
  }

  /** The code of an example at a moment. */
  codeOf(row, moment = this.moment) {
    const size = this.centre.length;
    return this.codes(moment).subarray(row * size, (row + 1) * size);
  }

  /** Where the examples lie in the plane at a moment, x and y in turn. */
  points(moment = this.moment) {
    const known = this.moments[moment];
    if (!known.points) {
      const count = this.codes(moment).length / this.centre.length;
      known.points = new Float32Array(2 * count);
      for (let row = 0; row < count; row++) {
        const place = this.coordinatesOf(this.codeOf(row, moment));
        known.points[2 * row] = place[0];
        known.points[2 * row + 1] = place[1] ?? 0;
      }
    }
    return known.points;
  }

  /** Go to the last moment that was kept up to an epoch. */
  goTo(epoch) {
    const later = this.moments.findIndex((moment) => moment.epoch > epoch);
    this.moment = later < 0 ? this.moments.length - 1 : Math.max(later - 1, 0);
  }

  /** What is known beside an example, of a model that is told something; else null. */
  conditionOf(row) {
    const known = this.condition;
    if (!known) return null;
    if (typeof known.rows === "string") known.rows = new Float32Array(bytesOf(known.rows).buffer);
    return known.rows.subarray(row * known.names.length, (row + 1) * known.names.length);
  }

  /** The condition that says: this class. */
  conditionFor(kind) {
    return Float32Array.from(this.condition.names, (_, i) => Number(i === kind));
  }

  /** The picture of a code, and of a condition where the model takes one: numbers from 0 to 1. */
  decode(code, condition = null, moment = this.moment) {
    const inputs = condition ? [code, condition] : [code];
    if (!this.isLive) return this.asked("decode", inputs);
    return evaluate(this.decoder, this.weights(moment), ...inputs)[0].data;
  }

  /** The posterior of a picture at the end of training: its code, and the logarithm of its variance. */
  encode(pixels, condition = null) {
    const inputs = condition ? [pixels, condition] : [pixels];
    if (!this.isLive) return this.asked("encode", inputs).then(partsOf);
    return evaluate(this.encoder, this.weights(this.moments.length - 1), ...inputs).map((part) => part.data);
  }

  /** A code whose other parts than those to `keep` are drawn from the learnt prior, with noise. */
  redraw(code, noise, keep, condition = null) {
    const inputs = condition ? [code, noise, keep, condition] : [code, noise, keep];
    if (!this.isLive) return this.asked("redraw", inputs);
    return evaluate(this.redrawing, this.weights(), ...inputs)[0].data;
  }

  /** What a network that stays in Python makes of its inputs. */
  async asked(kind, inputs) {
    const numbers = Float32Array.from(inputs.flatMap((input) => [...input]));
    return (this.given.ask ?? askServer)(this.served, kind, numbers);
  }

  /** A code with other coordinates along some of the axes that are shown, `{axis: place}`. */
  moved(code, places) {
    const found = Float32Array.from(code);
    const now = this.coordinatesOf(code);
    this.directions.forEach((direction, axis) => {
      if (!(axis in places)) return;
      for (let i = 0; i < found.length; i++) found[i] += (places[axis] - now[axis]) * direction[i];
    });
    return found;
  }

  /** From a code to its coordinates along the axes that are shown, which are orthonormal. */
  coordinatesOf(code) {
    return this.directions.map((direction) =>
      direction.reduce((total, value, i) => total + value * (code[i] - this.centre[i]), 0),
    );
  }

  /** The examples whose codes lie nearest, the nearest first. */
  nearest(code, count = 5) {
    return nearestTo(code, this.codes(), count);
  }
}

/** The rows of codes that lie nearest to a code, the nearest first. */
export function nearestTo(code, codes, count = 5) {
  const size = code.length;
  const best = [];
  for (let row = 0; row < codes.length / size; row++) {
    const limit = best.length < count ? Infinity : best[count - 1][0];
    let far = 0;
    for (let i = 0; i < size && far < limit; i++) far += (codes[row * size + i] - code[i]) ** 2;
    if (far >= limit) continue;
    const place = best.findIndex(([other]) => far < other);
    best.splice(place < 0 ? best.length : place, 0, [far, row]);
    best.length = Math.min(best.length, count);
  }
  return best.map(([, row]) => row);
}

/** The answer of the server that the page came from. */
async function askServer(place, kind, numbers) {
  const token = new URLSearchParams(location.search).get("token") ?? "";
  const answer = await fetch(`/${kind}/${place}`, { method: "POST", headers: { "X-Token": token }, body: numbers.buffer });
  if (!answer.ok) throw new Error(await answer.text());
  return new Float32Array(await answer.arrayBuffer());
}

/** Numbers with the length of each part before it, as parts. */
function partsOf(numbers) {
  const parts = [];
  for (let start = 0; start < numbers.length; start += numbers[start] + 1) {
    parts.push(numbers.subarray(start + 1, start + 1 + numbers[start]));
  }
  return parts;
}

/** The bytes of a text in base64. */
export function bytesOf(text) {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}
