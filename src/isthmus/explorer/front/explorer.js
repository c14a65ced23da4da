/**
 * The explorer: planes of codes that play through training and answer. `explore(root, given)` fills an
 * element with it, wherever that stands: in the page of a comparison, in a notebook, or served.
 */

import { Column } from "./column.js";
import { element } from "./elements.js";
import { unpacked } from "./packing.js";
import { addPad } from "./parts/drawing.js";
import { addLegend, addMap } from "./switches.js";
import { Thumbs } from "./thumbs.js";
import { addTime } from "./time.js";
import { addTip } from "./tip.js";

/**
 * @param {HTMLElement} root what is filled.
 * @param {object} packed `{models, labels, classes, colours, examples, shape}`, as
 *   `isthmus.explorer.given` writes it.
 */
export async function explore(root, packed) {
  const given = await unpacked(packed);
  const pictureOf = picturesOf(given);
  const columns = given.models.map((one) => new Column(one, given, pictureOf));
  root.classList.add("explorer");
  const bar = element("div", "explorer-bar", root);
  const tools = element("div", "explorer-tools", root);
  const planes = element("div", "explorer-planes", root);
  const thumbs = given.shape ? new Thumbs(pictureOf, given) : null;
  columns.forEach((column) => {
    planes.append(column.box);
    column.plane.thumbs = thumbs;
    column.onPointed = (row) => columns.forEach((other) => other.mark(row));
  });
  const goToEnd = addTime(bar, columns);
  addMap(bar, columns);
  addLegend(tools, given, columns);
  addTip(root, given, columns);
  const able = columns.filter((column) => column.model.answers);
  const pad = able.length > 0 ? addPad(tools, given, able) : null;
  pad?.addEventListener("pointerdown", goToEnd); // the encoders of earlier moments are not in the page
  columns.forEach((column) => {
    const [left, right, bottom, top] = column.model.view;
    column.moveAlong({ 0: (left + right) / 2, 1: (bottom + top) / 2 });
    column.mark(0);
  });
  const resized = new ResizeObserver(() => columns.forEach((column) => column.show()));
  resized.observe(planes);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => columns.forEach((column) => column.show()));
  return { columns, root };
}

/** The pictures of examples, by their rows. */
function picturesOf({ examples, shape }) {
  if (!shape) return () => null;
  const area = shape.reduce((total, side) => total * side, 1);
  return (row) => Float32Array.from(examples.subarray(row * area, (row + 1) * area), (value) => value / 255);
}
