/** Dense arrays of numbers with a shape, row-major, and how they are gathered and spread. */

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

export const size = (shape) => shape.reduce((total, side) => total * side, 1);

/** Steps of a row-major array. */
export function stepsOf(shape) {
  const steps = new Array(shape.length);
  let step = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    steps[axis] = step;
    step *= shape[axis];
  }
  return steps;
}

export const axisOf = (axis, count) => (axis < 0 ? axis + count : axis);

/** Gather by steps: the array of `shape` whose place (i, j, …) is `start + i * steps[0] + …`. */
export function gathered(data, shape, steps, start = 0) {
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

export function expanded(x, wanted) {
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

export function together(a, b) {
  const count = Math.max(a.length, b.length);
  return Array.from({ length: count }, (_, axis) =>
    Math.max(a[axis - count + a.length] ?? 1, b[axis - count + b.length] ?? 1),
  );
}

export const same = (a, b) => a.length === b.length && a.every((side, axis) => side === b[axis]);
