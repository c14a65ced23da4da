/** The names of the classes in a plane, each at the median of its codes. */

import { between } from "./moments.js";

const MOST = 26; // classes that can be named
const GAP = 15; // points of the screen between two names

export class Names {
  /** @param {LiveModel} model whose codes they are. @param {object} given with labels and classes. */
  constructor(model, { labels, classes }) {
    Object.assign(this, { model, labels, classes, known: new Map() });
    const isStyle = model.condition?.kind === "label"; // codes that do not hold the class lie in one heap
    this.isEmpty = !labels || isStyle || classes.length > MOST;
  }

  /** The medians of the classes at a moment, x and y in turn. */
  moment(i) {
    if (!this.known.has(i)) {
      const points = this.model.points(this.model.epochs[i]);
      const lists = this.classes.map(() => [[], []]);
      for (let row = 0; row < points.length / 2; row++) {
        const [across, up] = lists[this.labels[row]];
        across.push(points[2 * row]);
        up.push(points[2 * row + 1]);
      }
      this.known.set(i, lists.flat().map(medianOf));
    }
    return this.known.get(i);
  }

  /** Write the names with a halo of the paper, so that they can be read on dots. */
  draw(pen, paper, alone) {
    if (this.isEmpty) return;
    const { i, next, way } = between(this.model.epochs, this.model.epoch);
    const [from, to] = [this.moment(i), this.moment(next)];
    pen.font = "700 15px system-ui, sans-serif";
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    pen.lineJoin = "round";
    pen.lineWidth = 4;
    const taken = [];
    this.classes.forEach((name, kind) => {
      const [x, y] = [0, 1].map((axis) => from[2 * kind + axis] + way * (to[2 * kind + axis] - from[2 * kind + axis]));
      if (Number.isNaN(x) || (alone !== null && alone !== kind)) return;
      const place = free(paper.across(x), paper.down(y), taken);
      taken.push(place);
      pen.strokeStyle = paper.colours.paper;
      pen.fillStyle = paper.colours.ink;
      pen.strokeText(name, ...place);
      pen.fillText(name, ...place);
    });
    pen.textBaseline = "alphabetic";
  }
}

/** A place beside those that are taken, as near as there is one. */
function free(x, y, taken) {
  for (const [across, down] of [[0, 0], [1, 0], [-1, 0], [0, 1], [0, -1], [1, 1], [-1, -1], [2, 0], [-2, 0], [0, 2], [0, -2]]) {
    const place = [x + across * GAP, y + down * GAP];
    if (taken.every((other) => Math.hypot(place[0] - other[0], place[1] - other[1]) >= GAP - 1)) return place;
  }
  return [x, y];
}

function medianOf(values) {
  const sorted = Float32Array.from(values).sort();
  return sorted.length ? sorted[sorted.length >> 1] : NaN;
}
