/** What is said of many numbers: sums, means, normalisations, the best and where it is. */

import { binary, unary } from "./elementwise.js";
import { axisOf, gathered, size, stepsOf, Tensor } from "./tensors.js";

const difference = binary((a, b) => a - b);

const ratio = binary((a, b) => a / b);

/** Reduce over axes by a function of what was gathered so far and the next value. */
export function reduced(x, axes, keep, first, act) {
  const all = axes === null || axes === undefined || axes.length === 0;
  const gone = new Set(
    (all ? x.shape.map((_, axis) => axis) : axes).map((axis) => axisOf(axis, x.shape.length)),
  );
  const kept = x.shape.map((side, axis) => (gone.has(axis) ? 1 : side));
  const steps = stepsOf(kept).map((step, axis) => (gone.has(axis) ? 0 : step));
  const out = new Float64Array(size(kept)).fill(first);
  const places = new Array(x.shape.length).fill(0);
  let to = 0;
  for (let from = 0; from < x.data.length; from++) {
    out[to] = act(out[to], x.data[from]);
    for (let axis = x.shape.length - 1; axis >= 0; axis--) {
      to += steps[axis];
      if (++places[axis] < x.shape[axis]) break;
      to -= steps[axis] * x.shape[axis];
      places[axis] = 0;
    }
  }
  const shape = keep ? kept : x.shape.filter((_, axis) => !gone.has(axis));
  return new Tensor(Float32Array.from(out), shape);
}

export const sum = (x, axes = null, keep = false) => reduced(x, axes, keep, 0, (a, b) => a + b);

export function mean(x, axes = null, keep = false) {
  const total = sum(x, axes, keep);
  const count = x.data.length / total.data.length;
  return new Tensor(total.data.map((value) => value / count), total.shape);
}

export function softmax(x, axis) {
  const most = reduced(x, [axis], true, -Infinity, Math.max);
  const powers = unary(Math.exp)(difference(x, most));
  return ratio(powers, sum(powers, [axis], true));
}

/** Group normalisation, (n, channels, places), with or without weights. */
export function groupNorm(x, weight, bias, n, channels, places, groups, epsilon) {
  const out = new Float32Array(x.data.length);
  const length = (channels / groups) * places;
  for (let i = 0; i < n * groups; i++) {
    const part = x.data.subarray(i * length, (i + 1) * length);
    const centre = part.reduce((total, value) => total + value, 0) / length;
    const spread = part.reduce((total, value) => total + (value - centre) ** 2, 0) / length;
    const scale = 1 / Math.sqrt(spread + epsilon);
    for (let j = 0; j < length; j++) {
      const channel = (i % groups) * (channels / groups) + Math.floor(j / places);
      const factor = weight ? weight.data[channel] : 1;
      out[i * length + j] = (part[j] - centre) * scale * factor + (bias ? bias.data[channel] : 0);
    }
  }
  return [new Tensor(out, x.shape)];
}

/** The variance over axes; `correction` is taken from the count. */
export function variance(x, axes, correction = 1, keep = false) {
  const squares = unary((value) => value * value)(difference(x, mean(x, axes, true)));
  const total = sum(squares, axes, keep);
  const count = x.data.length / total.data.length - correction;
  return new Tensor(total.data.map((value) => value / count), total.shape);
}

/** Batch normalisation with the statistics of training. */
export function batchNorm(x, weight, bias, mean, variance, momentum, epsilon) {
  const [channels, places] = [x.shape[1], size(x.shape.slice(2))];
  const out = x.data.map((value, i) => {
    const channel = Math.floor(i / places) % channels;
    const scale = (weight ? weight.data[channel] : 1) / Math.sqrt(variance.data[channel] + epsilon);
    return (value - mean.data[channel]) * scale + (bias ? bias.data[channel] : 0);
  });
  return [new Tensor(out, x.shape)];
}

/** The best along an axis, and where: torch's `min` and `max`. */
export function best(x, axis, keep, isBetter) {
  const places = argbest(x, axis, true, isBetter);
  const values = reduced(x, [axis], true, NaN, (a, b) => (isBetter(b, a) || Number.isNaN(a) ? b : a));
  const shape = keep ? places.shape : places.shape.filter((_, own) => own !== axisOf(axis, x.shape.length));
  return [new Tensor(values.data, shape), new Tensor(places.data, shape)];
}

/** The k largest along an axis, or least, in their order, and where they are: torch's `topk`. */
export function topk(x, k, axis = -1, largest = true) {
  const at = axisOf(axis, x.shape.length);
  const shape = x.shape.map((side, own) => (own === at ? k : side));
  const inner = size(x.shape.slice(at + 1));
  const [values, places] = [new Float32Array(size(shape)), new Float32Array(size(shape))];
  for (let row = 0; row < x.data.length / x.shape[at]; row++) {
    const [outer, rest] = [Math.floor(row / inner), row % inner];
    const value = (place) => x.data[(outer * x.shape[at] + place) * inner + rest];
    const order = Array.from({ length: x.shape[at] }, (_, place) => place);
    order.sort((a, b) => (largest ? value(b) - value(a) : value(a) - value(b)));
    for (let i = 0; i < k; i++) {
      const to = (outer * k + i) * inner + rest;
      [values[to], places[to]] = [value(order[i]), order[i]];
    }
  }
  return [new Tensor(values, shape), new Tensor(places, shape)];
}

export function argbest(x, axis, keep, isBetter) {
  const at = axisOf(axis ?? 0, x.shape.length);
  const flat = axis === null || axis === undefined ? new Tensor(x.data, [x.data.length]) : x;
  const steps = stepsOf(flat.shape);
  const kept = flat.shape.map((side, own) => (own === at ? 1 : side));
  const starts = gathered(Float32Array.from(flat.data.keys()), kept, steps);
  const out = starts.data.map((start) => {
    let best = 0;
    for (let i = 1; i < flat.shape[at]; i++) {
      if (isBetter(flat.data[start + i * steps[at]], flat.data[start + best * steps[at]])) best = i;
    }
    return best;
  });
  return new Tensor(out, keep ? kept : kept.filter((_, own) => own !== at));
}
