/** Sliders along the directions of the codes, with what each changes: in pictures, and in words where it was measured. */

import { element } from "../elements.js";
import { atLeisure, oneByOne } from "./leisure.js";

const PICTURES = 5;
const STILL = 0.15; // of the greatest change that a direction makes: what is less is left out
const REACH = 0.025; // share of the examples that lie beyond either end of a strip

export const sliders = {
  title: "directions",

  accepts: () => true,

  build(column, box) {
    const grid = element("div", "explorer-sliders", box);
    const { changes, directions } = column.model;
    const axes = directions.map((_, axis) => axis).filter((axis) => changes[axis] > STILL * Math.max(...changes));
    const rows = axes.map((axis) => addRow(column, grid, axis));
    if (axes.length < directions.length) {
      const count = directions.length - axes.length;
      element("p", "explorer-note", box).textContent = `${count} more directions, along which pictures hardly change, are left out.`;
    }
    const follow = () => rows.forEach(({ input, axis }) => (input.value = column.coordinates[axis] ?? 0));
    column.onChanged((what) => what === "code" && follow());
    follow();
    atLeisure(column, box, () => oneByOne(box, rows.map(({ paint }) => paint)));
  },
};

function addRow(column, parent, axis) {
  const { model } = column;
  const [low, high] = reachOf(model, axis);
  const row = element("div", "explorer-direction", parent);
  const said = element("div", "explorer-ends", row);
  const [less, more] = model.words?.[axis] ?? [[], []];
  element("span", "", said).textContent = less.length ? `←\u00a0${less.join(", ")}` : "";
  element("b", "", said).textContent = model.names[axis];
  element("span", "", said).textContent = more.length ? `${more.join(", ")}\u00a0→` : "";
  const strip = element("div", "explorer-strip", row);
  const pictures = Array.from({ length: PICTURES }, (_, i) => {
    const canvas = element("canvas", "explorer-picture", strip);
    const place = low + ((high - low) * i) / (PICTURES - 1);
    canvas.addEventListener("click", () => column.moveAlong({ [axis]: place }));
    return { canvas, place };
  });
  const input = element("input", "", row);
  const margin = (high - low) / (2 * PICTURES - 2); // the thumb stands below the picture of its place
  Object.assign(input, { type: "range", min: low - margin, max: high + margin, step: (high - low) / 200 });
  input.setAttribute("aria-label", `place along ${model.names[axis]}`);
  input.addEventListener("input", () => column.moveAlong({ [axis]: Number(input.value) }));
  const paint = () =>
    pictures.forEach(({ canvas, place }) => column.paintDecoded(canvas, model.moved(column.code, { [axis]: place })));
  return { input, axis, paint };
}

/** The places along an axis between which nearly all examples lie. */
function reachOf(model, axis) {
  const codes = model.codes();
  const count = codes.length / model.size;
  const places = Float32Array.from({ length: count }, (_, row) => model.coordinatesOf(model.codeOf(row))[axis]).sort();
  const [low, high] = [places[Math.floor(REACH * (count - 1))], places[Math.ceil((1 - REACH) * (count - 1))]];
  return high > low ? [low, high] : [low - 1, low + 1];
}
