/** A trained member in the page: its codes, and its decoder and encoder where the page has them. */

import { evaluate, knows } from "./evaluator.js";
import { Moving, Weights, between } from "./moments.js";
import { realsInto } from "./packing.js";

export class LiveModel {
  /**
   * @param {object} given what `isthmus.explorer.given` wrote of one model, unpacked.
   * @param {{pictured: number, labels: number[]|null}} all what all models are shown with; `ask` says
   *   who answers for networks that are not in the page, where that is no server.
   */
  constructor(given, all) {
    const { points, codes, ...rest } = given;
    Object.assign(this, rest, { all });
    this.axes = [this.names[0], this.names[1] ?? ""];
    this.end = this.epochs[this.epochs.length - 1];
    this.epoch = this.end;
    this.size = this.centre.length;
    this.moving = new Moving(this.epochs, points);
    this.coded = codes ? new Moving(codes.epochs, codes) : this.moving;
    this.pictured = Math.min(all.pictured, this.coded.count);
    this.labels = all.labels;
    this.places = this.size === 1 ? new Float32Array(2 * this.moving.count) : null;
    if (given.weights) this.networks = new Weights(given.weights, given.before, this.end);
  }

  /** Whether the networks are in the page. */
  get isLive() {
    return Boolean(this.decoder) && knows(this.decoder);
  }

  /** Whether it has answers at all: in the page, or a little later from a server. */
  get answers() {
    return this.isLive || this.served !== undefined;
  }

  /** The codes of all examples that have a picture, one after another. */
  codes() {
    return this.coded.at(this.epoch).subarray(0, this.pictured * this.size);
  }

  /** The code of an example that has a picture. */
  codeOf(row) {
    return this.coded.row(row, this.epoch);
  }

  /** Where the examples lie in the plane, x and y in turn; codes of one number in a strip a class. */
  points(epoch = this.epoch) {
    const found = this.moving.at(epoch);
    if (!this.places) return found;
    for (let row = 0; row < found.length; row++) {
      this.places[2 * row] = found[row];
      this.places[2 * row + 1] = 0.64 * (((row * 0.618034) % 1) - 0.5) - (this.labels?.[row] ?? 0);
    }
    return this.places;
  }

  /** Go to an epoch, which may lie between two moments. */
  goTo(epoch) {
    this.epoch = Math.min(epoch, this.end);
  }

  /** The place of the weights that answer now, among the moments whose weights are in the page. */
  get moment() {
    if (!this.networks) return 0;
    const { i, next, way } = between(this.networks.epochs, this.epoch);
    return way > 0.5 ? next : i;
  }

  /** What is known beside an example, of a model that is told something; else null. */
  conditionOf(row) {
    const known = this.condition;
    if (!known) return null;
    this.told ??= realsInto(new Float32Array(known.rows.values.length), known.rows, 0);
    return this.told.subarray(row * known.names.length, (row + 1) * known.names.length);
  }

  /** The condition that says: this class. */
  conditionFor(kind) {
    return Float32Array.from(this.condition.names, (_, i) => Number(i === kind));
  }

  /** The picture of a code, and of a condition where the model takes one: numbers from 0 to 1. */
  decode(code, condition = null, moment = this.moment) {
    const inputs = condition ? [code, condition] : [code];
    if (!this.isLive) return this.asked("decode", inputs);
    return evaluate(this.decoder, this.networks.moment(moment), ...inputs)[0].data;
  }

  /** The same between two moments: as much of the one as of the other as it is on the way. */
  decodeNow(code, condition = null) {
    if (!this.isLive) return this.decode(code, condition);
    const { i, next, way } = between(this.networks.epochs, this.epoch);
    const made = this.decode(code, condition, i);
    if (way === 0) return made;
    const then = this.decode(code, condition, next);
    return made.map((value, k) => value + way * (then[k] - value));
  }

  /** The posterior of a picture at the end of training: its code, and the logarithm of its variance. */
  encode(pixels, condition = null) {
    const inputs = condition ? [pixels, condition] : [pixels];
    if (!this.isLive) return this.asked("encode", inputs).then(partsOf);
    const weights = this.networks.moment(this.networks.epochs.length - 1);
    return evaluate(this.encoder, weights, ...inputs).map((part) => part.data);
  }

  /** A code whose other parts than those to `keep` are drawn from the learnt prior, with noise. */
  redraw(code, noise, keep, condition = null) {
    const inputs = condition ? [code, noise, keep, condition] : [code, noise, keep];
    if (!this.isLive) return this.asked("redraw", inputs);
    const weights = this.networks.moment(this.networks.epochs.length - 1);
    return evaluate(this.redrawing, weights, ...inputs)[0].data;
  }

  /** What a network that stays in Python makes of its inputs. */
  async asked(kind, inputs) {
    const numbers = Float32Array.from(inputs.flatMap((input) => [...input]));
    return (this.all.ask ?? askServer)(this.served, kind, numbers);
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
