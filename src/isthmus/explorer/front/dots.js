/** Thousands of dots, drawn pixel by pixel: much faster than circles of a canvas, and as smooth. */

export class Dots {
  /** @param {string[]} colours as #rrggbb. */
  constructor(colours) {
    this.colours = colours.map((colour) => [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16)));
    this.canvas = document.createElement("canvas");
    this.pen = this.canvas.getContext("2d", { willReadFrequently: true });
  }

  /** An empty sheet of so many pixels a side. */
  clear(pixels) {
    if (this.image?.width === pixels) return this.image.data.fill(0); // a canvas is born 300 wide
    this.canvas.width = this.canvas.height = pixels;
    this.image = this.pen.createImageData(pixels, pixels);
  }

  /** Add a disc around a place, all in pixels, with soft edges. */
  add(x, y, radius, colour, opacity) {
    const { width: side, data } = this.image;
    const reach = radius + 0.5;
    const [left, right] = [Math.max(0, Math.ceil(x - reach - 0.5)), Math.min(side - 1, Math.floor(x + reach - 0.5))];
    const [top, bottom] = [Math.max(0, Math.ceil(y - reach - 0.5)), Math.min(side - 1, Math.floor(y + reach - 0.5))];
    const [red, green, blue] = this.colours[colour];
    for (let row = top; row <= bottom; row++) {
      const down = row + 0.5 - y;
      for (let column = left; column <= right; column++) {
        const across = column + 0.5 - x;
        const inside = reach - Math.sqrt(across * across + down * down);
        if (inside <= 0) continue;
        const cover = opacity * Math.min(inside, 1);
        const at = 4 * (row * side + column);
        const before = data[at + 3] / 255;
        const after = cover + before * (1 - cover);
        const share = cover / after;
        data[at] += (red - data[at]) * share;
        data[at + 1] += (green - data[at + 1]) * share;
        data[at + 2] += (blue - data[at + 2]) * share;
        data[at + 3] = 255 * after;
      }
    }
  }

  /** What was added, as a canvas. */
  sheet() {
    this.pen.putImageData(this.image, 0, 0);
    return this.canvas;
  }
}
