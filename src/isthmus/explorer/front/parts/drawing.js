/** The pad, and what every model makes of what is drawn on it. */

import { button, element } from "../elements.js";
import { Pad } from "../pad.js";
import { paint } from "../picture.js";

/** A pad for all columns; null where the examples have colours. */
export function addPad(tools, given, columns) {
  if (given.shape[0] !== 1) return null;
  const box = element("figure", "explorer-pad", tools);
  element("figcaption", "", box).textContent = "draw here";
  const pad = new Pad(element("canvas", "", box), given.shape, given.drawn, (pixels) =>
    columns.forEach((column) => take(column, pixels)),
  );
  button(box, "clear", () => {
    pad.clear();
    columns.forEach(forget);
  });
  return pad.canvas;
}

function forget(column) {
  column.plane.drawn = null;
  column.near.replaceChildren();
  column.plane.draw();
}

/** A picture that was drawn: where its code lies, what is made of it, and the examples nearest to it. */
async function take(column, pixels) {
  const { model, given } = column;
  const question = (column.question = Symbol("drawing"));
  const condition = column.condition; // which class was drawn, where the model is told it
  const [code, logVariance] = await model.encode(pixels, condition);
  const made = await model.decode(code, condition);
  if (column.question !== question) return; // more was drawn meanwhile
  const place = model.coordinatesOf(code);
  const spread = logVariance?.length === code.length ? spreadOf(model, logVariance) : null;
  column.plane.drawn = { place: [place[0], place[1] ?? 0], spread };
  paint(column.original, pixels, given.shape);
  paint(column.rebuilt, made, given.shape);
  column.near.replaceChildren();
  for (const row of model.nearest(code)) {
    const canvas = element("canvas", "explorer-picture", column.near);
    paint(canvas, column.pictureOf(row), given.shape);
    if (given.labels) canvas.title = given.classes[given.labels[row]];
  }
  if (model.usual) sayVerdict(column, made, pixels);
  column.plane.draw();
}

function sayVerdict(column, made, pixels) {
  const error = made.reduce((total, value, i) => total + (value - pixels[i]) ** 2, 0);
  const usual = column.model.usual;
  const share = usual.filter((value) => value < error).length / usual.length;
  const percent = Math.round(100 * share);
  element("p", "explorer-verdict", column.near).textContent =
    share >= 0.99
      ? `not like the examples: worse rebuilt than ${percent}% of them`
      : `rebuilt better than ${100 - percent}% of the examples`;
}

/** Standard deviations along the plane, of a posterior with independent parts. */
function spreadOf(model, logVariance) {
  return model.directions.slice(0, 2).map((direction) =>
    Math.sqrt(direction.reduce((total, value, i) => total + value * value * Math.exp(logVariance[i]), 0)),
  );
}
