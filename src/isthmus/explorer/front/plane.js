/** The plane of codes on a canvas: a map, examples as dots or pictures, and the place of the pointer. */

import { Dots } from "./dots.js";
import { Names } from "./names.js";
import { Stamps } from "./stamps.js";

const FONT = "11px system-ui, sans-serif";
const MOST = 64; // times that one can zoom in

export class Plane {
  /**
   * @param {HTMLCanvasElement} canvas square, as wide as its box.
   * @param {LiveModel} model whose codes are shown.
   * @param {{labels: number[]|null, colours: string[]}} given of all models.
   */
  constructor(canvas, model, given) {
    Object.assign(this, { canvas, model, given });
    this.window = model.view; // what of the plane is in sight: left, right, bottom, top
    this.here = [0, 0];
    this.marked = null;
    this.drawn = null;
    this.chosen = new Set(); // classes that are seen alone; all, where it is empty
    this.map = null; // a PlaneMap, where one is to be seen
    this.thumbs = null;
    this.overlays = []; // functions (pen, paper) that draw over the dots
    this.layer = document.createElement("canvas");
    this.dots = new Dots(given.colours);
    this.stamps = new Stamps();
    this.names = new Names(model, given);
  }

  /** Where the examples lie at the moment that is shown, x and y in turn. */
  get points() {
    return this.model.points();
  }

  /** How many times larger than the whole plane. */
  get zoom() {
    return (this.model.view[1] - this.model.view[0]) / (this.window[1] - this.window[0]);
  }

  /** From a place on the screen to coordinates in the plane. */
  placeOf(event) {
    const box = this.canvas.getBoundingClientRect();
    const [left, right, bottom, top] = this.window;
    return [
      left + ((event.clientX - box.left) / box.width) * (right - left),
      top - ((event.clientY - box.top) / box.height) * (top - bottom),
    ];
  }

  /** Zoom by a factor around a place, which stays where it is; not beyond the whole plane. */
  zoomBy(factor, [x, y]) {
    const wanted = Math.min(Math.max(this.zoom * factor, 1), MOST) / this.zoom;
    const [left, right, bottom, top] = this.window;
    this.look([x + (left - x) / wanted, x + (right - x) / wanted, y + (bottom - y) / wanted, y + (top - y) / wanted]);
  }

  /** Move the window, in coordinates. */
  pan(across, up) {
    const [left, right, bottom, top] = this.window;
    this.look([left + across, right + across, bottom + up, top + up]);
  }

  /** See a window, or as near to it as the plane reaches. */
  look([left, right, bottom, top]) {
    const [least, most, low, high] = this.model.view;
    const across = Math.max(least - left, 0) + Math.min(most - right, 0);
    const up = Math.max(low - bottom, 0) + Math.min(high - top, 0);
    this.window = [left + across, right + across, bottom + up, top + up];
  }

  /** The example that has a picture and is nearest to a place, if it lies within so many points. */
  exampleAt(place, reach = 12) {
    const side = this.canvas.clientWidth;
    const [left, right, bottom, top] = this.window;
    const [points, count] = [this.points, Math.min(this.given.pictured, this.points.length / 2)];
    let [best, least] = [null, reach ** 2];
    for (let row = 0; row < count; row++) {
      if (this.chosen.size > 0 && !this.chosen.has(this.given.labels[row])) continue;
      const x = ((points[2 * row] - place[0]) / (right - left)) * side;
      const y = ((points[2 * row + 1] - place[1]) / (top - bottom)) * side;
      if (x * x + y * y < least) [best, least] = [row, x * x + y * y];
    }
    return best;
  }

  /** Where a place in the plane is on the canvas, in points of the screen. */
  paper() {
    const side = this.canvas.clientWidth;
    const [left, right, bottom, top] = this.window;
    const styles = getComputedStyle(this.canvas);
    const colour = (name) => styles.getPropertyValue(name).trim();
    return {
      side,
      across: (x) => ((x - left) / (right - left)) * side,
      down: (y) => ((top - y) / (top - bottom)) * side,
      scale: [side / (right - left), side / (top - bottom)],
      radius: this.radius(),
      colours: { line: colour("--line"), quiet: colour("--quiet"), ink: colour("--ink"), paper: colour("--paper") },
    };
  }

  radius() {
    const base = Math.max(1.3, Math.min(4, 66 / Math.sqrt(this.points.length / 2)));
    return base * Math.min(2, Math.sqrt(this.zoom));
  }

  /** Draw what moves with the pointer over the layer that stays. */
  draw() {
    const paper = this.paper();
    const density = window.devicePixelRatio || 1;
    const pixels = Math.round(paper.side * density);
    if (!pixels) return;
    square(this.canvas, pixels);
    const key = `${pixels} ${[...this.chosen]} ${this.model.epoch} ${this.window} ${paper.colours.ink} ${this.map?.version}`;
    if (this.key !== key) this.drawLayer(paper, pixels, density);
    this.key = key;
    const pen = this.canvas.getContext("2d");
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.clearRect(0, 0, pixels, pixels);
    pen.drawImage(this.layer, 0, 0);
    pen.setTransform(density, 0, 0, density, 0, 0);
    pen.strokeStyle = pen.fillStyle = paper.colours.ink;
    if (this.marked !== null && this.marked < this.points.length / 2) {
      const [x, y] = [this.points[2 * this.marked], this.points[2 * this.marked + 1]];
      pen.lineWidth = 2;
      ring(pen, paper.across(x), paper.down(y), paper.radius + 5);
    }
    this.overlays.forEach((draw) => draw(pen, paper));
    if (this.drawn) this.drawPosterior(pen, paper);
    if (this.model.answers) this.drawCross(pen, paper.across(this.here[0]), paper.down(this.here[1]));
  }

  /** Everything but the marks: the map, axes, dots or pictures, and names. */
  drawLayer(paper, pixels, density) {
    square(this.layer, pixels);
    const pen = this.layer.getContext("2d", { willReadFrequently: true });
    pen.setTransform(density, 0, 0, density, 0, 0);
    pen.clearRect(0, 0, paper.side, paper.side);
    this.map?.draw(pen, paper, this.window, density);
    this.drawAxes(pen, paper);
    const points = this.points;
    const pictures = this.thumbs && this.zoom > 1.5 ? this.thumbs.rows(points, this.window, paper.side) : [];
    this.drawDots(pen, paper, pixels, density, points, pictures.length > 0 ? this.thumbs.count : 0);
    if (pictures.length > 0) this.thumbs.draw(pen, paper, points, pictures, this.chosen);
    else this.names.draw(pen, paper, this.chosen);
    this.writeAxes(pen, paper);
  }

  /** Dots of all examples from a row on, the first ones uppermost. */
  drawDots(pen, paper, pixels, density, points, first) {
    const { labels } = this.given;
    const [left, , , top] = this.window;
    const [across, down] = paper.scale.map((scale) => scale * density);
    this.dots.clear(pixels);
    for (let row = points.length / 2 - 1; row >= first; row--) {
      const kind = labels ? labels[row] : 0;
      const opacity = this.chosen.size === 0 || this.chosen.has(kind) ? 0.85 : 0.06;
      this.dots.add((points[2 * row] - left) * across, (top - points[2 * row + 1]) * down, paper.radius * density, kind, opacity);
    }
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.drawImage(this.dots.sheet(), 0, 0);
    pen.setTransform(density, 0, 0, density, 0, 0);
  }

  drawAxes(pen, { side, across, down, colours, scale }) {
    const [left, right, bottom, top] = this.window;
    pen.strokeStyle = colours.line;
    pen.lineWidth = 1;
    for (const x of ticks(left, right)) line(pen, across(x), 0, across(x), side);
    for (const y of this.model.size > 1 ? ticks(bottom, top) : []) line(pen, 0, down(y), side, down(y));
    pen.strokeStyle = colours.quiet;
    pen.globalAlpha = 0.6;
    for (const deviations of this.model.rings ? [1, 2] : []) ring(pen, across(0), down(0), deviations * scale[0]);
    pen.globalAlpha = 1;
  }

  /** The numbers along the edges and the names of the axes, with a halo, over all that lies there. */
  writeAxes(pen, { side, across, down, colours }) {
    const [left, right, bottom, top] = this.window;
    const write = (text, x, y, align) => this.stamps.draw(pen, text, FONT, [x, y], align, colours.quiet, colours.paper);
    for (const x of ticks(left, right)) {
      if (across(x) > 24 && across(x) < side - 40) write(said(x), across(x), side - 9, "center");
    }
    for (const y of this.model.size > 1 ? ticks(bottom, top) : []) {
      if (down(y) > 24 && down(y) < side - 24) write(said(y), 5, down(y), "left");
    }
    write(this.model.axes[0], side - 5, side - 9, "right");
    write(this.model.axes[1], 5, 10, "left");
  }

  /** Where a drawn picture lies: its code, and two standard deviations around it. */
  drawPosterior(pen, { across, down, scale }) {
    const { place, spread } = this.drawn;
    pen.lineWidth = 1.5;
    pen.beginPath();
    pen.arc(across(place[0]), down(place[1]), 4, 0, 2 * Math.PI);
    pen.fill();
    if (!spread) return;
    pen.beginPath();
    pen.ellipse(across(place[0]), down(place[1]), 2 * spread[0] * scale[0], 2 * (spread[1] ?? 0) * scale[1], 0, 0, 2 * Math.PI);
    pen.stroke();
  }

  drawCross(pen, x, y) {
    pen.lineWidth = 2;
    line(pen, x - 9, y, x + 9, y);
    line(pen, x, y - 9, x, y + 9);
  }
}

function line(pen, x0, y0, x1, y1) {
  pen.beginPath();
  pen.moveTo(x0, y0);
  pen.lineTo(x1, y1);
  pen.stroke();
}

function ring(pen, x, y, radius) {
  pen.beginPath();
  pen.arc(x, y, radius, 0, 2 * Math.PI);
  pen.stroke();
}

function ticks(low, high) {
  const rough = (high - low) / 7;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((n) => n * power).find((n) => n >= rough);
  const found = [];
  for (let n = Math.ceil(low / step); n * step <= high; n++) found.push(Number((n * step).toPrecision(6)));
  return found;
}

const said = (value) => String(value).replace("-", "−");

/** Give a canvas so many pixels a side, unless it has them: that empties it. It is born 300 × 150. */
function square(canvas, pixels) {
  if (canvas.width !== pixels || canvas.height !== pixels) canvas.width = canvas.height = pixels;
}
