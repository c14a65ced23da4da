/** The names of the classes in a plane, each where its codes lie densest. */

import { between } from "./moments.js";
import { Stamps } from "./stamps.js";

const FONT = "700 15px system-ui, sans-serif";
const MOST = 26; // classes that can be named
const ASKED = 150; // examples of a class that are asked for its place
const REACH = 12; // of the plane, within which others count as near
const GAP = 15; // points of the screen between two names

export class Names {
  /** @param {LiveModel} model whose codes they are. @param {object} given with labels and classes. */
  constructor(model, { labels, classes }) {
    Object.assign(this, { model, labels, classes, known: new Map(), stamps: new Stamps() });
    const isStyle = model.condition?.kind === "label"; // codes that do not hold the class lie in one heap
    this.isEmpty = !labels || isStyle || classes.length > MOST;
  }

  /** Where each class is densest at a moment, x and y in turn; the middle may lie where no example of it is. */
  moment(i) {
    if (!this.known.has(i)) {
      const points = this.model.points(this.model.epochs[i]);
      const lists = this.classes.map(() => []);
      for (let row = 0; row < points.length / 2; row++) {
        const list = lists[this.labels[row]];
        if (list.length < ASKED) list.push([points[2 * row], points[2 * row + 1]]);
      }
      const [left, right, bottom, top] = this.model.view;
      this.known.set(i, lists.flatMap((list) => densest(list, (right - left) / REACH, (top - bottom) / REACH)));
    }
    return this.known.get(i);
  }

  /** Write the names with a halo of the paper, so that they can be read on dots. */
  draw(pen, paper, chosen) {
    if (this.isEmpty) return;
    const { i, next, way } = between(this.model.epochs, this.model.epoch);
    const [from, to] = [this.moment(i), this.moment(next)];
    const taken = [];
    this.classes.forEach((name, kind) => {
      const [x, y] = [0, 1].map((axis) => from[2 * kind + axis] + way * (to[2 * kind + axis] - from[2 * kind + axis]));
      if (Number.isNaN(x) || (chosen.size > 0 && !chosen.has(kind))) return;
      const place = free(paper.across(x), paper.down(y), taken);
      if (!place) return; // where classes lie on one heap, names would say nothing
      taken.push(place);
      this.stamps.draw(pen, name, FONT, place, "center", paper.colours.ink, paper.colours.paper);
    });
  }
}

/** A place beside those that are taken, as near as there is one; null where there is none. */
function free(x, y, taken) {
  for (const [across, down] of [[0, 0], [1, 0], [-1, 0], [0, 1], [0, -1], [1, 1], [-1, -1], [2, 0], [-2, 0], [0, 2], [0, -2]]) {
    const place = [x + across * GAP, y + down * GAP];
    if (taken.every((other) => Math.hypot(place[0] - other[0], place[1] - other[1]) >= GAP - 1)) return place;
  }
  return null;
}

/** The place of a list with the most others around it. */
function densest(list, width, height) {
  let [best, most] = [[NaN, NaN], -1];
  for (const place of list) {
    let near = 0;
    for (const other of list) {
      near += Math.exp(-(((place[0] - other[0]) / width) ** 2) - ((place[1] - other[1]) / height) ** 2);
    }
    if (near > most) [best, most] = [place, near];
  }
  return best;
}
