/** Numbers of a picture, (channels, height, width), on a canvas. */

/** Draw values from 0, dark, to 1, bright. */
export function paint(canvas, values, shape) {
  const [, height, width] = shape;
  if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
  const pen = canvas.getContext("2d");
  const image = pen.createImageData(width, height);
  pixelsInto(image.data, values, shape);
  pen.putImageData(image, 0, 0);
}

function pixelsInto(data, values, [channels, height, width]) {
  const area = width * height;
  for (let i = 0; i < area; i++) {
    for (let c = 0; c < 3; c++) {
      data[4 * i + c] = 255 * Math.min(Math.max(values[(channels === 3 ? c : 0) * area + i], 0), 1);
    }
    data[4 * i + 3] = 255;
  }
}

/** Pictures of one shape beside each other on one canvas, the oldest of which make room for new ones. */
export class Atlas {
  /**
   * @param {number[]} shape of a picture.
   * @param {number} count pictures that are wanted; there may be room for fewer.
   */
  constructor(shape, count) {
    const [, height, width] = shape;
    this.shape = shape;
    this.across = Math.max(1, Math.min(Math.floor(2048 / width), Math.ceil(Math.sqrt(count))));
    this.room = this.across * Math.max(1, Math.min(Math.floor(2048 / height), Math.ceil(count / this.across)));
    this.canvas = document.createElement("canvas");
    this.canvas.width = this.across * width;
    this.canvas.height = (this.room / this.across) * height;
    this.pen = this.canvas.getContext("2d", { willReadFrequently: true });
    this.image = this.pen.createImageData(width, height);
    this.slots = new Map();
  }

  has(key) {
    return this.slots.has(key);
  }

  clear() {
    this.slots.clear();
  }

  /** Keep a picture; with `ink`, [red, green, blue], one of a single channel is ink where it is bright. */
  add(key, values, ink = null) {
    let slot = this.slots.size;
    if (slot >= this.room) {
      const [oldest, place] = this.slots.entries().next().value;
      this.slots.delete(oldest);
      slot = place;
    }
    if (ink && this.shape[0] === 1) {
      for (let i = 0; i < values.length; i++) {
        for (let c = 0; c < 3; c++) this.image.data[4 * i + c] = ink[c];
        this.image.data[4 * i + 3] = 255 * Math.min(Math.max(values[i], 0), 1);
      }
    } else {
      pixelsInto(this.image.data, values, this.shape);
    }
    const [x, y] = this.placeOf(slot);
    this.pen.putImageData(this.image, x, y);
    this.slots.set(key, slot);
  }

  placeOf(slot) {
    const [, height, width] = this.shape;
    return [(slot % this.across) * width, Math.floor(slot / this.across) * height];
  }

  /** Draw a picture into a box. */
  draw(pen, key, x, y, width, height) {
    const [left, top] = this.placeOf(this.slots.get(key));
    pen.drawImage(this.canvas, left, top, this.shape[2], this.shape[1], x, y, width, height);
  }
}
