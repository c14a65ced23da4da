/** Arithmetic with codes: a − b + c, what the decoder makes of it, and the examples nearest to it. */

import { element } from "../elements.js";
import { paint } from "../picture.js";
import { atLeisure } from "./leisure.js";
import { Slots, arrow, letter, marksOf, placeOnPaper, sayClass } from "./slots.js";

export const arithmetic = {
  title: "arithmetic",

  accepts: (column) => column.model.codes().length >= 3 * column.model.size,

  build(column, box) {
    sayClass(column, box);
    element("p", "explorer-note", box).textContent =
      "What a has and b has not, given to c: a − b + c. Tap one of the three, then a dot.";
    const row = element("div", "explorer-sum", box);
    const parents = ["", "−", "+"].map((sign) => {
      if (sign) element("span", "explorer-sign", row).textContent = sign;
      return element("div", "", row);
    });
    element("span", "explorer-sign", row).textContent = "=";
    const result = element("figure", "", row);
    const canvas = element("canvas", "explorer-picture", result);
    element("figcaption", "", result).textContent = "decoded";
    const near = element("div", "explorer-near", box);
    const wanted = telling(column).map((found, i) => ({ name: "abc"[i], row: found, parent: parents[i] }));
    const slots = new Slots(column, box, wanted, () => {
      show();
      column.showCode(sum(slots.codes));
    });
    canvas.addEventListener("click", () => column.showCode(sum(slots.codes)));
    const show = () => {
      const code = sum(slots.codes);
      column.paintDecoded(canvas, code);
      const found = column.model.nearest(code, 8).filter((other) => !slots.rows.includes(other));
      near.replaceChildren();
      found.slice(0, 5).forEach((other) => {
        paint(element("canvas", "explorer-picture", near), column.pictureOf(other), column.given.shape);
      });
      element("p", "explorer-verdict", near).textContent = "the examples nearest to it, without a, b and c";
      column.plane.draw();
    };
    atLeisure(column, box, show, (what) => what === "moment" || what === "condition");
    column.plane.overlays.push((pen, paper) => box.hidden || drawSum(column, slots.codes, pen, paper));
  },
};

/** a − b + c, number by number. */
export function sum([a, b, c]) {
  return Float32Array.from(a, (value, i) => value - b[i] + c[i]);
}

/** Two examples of one class that lie far apart along a direction, and one of another class beside the second. */
function telling({ model, given }) {
  const count = model.codes().length / model.size;
  const kinds = given.labels ?? Array.from({ length: count }, (_, row) => +(row >= count / 2));
  const axis = Math.min(1, model.directions.length - 1);
  const place = Float32Array.from({ length: count }, (_, row) => model.coordinatesOf(model.codeOf(row))[axis]);
  const rows = Array.from({ length: count }, (_, row) => row);
  const own = rows.filter((row) => kinds[row] === kinds[0]).sort((one, other) => place[one] - place[other]);
  const [b, a] = [0.1, 0.9].map((share) => own[Math.floor(share * (own.length - 1))]);
  const others = rows.filter((row) => kinds[row] !== kinds[0]);
  const far = (row) => Math.abs(place[row] - place[b]);
  const c = others.reduce((best, row) => (far(row) < far(best) ? row : best), others[0] ?? 0);
  return [a, b, c];
}

function drawSum(column, codes, pen, paper) {
  const marks = marksOf(column);
  const places = [...codes, sum(codes)].map((code) => placeOnPaper(column.model, paper, code));
  const [a, b, c, found] = places;
  pen.strokeStyle = marks.ink;
  pen.lineWidth = 1.5;
  arrow(pen, b, a);
  arrow(pen, c, found);
  [a, b, c, found].forEach((place, i) => letter(pen, "abc="[i], place, marks));
}
