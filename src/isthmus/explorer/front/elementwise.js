/** Functions of numbers one by one, of one array or of two that are spread to one shape. */

import { expanded, same, size, Tensor, together } from "./tensors.js";

/** An operator on two arrays that are spread to one shape, or on an array and a number. */
export function binary(act) {
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

export function unary(act) {
  return (x, ...others) => new Tensor(x.data.map((value) => act(value, ...others)), x.shape);
}

export const sigmoid = (x) => 1 / (1 + Math.exp(-x));

/** The error function, by Abramowitz and Stegun's 7.1.26: off by 1.5e-7 at the most. */
export function erf(x) {
  const t = 1 / (1 + 0.3275911 * Math.abs(x));
  const series =
    t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  return Math.sign(x) * (1 - series * Math.exp(-x * x));
}
