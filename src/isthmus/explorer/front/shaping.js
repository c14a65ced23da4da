/** Arrays with other shapes, parts of arrays, and arrays put together. */

import { axisOf, expanded, gathered, size, stepsOf, Tensor, together } from "./tensors.js";

export function permute(x, order) {
  const steps = stepsOf(x.shape);
  const axes = order.map((axis) => axisOf(axis, x.shape.length));
  return gathered(
    x.data,
    axes.map((axis) => x.shape[axis]),
    axes.map((axis) => steps[axis]),
  );
}

export function view(x, shape) {
  const known = -size(shape);
  const whole = shape.map((side) => (side === -1 ? x.data.length / known : side));
  return new Tensor(x.data, whole);
}

export function slice(x, axis = 0, start = 0, end = null, step = 1) {
  const at = axisOf(axis, x.shape.length);
  const side = x.shape[at];
  const place = (value) => Math.min(Math.max(value < 0 ? value + side : value, 0), side);
  const [first, last] = [place(start ?? 0), place(end ?? side)];
  const shape = x.shape.slice();
  shape[at] = Math.max(0, Math.ceil((last - first) / step));
  const steps = stepsOf(x.shape);
  const taken = steps.slice();
  taken[at] *= step;
  return gathered(x.data, shape, taken, first * steps[at]);
}

export function select(x, axis, index) {
  const at = axisOf(axis, x.shape.length);
  const part = slice(x, at, axisOf(index, x.shape[at]), axisOf(index, x.shape[at]) + 1);
  return new Tensor(part.data, x.shape.filter((_, own) => own !== at));
}

/** Values of `source` put where `places` say along an axis, the others as they were. */
export function scatter(x, axis, places, source) {
  const at = axisOf(axis, x.shape.length);
  const inner = size(places.shape.slice(at + 1));
  const out = Float32Array.from(x.data);
  for (let i = 0; i < places.data.length; i++) {
    const [outer, rest] = [Math.floor(i / (places.shape[at] * inner)), i % inner];
    out[(outer * x.shape[at] + places.data[i]) * inner + rest] = source.data[i];
  }
  return new Tensor(out, x.shape);
}

export function cat(parts, axis = 0) {
  const at = axisOf(axis, parts[0].shape.length);
  const shape = parts[0].shape.slice();
  shape[at] = parts.reduce((total, part) => total + part.shape[at], 0);
  const out = Tensor.zeros(shape);
  const outer = size(shape.slice(0, at));
  const rows = size(shape.slice(at));
  let offset = 0;
  for (const part of parts) {
    const length = size(part.shape.slice(at));
    for (let i = 0; i < outer; i++) {
      out.data.set(part.data.subarray(i * length, (i + 1) * length), i * rows + offset);
    }
    offset += length;
  }
  return out;
}

export function split(x, sizes, axis = 0) {
  let start = 0;
  return sizes.map((length) => slice(x, axis, start, (start += length)));
}

export function padded(x, amounts, value = 0) {
  const shape = x.shape.slice();
  const before = new Array(shape.length).fill(0);
  for (let i = 0; 2 * i < amounts.length; i++) {
    const axis = shape.length - 1 - i;
    shape[axis] += amounts[2 * i] + amounts[2 * i + 1];
    before[axis] = amounts[2 * i];
  }
  const out = new Tensor(new Float32Array(size(shape)).fill(value), shape);
  const [own, wide] = [stepsOf(x.shape), stepsOf(shape)];
  for (let from = 0; from < x.data.length; from++) {
    let [rest, to, is_inside] = [from, 0, true];
    for (let axis = 0; axis < shape.length; axis++) {
      const place = Math.floor(rest / own[axis]) + before[axis];
      rest %= own[axis];
      is_inside &&= place >= 0 && place < shape[axis];
      to += place * wide[axis];
    }
    if (is_inside) out.data[to] = x.data[from];
  }
  return out;
}

export function nearest(x, outer) {
  const [n, channels, height, width] = x.shape;
  const out = Tensor.zeros([n, channels, ...outer]);
  let to = 0;
  for (let plane = 0; plane < n * channels; plane++) {
    for (let y = 0; y < outer[0]; y++) {
      const row = (plane * height + Math.floor((y * height) / outer[0])) * width;
      for (let at = 0; at < outer[1]; at++) out.data[to++] = x.data[row + Math.floor((at * width) / outer[1])];
    }
  }
  return out;
}

/** Values by tensors of places along some axes, null for an axis that stays whole, as in `x[:, i, j]`. */
export function index(x, places) {
  const all = [...places, ...new Array(x.shape.length - places.length).fill(null)];
  const first = all.findIndex((one) => one !== null);
  const last = all.findLastIndex((one) => one !== null);
  const shape = all.filter((one) => one !== null).map((one) => one.shape).reduce(together);
  const count = size(shape);
  const steps = stepsOf(x.shape);
  const offsets = new Float64Array(count);
  all.forEach((one, axis) => {
    if (one === null) return;
    const spread = expanded(one, shape).data;
    for (let i = 0; i < count; i++) offsets[i] += axisOf(spread[i], x.shape[axis]) * steps[axis];
  });
  const [outer, inner] = [x.shape.slice(0, first), x.shape.slice(last + 1)];
  const out = Tensor.zeros([...outer, ...shape, ...inner]);
  const [rows, width] = [size(outer), size(inner)];
  for (let row = 0; row < rows; row++) {
    const start = row * size(x.shape.slice(first));
    for (let i = 0; i < count; i++) {
      const from = start + offsets[i];
      out.data.set(x.data.subarray(from, from + width), (row * count + i) * width);
    }
  }
  return out;
}

/** Rows of a table by their numbers. */
export function embedding(table, places) {
  const width = size(table.shape.slice(1));
  const out = Tensor.zeros([...places.shape, ...table.shape.slice(1)]);
  places.data.forEach((place, i) => out.data.set(table.data.subarray(place * width, (place + 1) * width), i * width));
  return out;
}
