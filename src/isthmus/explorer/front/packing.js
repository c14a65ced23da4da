/** What `isthmus.explorer._packing` wrote: whole numbers of several moments, as differences, deflated. */

/** A copy of a JSON value in which everything that was packed is an array of numbers. */
export async function unpacked(value) {
  if (value === null || typeof value !== "object") return value;
  if (Array.isArray(value)) {
    return typeof value[0] === "object" ? Promise.all(value.map(unpacked)) : value;
  }
  if (typeof value.packed === "string") return numbersOf(value);
  const entries = Object.entries(value).map(async ([name, part]) => [name, await unpacked(part)]);
  return Object.fromEntries(await Promise.all(entries));
}

/** Numbers of 8 or 16 bits, one moment after another. */
async function numbersOf({ packed, bits, moments }) {
  const bytes = await inflated(packed);
  const count = (bytes.length * 8) / bits;
  const found = bits === 8 ? new Uint8Array(count) : new Uint16Array(count);
  for (let i = 0; i < count; i++) found[i] = bits === 8 ? bytes[i] : bytes[i] | (bytes[count + i] << 8);
  const each = count / moments;
  for (let i = each; i < count; i++) found[i] += found[i - each]; // around, as the type does
  return found;
}

async function inflated(text) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** Real numbers of `isthmus.explorer._packing.packed_reals` at a moment, into an array. */
export function realsInto(out, { low, high, values }, moment) {
  const axes = low.length;
  const scales = low.map((least, axis) => (high[axis] - least) / 65535);
  const start = moment * out.length;
  for (let i = 0; i < out.length; i++) out[i] = low[i % axes] + scales[i % axes] * values[start + i];
  return out;
}

/** Numbers in half precision. */
export function halvesOf(bits) {
  return Float32Array.from(bits, (half) => {
    const sign = half & 0x8000 ? -1 : 1;
    const exponent = (half >> 10) & 31;
    const fraction = half & 1023;
    if (exponent === 0) return sign * fraction * 2 ** -24;
    return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
  });
}
