/** A pad to draw on with mouse or finger; what was drawn comes out as pixels of the data's size. */

export class Pad {
  /**
   * @param {HTMLCanvasElement} canvas square.
   * @param {number[]} shape (channels, height, width) of the examples.
   * @param {{fill: number, centre: number[]}} drawn how examples lie in their frame.
   * @param {(pixels: Float32Array) => void} onDrawn called while one draws, with values from 0 to 1.
   */
  constructor(canvas, shape, drawn, onDrawn) {
    Object.assign(this, { canvas, shape, drawn, onDrawn });
    canvas.width = canvas.height = 280;
    this.pen = canvas.getContext("2d", { willReadFrequently: true });
    this.pen.lineCap = this.pen.lineJoin = "round";
    this.pen.lineWidth = 26;
    this.pen.strokeStyle = "white";
    this.clear();
    canvas.style.touchAction = "none";
    canvas.addEventListener("pointerdown", (event) => this.begin(event));
    canvas.addEventListener("pointermove", (event) => this.go(event));
    for (const name of ["pointerup", "pointercancel"]) {
      canvas.addEventListener(name, () => (this.last = null));
    }
  }

  clear() {
    this.pen.fillStyle = "black";
    this.pen.fillRect(0, 0, 280, 280);
    this.last = null;
    this.isEmpty = true;
  }

  begin(event) {
    this.canvas.setPointerCapture(event.pointerId);
    this.last = this.placeOf(event);
    this.go(event);
  }

  go(event) {
    if (!this.last) return;
    const place = this.placeOf(event);
    this.pen.beginPath();
    this.pen.moveTo(...this.last);
    this.pen.lineTo(place[0] + 0.01, place[1]);
    this.pen.stroke();
    this.last = place;
    this.isEmpty = false;
    this.onDrawn(this.pixels());
  }

  placeOf(event) {
    const box = this.canvas.getBoundingClientRect();
    return [((event.clientX - box.left) / box.width) * 280, ((event.clientY - box.top) / box.height) * 280];
  }

  /** What was drawn, as large and in the same place as the examples are in their frames. */
  pixels() {
    const bright = this.pen.getImageData(0, 0, 280, 280).data;
    const [, height, width] = this.shape;
    let [mass, x, y] = [0, 0, 0];
    let [left, right, top, bottom] = [280, 0, 280, 0];
    for (let i = 0; i < 280 * 280; i++) {
      const value = bright[4 * i];
      if (!value) continue;
      const [column, row] = [i % 280, Math.floor(i / 280)];
      mass += value;
      x += value * column;
      y += value * row;
      [left, right] = [Math.min(left, column), Math.max(right, column)];
      [top, bottom] = [Math.min(top, row), Math.max(bottom, row)];
    }
    const out = new Float32Array(height * width);
    if (!mass) return out;
    const extent = Math.max(right - left, bottom - top, 60) / this.drawn.fill;
    const cell = extent / Math.max(width, height);
    const start = [
      x / mass - this.drawn.centre[0] * cell * width,
      y / mass - this.drawn.centre[1] * cell * height,
    ];
    for (let row = 0; row < height; row++) {
      for (let column = 0; column < width; column++) {
        out[row * width + column] = this.meanOf(bright, start[0] + column * cell, start[1] + row * cell, cell);
      }
    }
    return out;
  }

  meanOf(bright, x, y, cell) {
    let total = 0;
    for (let i = 0; i < 16; i++) {
      const column = Math.round(x + ((i % 4) + 0.5) * (cell / 4));
      const row = Math.round(y + (Math.floor(i / 4) + 0.5) * (cell / 4));
      if (column >= 0 && column < 280 && row >= 0 && row < 280) total += bright[4 * (row * 280 + column)];
    }
    return total / 16 / 255;
  }
}
