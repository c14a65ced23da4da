/** A walk from one example to another: the codes between them, decoded one after another. */

import { button, element } from "../elements.js";
import { atLeisure, oneByOne } from "./leisure.js";
import { Slots, letter, marksOf, placeOnPaper, sayClass } from "./slots.js";

const PICTURES = 7;
const TIME = 2600; // milliseconds from one end to the other

export const walk = {
  title: "walk",

  accepts: (column) => column.model.codes().length >= 2 * column.model.size,

  build(column, box) {
    const { model } = column;
    sayClass(column, box);
    element("p", "explorer-note", box).textContent = model.sphere
      ? "Tap a dot for the start, another for the end. The way is an arc: these codes lie on a shell around the middle of the prior, and a straight line would cut through where no example is."
      : "Tap a dot for the start, another for the end. The way is the straight line between their codes.";
    const row = element("div", "explorer-walk", box);
    const first = element("div", "", row);
    const strip = element("div", "explorer-strip", row);
    const last = element("div", "", row);
    const controls = element("div", "explorer-controls", box);
    const slots = new Slots(
      column,
      box,
      [
        { name: "from", row: 0, parent: first },
        { name: "to", row: unlike(column, 0), parent: last },
      ],
      () => paintStrip(),
    );
    const at = (share) => between(...slots.codes, share, model.sphere);
    const canvases = Array.from({ length: PICTURES }, (_, i) => {
      const canvas = element("canvas", "explorer-picture", strip);
      canvas.addEventListener("click", () => go((i + 1) / (PICTURES + 1)));
      return canvas;
    });
    const input = element("input", "", controls);
    Object.assign(input, { type: "range", min: 0, max: 1, step: 0.005, value: 0 });
    input.setAttribute("aria-label", "how far along the way");
    const go = (share) => {
      input.value = share;
      column.showCode(at(share));
    };
    const paintStrip = () => {
      oneByOne(box, canvases.map((canvas, i) => () => column.paintDecoded(canvas, at((i + 1) / (PICTURES + 1)))));
      column.plane.draw();
    };
    input.addEventListener("input", () => go(Number(input.value)));
    addPlayer(controls, box, go);
    atLeisure(column, box, paintStrip, (what) => what === "moment" || what === "condition");
    column.plane.overlays.push((pen, paper) => box.hidden || drawWay(column, slots, at, pen, paper));
  },
};

function addPlayer(controls, box, go) {
  let frame = null;
  const made = button(controls, "start", () => (frame === null ? start() : stop()));
  const stop = () => {
    cancelAnimationFrame(frame);
    frame = null;
    made.textContent = "start";
  };
  const start = () => {
    made.textContent = "stop";
    const begun = performance.now();
    const step = (now) => {
      const turns = Math.max(0, now - begun) / TIME;
      if (box.hidden || turns >= 2) return stop();
      go(turns < 1 ? ease(turns) : ease(2 - turns)); // there, and back
      frame = requestAnimationFrame(step);
    };
    frame = requestAnimationFrame(step);
  };
}

const ease = (share) => (1 - Math.cos(Math.PI * share)) / 2;

/** The code at a share of the way from one to another: along a straight line, or on an arc. */
export function between(from, to, share, isArc) {
  let [first, last] = [1 - share, share];
  if (isArc) {
    const dot = from.reduce((total, value, i) => total + value * to[i], 0);
    const angle = Math.acos(Math.min(1, Math.max(-1, dot / (Math.hypot(...from) * Math.hypot(...to)))));
    if (Math.sin(angle) > 1e-4) {
      [first, last] = [Math.sin((1 - share) * angle), Math.sin(share * angle)].map((part) => part / Math.sin(angle));
    }
  }
  return Float32Array.from(from, (value, i) => first * value + last * to[i]);
}

/** An example of another class than that of a row; without classes, the one in the middle of all. */
function unlike(column, row) {
  const { labels } = column.given;
  const count = column.model.codes().length / column.model.size;
  const found = labels ? labels.slice(0, count).findIndex((label) => label !== labels[row]) : -1;
  return found < 0 ? Math.floor(count / 2) : found;
}

function drawWay(column, slots, at, pen, paper) {
  const marks = marksOf(column);
  pen.strokeStyle = marks.ink;
  pen.lineWidth = 1.5;
  pen.setLineDash([5, 4]);
  pen.beginPath();
  for (let step = 0; step <= 40; step++) pen.lineTo(...placeOnPaper(column.model, paper, at(step / 40)));
  pen.stroke();
  pen.setLineDash([]);
  slots.codes.forEach((code, i) => letter(pen, "12"[i], placeOnPaper(column.model, paper, code), marks));
}
