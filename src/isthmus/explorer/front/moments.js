/** What changes while a model trains: numbers that are known at some epochs, and those in between. */

import { Tensor } from "./tensors.js";
import { halvesOf, realsInto } from "./packing.js";

/** The moment before an epoch, the next one, and how far it is on the way there, from 0 to 1. */
export function between(epochs, epoch) {
  let i = 0;
  while (i + 1 < epochs.length && epochs[i + 1] <= epoch) i += 1;
  const next = Math.min(i + 1, epochs.length - 1);
  const way = next > i ? Math.min(Math.max((epoch - epochs[i]) / (epochs[next] - epochs[i]), 0), 1) : 0;
  return { i, next, way };
}

/** Rows of real numbers that move in straight lines from moment to moment. */
export class Moving {
  /** @param {number[]} epochs of the moments. @param {object} packed as `packed_reals` wrote it. */
  constructor(epochs, packed) {
    Object.assign(this, { epochs, packed, axes: packed.low.length, known: new Map() });
    this.count = packed.values.length / epochs.length / this.axes;
    this.now = new Float32Array(this.count * this.axes);
    this.epoch = null;
  }

  /** All rows at one of the moments. */
  moment(i) {
    if (!this.known.has(i)) this.known.set(i, realsInto(new Float32Array(this.now.length), this.packed, i));
    return this.known.get(i);
  }

  /** All rows at an epoch; the array is filled anew by the next call. */
  at(epoch) {
    if (this.epoch === epoch) return this.now;
    this.epoch = epoch;
    const { i, next, way } = between(this.epochs, epoch);
    const [from, to] = [this.moment(i), this.moment(next)];
    for (let k = 0; k < from.length; k++) this.now[k] = from[k] + way * (to[k] - from[k]);
    return this.now;
  }

  /** One row at an epoch. */
  row(index, epoch) {
    return this.at(epoch).slice(index * this.axes, (index + 1) * this.axes);
  }
}

/** The weights of a decoder at the moments for which the page has room, and all weights at the end. */
export class Weights {
  /** @param {object} end as `packed_halves` wrote it. @param {object} before as `packed_weights` did. */
  constructor(end, before, last) {
    Object.assign(this, { end, before, known: new Map() });
    this.epochs = [...before.epochs, last];
  }

  /** By name, at a moment; they are unpacked when they are first asked for. */
  moment(i) {
    if (!this.known.has(i)) {
      this.known.set(i, i === this.epochs.length - 1 ? this.last() : { ...this.moment(this.epochs.length - 1), ...this.earlier(i) });
    }
    return this.known.get(i);
  }

  last() {
    let start = 0;
    const found = this.end.tensors.map(({ name, shape, numbers }) => {
      const size = shape.reduce((total, side) => total * side, 1);
      const data = numbers ? Float32Array.from(numbers) : halvesOf(this.end.values.subarray(start, start + size));
      if (!numbers) start += size;
      return [name, new Tensor(data, shape)];
    });
    return Object.fromEntries(found);
  }

  earlier(i) {
    const steps = new Int16Array(this.before.values.buffer);
    let start = (i * steps.length) / this.before.epochs.length;
    const found = this.before.tensors.map(({ name, shape, scales }) => {
      const size = shape.reduce((total, side) => total * side, 1);
      const each = size / scales.length;
      const data = new Float32Array(size);
      for (let k = 0; k < size; k++) data[k] = steps[start + k] * scales[Math.floor(k / each)];
      start += size;
      return [name, new Tensor(data, shape)];
    });
    return Object.fromEntries(found);
  }
}
