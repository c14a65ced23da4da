/** Torch's core operators by their names, as `isthmus.explorer.graph` writes them. */

import { binary, erf, sigmoid, unary } from "./elementwise.js";
import { bmm, convolution, mm } from "./products.js";
import { argbest, batchNorm, best, groupNorm, mean, reduced, softmax, sum, topk, variance } from "./reductions.js";
import { cat, embedding, index, nearest, padded, permute, scatter, select, slice, split, view } from "./shaping.js";
import { axisOf, expanded, size, Tensor, together } from "./tensors.js";

export const OPERATORS = {
  abs: unary(Math.abs),
  add: (a, b, factor = 1) => binary((x, y) => x + factor * y)(a, b),
  addmm: (bias, a, b, own = 1, factor = 1) =>
    binary((x, y) => own * x + factor * y)(bias, mm(a, b)),
  alias: (x) => x,
  amax: (x, axes, keep = false) => reduced(x, axes, keep, -Infinity, Math.max),
  amin: (x, axes, keep = false) => reduced(x, axes, keep, Infinity, Math.min),
  any: (x, axis = null, keep = false) =>
    reduced(x, axis === null ? null : [axis], keep, 0, (a, b) => +(a !== 0 || b !== 0)),
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
  index_select: (x, axis, places) => index(x, [...new Array(axis).fill(null), places]),
  gt: binary((x, y) => +(x > y)),
  hardtanh: unary((x, low = -1, high = 1) => Math.min(Math.max(x, low), high)),
  le: binary((x, y) => +(x <= y)),
  leaky_relu: unary((x, slope = 0.01) => (x > 0 ? x : slope * x)),
  lift_fresh_copy: (x) => x,
  log: unary(Math.log),
  log1p: unary(Math.log1p),
  logical_not: unary((x) => +(x === 0)),
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
  native_layer_norm: (x, shape, weight, bias, epsilon) =>
    groupNorm(x, weight, bias, x.data.length / size(shape), size(shape), 1, 1, epsilon),
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
  scatter,
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
  topk,
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
