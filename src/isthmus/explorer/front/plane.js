/** The plane of codes on a canvas: examples as dots, and the place that the pointer is at. */

const INK = { line: "--line", text: "--quiet", mark: "--ink" };

export class Plane {
  /**
   * @param {HTMLCanvasElement} canvas square, as wide as its box.
   * @param {LiveModel} model whose codes are shown.
   * @param {{labels: number[]|null, colours: string[]}} classes of the examples.
   */
  constructor(canvas, model, classes) {
    Object.assign(this, { canvas, model, classes });
    this.here = [0, 0];
    this.marked = null;
    this.drawn = null;
    this.alone = null;
    this.overlays = []; // functions (pen, paper) that draw over the dots
  }

  /** Where the examples lie at the moment that is shown, x and y in turn. */
  get points() {
    return this.model.points();
  }

  /** From a place on the screen to coordinates in the plane. */
  placeOf(event) {
    const box = this.canvas.getBoundingClientRect();
    const [left, right, bottom, top] = this.model.view;
    return [
      left + ((event.clientX - box.left) / box.width) * (right - left),
      top - ((event.clientY - box.top) / box.height) * (top - bottom),
    ];
  }

  /** The example that is nearest to a place, if it lies within so many pixels. */
  exampleAt(place, reach = 12) {
    const side = this.canvas.clientWidth;
    const [left, right, bottom, top] = this.model.view;
    let [best, least] = [null, reach ** 2];
    for (let row = 0; row < this.points.length / 2; row++) {
      const x = ((this.points[2 * row] - place[0]) / (right - left)) * side;
      const y = ((this.points[2 * row + 1] - place[1]) / (top - bottom)) * side;
      if (x * x + y * y < least) [best, least] = [row, x * x + y * y];
    }
    return best;
  }

  /** Draw what moves with the pointer over the layer that stays. */
  draw() {
    const side = this.canvas.clientWidth;
    const density = window.devicePixelRatio || 1;
    const pixels = Math.round(side * density);
    if (!pixels) return;
    if (this.canvas.width !== pixels) this.canvas.width = this.canvas.height = pixels;
    const pen = this.canvas.getContext("2d");
    const paper = this.paperOf(side, density);
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.clearRect(0, 0, pixels, pixels);
    pen.drawImage(paper.layer, 0, 0);
    pen.setTransform(density, 0, 0, density, 0, 0);
    pen.strokeStyle = pen.fillStyle = this.ink("mark");
    if (this.marked !== null) {
      const [x, y] = [this.points[2 * this.marked], this.points[2 * this.marked + 1]];
      pen.lineWidth = 2;
      pen.beginPath();
      pen.arc(paper.across(x), paper.down(y), paper.radius + 5, 0, 2 * Math.PI);
      pen.stroke();
    }
    this.overlays.forEach((draw) => draw(pen, paper));
    if (this.drawn) this.drawPosterior(pen, paper);
    this.drawCross(pen, paper.across(this.here[0]), paper.down(this.here[1]));
  }

  /** Axes and dots, which are drawn anew only where their size, their places or the choice of a class changed. */
  paperOf(side, density) {
    const key = `${side} ${density} ${this.alone} ${this.model.moment} ${this.ink("mark")}`;
    if (this.paper?.key === key) return this.paper;
    const [left, right, bottom, top] = this.model.view;
    const across = (x) => ((x - left) / (right - left)) * side;
    const down = (y) => ((top - y) / (top - bottom)) * side;
    const layer = document.createElement("canvas");
    layer.width = layer.height = Math.round(side * density);
    const pen = layer.getContext("2d");
    pen.setTransform(density, 0, 0, density, 0, 0);
    this.drawAxes(pen, side, across, down);
    const radius = Math.max(1.5, Math.min(4, 66 / Math.sqrt(this.points.length / 2)));
    for (let row = 0; row < this.points.length / 2; row++) {
      const kind = this.classes.labels ? this.classes.labels[row] : 0;
      pen.globalAlpha = this.alone === null || this.alone === kind ? 0.8 : 0.07;
      pen.fillStyle = this.classes.colours[kind];
      pen.beginPath();
      pen.arc(across(this.points[2 * row]), down(this.points[2 * row + 1]), radius, 0, 2 * Math.PI);
      pen.fill();
    }
    this.paper = { key, layer, across, down, radius, scale: [side / (right - left), side / (top - bottom)] };
    return this.paper;
  }

  ink(name) {
    return getComputedStyle(this.canvas).getPropertyValue(INK[name]);
  }

  drawAxes(pen, side, across, down) {
    const [left, right, bottom, top] = this.model.view;
    pen.strokeStyle = this.ink("line");
    pen.fillStyle = this.ink("text");
    pen.font = "11px system-ui, sans-serif";
    pen.lineWidth = 1;
    for (const x of ticks(left, right)) {
      line(pen, across(x), 0, across(x), side);
      pen.textAlign = "center";
      if (across(x) > 24 && across(x) < side - 40) pen.fillText(said(x), across(x), side - 5);
    }
    for (const y of ticks(bottom, top)) {
      line(pen, 0, down(y), side, down(y));
      pen.textAlign = "left";
      if (down(y) > 24 && down(y) < side - 24) pen.fillText(said(y), 5, down(y) + 4);
    }
    pen.textAlign = "right";
    pen.fillText(this.model.axes[0], side - 5, side - 5);
    pen.textAlign = "left";
    pen.fillText(this.model.axes[1] ?? "", 5, 14);
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

function ticks(low, high) {
  const rough = (high - low) / 7;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((n) => n * power).find((n) => n >= rough);
  const found = [];
  for (let n = Math.ceil(low / step); n * step <= high; n++) found.push(Number((n * step).toPrecision(6)));
  return found;
}

const said = (value) => String(value).replace("-", "−");
