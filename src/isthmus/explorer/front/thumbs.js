/** Images as the points: the examples themselves in place of dots, where few enough are in sight. */

import { Atlas } from "./picture.js";

const SIDE = 26; // points of the screen that a picture takes at the least
const FILLED = 0.5; // of the plane that they may cover

export class Thumbs {
  /** @param {(row: number) => Float32Array} pictureOf an example. @param {object} given of all models. */
  constructor(pictureOf, { shape, pictured, labels, colours }) {
    Object.assign(this, { pictureOf, shape, labels, colours });
    this.atlas = new Atlas(shape, pictured);
    this.count = Math.min(pictured, this.atlas.room);
  }

  /** The rows that are drawn as pictures in a plane of so many points a side; none where too many are in sight. */
  rows(points, [left, right, bottom, top], side) {
    const found = [];
    const most = (FILLED * side * side) / SIDE ** 2;
    for (let row = 0; row < Math.min(this.count, points.length / 2); row++) {
      const [x, y] = [points[2 * row], points[2 * row + 1]];
      if (x < left || x > right || y < bottom || y > top) continue;
      found.push(row);
      if (found.length > most) return [];
    }
    return found;
  }

  /** Draw some rows, as large as there is room for, in frames of the colours of their classes. */
  draw(pen, paper, points, rows, chosen) {
    const size = Math.min(SIDE * 2, Math.max(SIDE, Math.sqrt((FILLED * paper.side ** 2) / rows.length)));
    const [, height, width] = this.shape;
    const fit = size / Math.max(height, width);
    pen.imageSmoothingEnabled = size < Math.max(height, width);
    for (const row of rows) {
      if (!this.atlas.has(row)) this.atlas.add(row, this.pictureOf(row));
      const kind = this.labels ? this.labels[row] : 0;
      const x = paper.across(points[2 * row]) - (fit * width) / 2;
      const y = paper.down(points[2 * row + 1]) - (fit * height) / 2;
      pen.globalAlpha = chosen.size === 0 || chosen.has(kind) ? 1 : 0.12;
      pen.fillStyle = this.colours[kind];
      pen.fillRect(x - 2, y - 2, fit * width + 4, fit * height + 4);
      this.atlas.draw(pen, row, x, y, fit * width, fit * height);
    }
    pen.globalAlpha = 1;
  }
}
