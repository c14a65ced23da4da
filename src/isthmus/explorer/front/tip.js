/** What stands beside the pointer: the class of an example, the example, and its reconstruction. */

import { element } from "./elements.js";
import { paint } from "./picture.js";

/** A tip for all columns; a tap keeps it, until one taps elsewhere. */
export function addTip(root, given, columns) {
  const tip = element("div", "explorer-tip", root);
  tip.hidden = true;
  tip.setAttribute("role", "status");
  const said = element("span", "", tip);
  const canvases = given.shape ? [element("canvas", "", tip), element("canvas", "", tip)] : [];
  const show = (column, row, event) => {
    tip.hidden = row === null;
    if (row === null) return;
    const kind = given.labels ? given.classes[given.labels[row]] : null;
    said.textContent = kind === null ? `example ${row + 1}` : kind;
    if (canvases.length) {
      paint(canvases[0], column.pictureOf(row), given.shape);
      canvases[1].hidden = !column.rebuilt;
      if (column.rebuilt) column.paintRebuilt(canvases[1], row);
    }
    place(tip, root, event);
  };
  columns.forEach((column) => {
    column.onTip = (row, event) => show(column, row, event);
    column.plane.canvas.addEventListener("pointerleave", (event) => {
      if (event.pointerType === "mouse") tip.hidden = true;
    });
  });
  document.addEventListener("pointerdown", (event) => {
    if (!columns.some((column) => column.plane.canvas === event.target)) tip.hidden = true;
  });
}

/** Beside the pointer, or above a finger, and inside of the root. */
function place(tip, root, event) {
  const box = root.getBoundingClientRect();
  const isTouch = event.pointerType === "touch";
  const left = event.clientX - box.left + (isTouch ? -tip.offsetWidth / 2 : 16);
  const top = event.clientY - box.top + (isTouch ? -tip.offsetHeight - 24 : 16);
  tip.style.left = `${Math.max(0, Math.min(left, box.width - tip.offsetWidth))}px`;
  tip.style.top = `${Math.max(0, top)}px`;
}
