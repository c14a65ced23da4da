/** Products of matrices, and convolutions. */

import { Tensor } from "./tensors.js";

export function mm(a, b) {
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

export function bmm(a, b) {
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

/**
 * Convolutions of one or two sides, in groups, and transposed ones. Those of signals are images of
 * one row. The innermost loop runs along a row of the output, over a weight that stays.
 */
export function convolution(x, weight, bias, stride, padding, dilation, transposed, outputPadding, groups) {
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
