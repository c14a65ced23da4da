/**
 * Networks in the browser: a graph of torch's own operators, evaluated on the numbers of a model.
 *
 * A graph is what `isthmus.explorer.graph` writes: `{inputs: [shape, …], nodes: [{name, op, args}], outputs}`,
 * where an argument is a number, a list, null, or `{tensor: name}`. Weights lie in one buffer.
 * Every tensor is row-major and as dense as it looks; one example at a time is evaluated.
 */

/** A dense array of numbers with a shape. */
export class Tensor {
  constructor(data, shape) {
    this.data = data;
    this.shape = shape;
  }

  static zeros(shape) {
    return new Tensor(new Float32Array(size(shape)), shape);
  }
}

/** The operators that a graph may hold; the page asks before it offers a live model. */
export function knows(graph) {
  return graph.nodes.every((node) => node.op in OPERATORS);
}

/** What a graph makes of its inputs, each a flat list of numbers, with weights: a list of tensors. */
export function evaluate(graph, weights, ...inputs) {
  const { nodes, constants } = folded(graph, weights);
  const known = new Map(constants);
  graph.inputs.forEach((shape, i) => known.set(`input ${i}`, new Tensor(Float32Array.from(inputs[i]), shape)));
  for (const node of nodes) known.set(node.name, applied(node, known));
  return graph.outputs.map((name) => known.get(name));
}

const FOLDED = new WeakMap();

/** What depends on the weights alone, which is computed once, and the nodes that are left. */
function folded(graph, weights) {
  if (!FOLDED.has(weights)) FOLDED.set(weights, new Map());
  const known = FOLDED.get(weights);
  if (!known.has(graph)) {
    const constants = new Map(Object.entries(weights));
    const nodes = graph.nodes.filter((node) => {
      if (!tensorsIn(node.args).every((name) => constants.has(name))) return true;
      constants.set(node.name, applied(node, constants));
      return false;
    });
    known.set(graph, { nodes, constants });
  }
  return known.get(graph);
}

function applied({ op, args }, known) {
  const find = (value) => {
    if (Array.isArray(value)) return value.map(find);
    return value !== null && typeof value === "object" ? known.get(value.tensor) : value;
  };
  return OPERATORS[op](...args.map(find));
}

function tensorsIn(value) {
  if (Array.isArray(value)) return value.flatMap(tensorsIn);
  return value !== null && typeof value === "object" ? [value.tensor] : [];
}

const size = (shape) => shape.reduce((total, side) => total * side, 1);

/** Steps of a row-major array. */
function stepsOf(shape) {
  const steps = new Array(shape.length);
  let step = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    steps[axis] = step;
    step *= shape[axis];
  }
  return steps;
}

const axisOf = (axis, count) => (axis < 0 ? axis + count : axis);

/** Gather by steps: the array of `shape` whose place (i, j, …) is `start + i * steps[0] + …`. */
function gathered(data, shape, steps, start = 0) {
  const out = new Float32Array(size(shape));
  const places = new Array(shape.length).fill(0);
  let from = start;
  for (let to = 0; to < out.length; to++) {
    out[to] = data[from];
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      from += steps[axis];
      if (++places[axis] < shape[axis]) break;
      from -= steps[axis] * shape[axis];
      places[axis] = 0;
    }
  }
  return new Tensor(out, shape);
}

function expanded(x, wanted) {
  const shape = wanted.map((side, axis) => {
    const own = axis - (wanted.length - x.shape.length);
    return side === -1 ? x.shape[own] : side;
  });
  const steps = stepsOf(x.shape);
  const spread = shape.map((side, axis) => {
    const own = axis - (shape.length - x.shape.length);
    return own < 0 || (x.shape[own] === 1 && side !== 1) ? 0 : steps[own];
  });
  return gathered(x.data, shape, spread);
}

function together(a, b) {
  const count = Math.max(a.length, b.length);
  return Array.from({ length: count }, (_, axis) =>
    Math.max(a[axis - count + a.length] ?? 1, b[axis - count + b.length] ?? 1),
  );
}

const same = (a, b) => a.length === b.length && a.every((side, axis) => side === b[axis]);

/** An operator on two arrays that are spread to one shape, or on an array and a number. */
function binary(act) {
  return (a, b) => {
    if (!(a instanceof Tensor)) a = new Tensor(Float32Array.of(a), []);
    if (!(b instanceof Tensor)) b = new Tensor(Float32Array.of(b), []);
    const shape = together(a.shape, b.shape);
    const left = a.data.length === 1 || same(a.shape, shape) ? a.data : expanded(a, shape).data;
    const right = b.data.length === 1 || same(b.shape, shape) ? b.data : expanded(b, shape).data;
    const out = new Float32Array(size(shape));
    const [one, other] = [left.length === 1 ? 0 : 1, right.length === 1 ? 0 : 1];
    for (let i = 0; i < out.length; i++) out[i] = act(left[i * one], right[i * other]);
    return new Tensor(out, shape);
  };
}

function unary(act) {
  return (x, ...others) => new Tensor(x.data.map((value) => act(value, ...others)), x.shape);
}

const sigmoid = (x) => 1 / (1 + Math.exp(-x));

/** The error function, by Abramowitz and Stegun's 7.1.26: off by 1.5e-7 at the most. */
function erf(x) {
  const t = 1 / (1 + 0.3275911 * Math.abs(x));
  const series =
    t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  return Math.sign(x) * (1 - series * Math.exp(-x * x));
}

function mm(a, b) {
  const [rows, inner] = a.shape;
  const columns = b.shape[1];
  const out = new Float32Array(rows * columns);
  for (let i = 0; i < rows; i++) {
    for (let k = 0; k < inner; k++) {
      const factor = a.data[i * inner + k];
      if (factor === 0) continue;
      for (let j = 0; j < columns; j++) out[i * columns + j] += factor * b.data[k * columns + j];
    }
  }
  return new Tensor(out, [rows, columns]);
}

function bmm(a, b) {
  const parts = [];
  const [left, right] = [a.shape[1] * a.shape[2], b.shape[1] * b.shape[2]];
  for (let i = 0; i < a.shape[0]; i++) {
    parts.push(
      mm(
        new Tensor(a.data.subarray(i * left, (i + 1) * left), a.shape.slice(1)),
        new Tensor(b.data.subarray(i * right, (i + 1) * right), b.shape.slice(1)),
      ),
    );
  }
  const out = Tensor.zeros([a.shape[0], a.shape[1], b.shape[2]]);
  parts.forEach((part, i) => out.data.set(part.data, i * part.data.length));
  return out;
}

function permute(x, order) {
  const steps = stepsOf(x.shape);
  const axes = order.map((axis) => axisOf(axis, x.shape.length));
  return gathered(
    x.data,
    axes.map((axis) => x.shape[axis]),
    axes.map((axis) => steps[axis]),
  );
}

function view(x, shape) {
  const known = -size(shape);
  const whole = shape.map((side) => (side === -1 ? x.data.length / known : side));
  return new Tensor(x.data, whole);
}

function slice(x, axis = 0, start = 0, end = null, step = 1) {
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

function select(x, axis, index) {
  const at = axisOf(axis, x.shape.length);
  const part = slice(x, at, axisOf(index, x.shape[at]), axisOf(index, x.shape[at]) + 1);
  return new Tensor(part.data, x.shape.filter((_, own) => own !== at));
}

function cat(parts, axis = 0) {
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

function split(x, sizes, axis = 0) {
  let start = 0;
  return sizes.map((length) => slice(x, axis, start, (start += length)));
}

/** Reduce over axes by a function of what was gathered so far and the next value. */
function reduced(x, axes, keep, first, act) {
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

const sum = (x, axes = null, keep = false) => reduced(x, axes, keep, 0, (a, b) => a + b);

function mean(x, axes = null, keep = false) {
  const total = sum(x, axes, keep);
  const count = x.data.length / total.data.length;
  return new Tensor(total.data.map((value) => value / count), total.shape);
}

function softmax(x, axis) {
  const most = reduced(x, [axis], true, -Infinity, Math.max);
  const powers = unary(Math.exp)(OPERATORS.sub(x, most));
  return OPERATORS.div(powers, sum(powers, [axis], true));
}

/** Group normalisation, (n, channels, places), with or without weights. */
function groupNorm(x, weight, bias, n, channels, places, groups, epsilon) {
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
function variance(x, axes, correction = 1, keep = false) {
  const squares = unary((value) => value * value)(OPERATORS.sub(x, mean(x, axes, true)));
  const total = sum(squares, axes, keep);
  const count = x.data.length / total.data.length - correction;
  return new Tensor(total.data.map((value) => value / count), total.shape);
}

/** Batch normalisation with the statistics of training. */
function batchNorm(x, weight, bias, mean, variance, momentum, epsilon) {
  const [channels, places] = [x.shape[1], size(x.shape.slice(2))];
  const out = x.data.map((value, i) => {
    const channel = Math.floor(i / places) % channels;
    const scale = (weight ? weight.data[channel] : 1) / Math.sqrt(variance.data[channel] + epsilon);
    return (value - mean.data[channel]) * scale + (bias ? bias.data[channel] : 0);
  });
  return [new Tensor(out, x.shape)];
}

/**
 * Convolutions of one or two sides, in groups, and transposed ones. Those of signals are images of
 * one row. The innermost loop runs along a row of the output, over a weight that stays.
 */
function convolution(x, weight, bias, stride, padding, dilation, transposed, outputPadding, groups) {
  if (x.shape.length === 3) {
    const row = (tensor) => new Tensor(tensor.data, [tensor.shape[0], tensor.shape[1], 1, tensor.shape[2]]);
    const wide = convolution(
      row(x), row(weight), bias, [1, stride[0]], [0, padding[0]], [1, dilation[0]], transposed,
      [0, outputPadding[0] ?? 0], groups,
    );
    return new Tensor(wide.data, [wide.shape[0], wide.shape[1], wide.shape[3]]);
  }
  const [n, channels, height, width] = x.shape;
  const [kernelHeight, kernelWidth] = weight.shape.slice(2);
  const side = (length, kernel, axis) =>
    transposed
      ? (length - 1) * stride[axis] - 2 * padding[axis] + dilation[axis] * (kernel - 1) + outputPadding[axis] + 1
      : Math.floor((length + 2 * padding[axis] - dilation[axis] * (kernel - 1) - 1) / stride[axis]) + 1;
  const [outHeight, outWidth] = [side(height, kernelHeight, 0), side(width, kernelWidth, 1)];
  const outChannels = transposed ? weight.shape[1] * groups : weight.shape[0];
  const out = Tensor.zeros([n, outChannels, outHeight, outWidth]);
  const [inGroup, outGroup] = [channels / groups, outChannels / groups];
  const area = kernelHeight * kernelWidth;
  for (let i = 0; i < n; i++) {
    for (let o = 0; o < outChannels; o++) {
      const to = (i * outChannels + o) * outHeight * outWidth;
      if (bias) out.data.fill(bias.data[o], to, to + outHeight * outWidth);
      const group = Math.floor(o / outGroup);
      for (let c = 0; c < inGroup; c++) {
        const from = (i * channels + group * inGroup + c) * height * width;
        const kernel = transposed
          ? ((group * inGroup + c) * outGroup + (o - group * outGroup)) * area
          : (o * inGroup + c) * area;
        for (let ky = 0; ky < kernelHeight; ky++) {
          for (let kx = 0; kx < kernelWidth; kx++) {
            const factor = weight.data[kernel + ky * kernelWidth + kx];
            if (factor === 0) continue;
            if (transposed) {
              spread(x.data, out.data, from, to, height, width, outHeight, outWidth, factor, ky, kx, stride, padding, dilation);
            } else {
              collect(x.data, out.data, from, to, height, width, outHeight, outWidth, factor, ky, kx, stride, padding, dilation);
            }
          }
        }
      }
    }
  }
  return out;
}

function collect(x, out, from, to, height, width, outHeight, outWidth, factor, ky, kx, stride, padding, dilation) {
  const shift = kx * dilation[1] - padding[1];
  const first = Math.max(0, Math.ceil(-shift / stride[1]));
  const last = Math.min(outWidth - 1, Math.floor((width - 1 - shift) / stride[1]));
  for (let y = 0; y < outHeight; y++) {
    const row = y * stride[0] + ky * dilation[0] - padding[0];
    if (row < 0 || row >= height) continue;
    for (let at = first; at <= last; at++) {
      out[to + y * outWidth + at] += factor * x[from + row * width + at * stride[1] + shift];
    }
  }
}

function spread(x, out, from, to, height, width, outHeight, outWidth, factor, ky, kx, stride, padding, dilation) {
  const shift = kx * dilation[1] - padding[1];
  const first = Math.max(0, Math.ceil(-shift / stride[1]));
  const last = Math.min(width - 1, Math.floor((outWidth - 1 - shift) / stride[1]));
  for (let y = 0; y < height; y++) {
    const row = y * stride[0] + ky * dilation[0] - padding[0];
    if (row < 0 || row >= outHeight) continue;
    for (let at = first; at <= last; at++) {
      out[to + row * outWidth + at * stride[1] + shift] += factor * x[from + y * width + at];
    }
  }
}

function padded(x, amounts, value = 0) {
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

function nearest(x, outer) {
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
function index(x, places) {
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
function embedding(table, places) {
  const width = size(table.shape.slice(1));
  const out = Tensor.zeros([...places.shape, ...table.shape.slice(1)]);
  places.data.forEach((place, i) => out.data.set(table.data.subarray(place * width, (place + 1) * width), i * width));
  return out;
}

/** The best along an axis, and where: torch's `min` and `max`. */
function best(x, axis, keep, isBetter) {
  const places = argbest(x, axis, true, isBetter);
  const values = reduced(x, [axis], true, NaN, (a, b) => (isBetter(b, a) || Number.isNaN(a) ? b : a));
  const shape = keep ? places.shape : places.shape.filter((_, own) => own !== axisOf(axis, x.shape.length));
  return [new Tensor(values.data, shape), new Tensor(places.data, shape)];
}

function argbest(x, axis, keep, isBetter) {
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

export const OPERATORS = {
  abs: unary(Math.abs),
  add: (a, b, factor = 1) => binary((x, y) => x + factor * y)(a, b),
  addmm: (bias, a, b, own = 1, factor = 1) =>
    binary((x, y) => own * x + factor * y)(bias, mm(a, b)),
  alias: (x) => x,
  amax: (x, axes, keep = false) => reduced(x, axes, keep, -Infinity, Math.max),
  amin: (x, axes, keep = false) => reduced(x, axes, keep, Infinity, Math.min),
  arange: (start, end, step) => {
    if (typeof end !== "number") [start, end] = [0, start];
    const count = Math.ceil((end - start) / (step ?? 1));
    return new Tensor(Float32Array.from({ length: count }, (_, i) => start + i * (step ?? 1)), [count]);
  },
  argmax: (x, axis, keep = false) => argbest(x, axis, keep, (a, b) => a > b),
  argmin: (x, axis, keep = false) => argbest(x, axis, keep, (a, b) => a < b),
  atanh: unary(Math.atanh),
  bmm,
  cat,
  clamp: unary((x, low = null, high = null) => Math.min(Math.max(x, low ?? -Infinity), high ?? Infinity)),
  clone: (x) => x,
  constant_pad_nd: padded,
  convolution,
  cos: unary(Math.cos),
  div: binary((x, y) => x / y),
  elu: unary((x, alpha = 1, scale = 1, inner = 1) => scale * (x > 0 ? x : alpha * Math.expm1(inner * x))),
  embedding,
  eq: binary((x, y) => +(x === y)),
  erf: unary(erf),
  exp: unary(Math.exp),
  expand: expanded,
  expm1: unary(Math.expm1),
  full: (shape, value) => new Tensor(new Float32Array(size(shape)).fill(+value), shape),
  full_like: (x, value) => new Tensor(new Float32Array(x.data.length).fill(+value), x.shape),
  ge: binary((x, y) => +(x >= y)),
  gelu: unary((x, form = "none") =>
    form === "tanh"
      ? 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)))
      : 0.5 * x * (1 + erf(x / Math.SQRT2)),
  ),
  getitem: (list, place) => list[place],
  index,
  gt: binary((x, y) => +(x > y)),
  hardtanh: unary((x, low = -1, high = 1) => Math.min(Math.max(x, low), high)),
  le: binary((x, y) => +(x <= y)),
  leaky_relu: unary((x, slope = 0.01) => (x > 0 ? x : slope * x)),
  lift_fresh_copy: (x) => x,
  log: unary(Math.log),
  log1p: unary(Math.log1p),
  lt: binary((x, y) => +(x < y)),
  max: (x, axis, keep = false) => best(x, axis, keep, (a, b) => a > b),
  maximum: binary(Math.max),
  mean,
  min: (x, axis, keep = false) => best(x, axis, keep, (a, b) => a < b),
  minimum: binary(Math.min),
  mm,
  mul: binary((x, y) => x * y),
  native_batch_norm: (x, weight, bias, mean, variance, isTraining, ...others) =>
    batchNorm(x, weight, bias, mean, variance, ...others),
  native_batch_norm_legit_no_training: batchNorm,
  native_group_norm: groupNorm,
  neg: unary((x) => -x),
  permute,
  pow: binary(Math.pow),
  reciprocal: unary((x) => 1 / x),
  relu: unary((x) => (x > 0 ? x : 0)),
  round: unary((x) => {
    const low = Math.floor(x);
    const rest = x - low;
    return rest < 0.5 || (rest === 0.5 && low % 2 === 0) ? low : low + 1; // halves to the even, as torch
  }),
  rsqrt: unary((x) => 1 / Math.sqrt(x)),
  select,
  sigmoid: unary(sigmoid),
  sign: unary(Math.sign),
  silu: unary((x) => x * sigmoid(x)),
  sin: unary(Math.sin),
  slice,
  softmax: (x, axis) => softmax(x, axis),
  softplus: unary((x, beta = 1, threshold = 20) => (x * beta > threshold ? x : Math.log1p(Math.exp(x * beta)) / beta)),
  split_with_sizes: split,
  sqrt: unary(Math.sqrt),
  squeeze: (x, axes = null) => {
    const gone = axes === null ? null : [axes].flat().map((axis) => axisOf(axis, x.shape.length));
    return new Tensor(x.data, x.shape.filter((side, axis) => side !== 1 || (gone && !gone.includes(axis))));
  },
  sub: (a, b, factor = 1) => binary((x, y) => x - factor * y)(a, b),
  sum,
  to_copy: (x, type) => (type?.includes("int") ? unary(Math.trunc)(x) : x),
  tanh: unary(Math.tanh),
  unsqueeze: (x, axis) => {
    const shape = x.shape.slice();
    shape.splice(axisOf(axis, x.shape.length + 1), 0, 1);
    return new Tensor(x.data, shape);
  },
  upsample_nearest2d: (x, outer) => nearest(x, outer),
  var: variance,
  view,
  where: (condition, a, b) => {
    const parts = [condition, a, b].map((x) => (x instanceof Tensor ? x : new Tensor(Float32Array.of(x), [])));
    const shape = parts.map((part) => part.shape).reduce(together);
    const [chosen, left, right] = parts.map((part) => expanded(part, shape).data);
    return new Tensor(chosen.map((is, i) => (is ? left[i] : right[i])), shape);
  },
};
