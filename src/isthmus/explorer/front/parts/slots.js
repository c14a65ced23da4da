/** Places for examples: tap a place, then an example in the plane. */

import { element } from "../elements.js";
import { paint } from "../picture.js";

export class Slots {
  /**
   * @param {object} column whose examples they hold.
   * @param {HTMLElement} box the part's, which must be open for a tap to count.
   * @param {{name: string, row: number, parent: HTMLElement}[]} wanted what each is called, holds, and stands in.
   * @param {() => void} onFilled called when another example was put into one.
   */
  constructor(column, box, wanted, onFilled) {
    Object.assign(this, { column, box, onFilled });
    this.slots = wanted.map(({ name, row, parent }, i) => {
      const button = element("button", "explorer-slot", parent);
      button.type = "button";
      const canvas = element("canvas", "explorer-picture", button);
      element("span", "", button).textContent = name;
      button.addEventListener("click", () => this.choose(i));
      return { name, row, button, canvas };
    });
    this.slots.forEach((slot) => this.paint(slot));
    this.choose(0);
    column.onChanged((what) => {
      if (what !== "pressed" || box.hidden || column.marked === null) return;
      const slot = this.slots[this.chosen];
      slot.row = column.marked;
      this.paint(slot);
      this.choose((this.chosen + 1) % this.slots.length);
      onFilled();
    });
  }

  choose(i) {
    this.chosen = i;
    this.slots.forEach(({ button }, other) => button.setAttribute("aria-pressed", String(other === i)));
  }

  paint({ row, canvas }) {
    paint(canvas, this.column.pictureOf(row), this.column.given.shape);
  }

  /** The codes of the examples that they hold, at the moment that is shown. */
  get codes() {
    return this.slots.map(({ row }) => this.column.model.codeOf(row));
  }

  get rows() {
    return this.slots.map(({ row }) => row);
  }
}

/** Of a model that is told the class: as which one everything here is decoded. */
export function sayClass(column, box) {
  const { condition } = column.model;
  if (condition?.kind !== "label") return;
  const said = element("p", "explorer-note", box);
  const say = () => {
    const name = condition.names[column.condition.indexOf(1)];
    said.textContent = `Codes hold the style alone. All of this is decoded as class ${name}; choose another under “class × style”.`;
  };
  column.onChanged((what) => what === "condition" && say());
  say();
}

/** Where a code lies in the plane, on the screen. */
export function placeOnPaper(model, paper, code) {
  const [x, y] = model.coordinatesOf(code);
  return [paper.across(x), paper.down(y ?? 0)];
}

/** An arrow between two places on the screen. */
export function arrow(pen, [x0, y0], [x1, y1]) {
  const angle = Math.atan2(y1 - y0, x1 - x0);
  pen.beginPath();
  pen.moveTo(x0, y0);
  pen.lineTo(x1, y1);
  for (const turn of [2.7, -2.7]) {
    pen.moveTo(x1, y1);
    pen.lineTo(x1 + 9 * Math.cos(angle + turn), y1 + 9 * Math.sin(angle + turn));
  }
  pen.stroke();
}

/** A letter on a disc, so that it can be read over dots. */
export function letter(pen, text, [x, y], { ink, paper }) {
  pen.beginPath();
  pen.arc(x, y, 9, 0, 2 * Math.PI);
  pen.fillStyle = ink;
  pen.fill();
  pen.fillStyle = paper;
  pen.font = "600 12px system-ui, sans-serif";
  pen.textAlign = "center";
  pen.fillText(text, x, y + 4);
}

/** The colours of marks over the dots, as the style says. */
export function marksOf(column) {
  const style = getComputedStyle(column.plane.canvas);
  return { ink: style.getPropertyValue("--ink"), paper: style.getPropertyValue("--paper") };
}
