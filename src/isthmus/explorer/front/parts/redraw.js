/** Hierarchical members: the coarse groups of a code stay, the finer ones are drawn anew. */

import { button, element } from "../elements.js";
import { codebookOf } from "./codebook.js";
import { oneByOne } from "./leisure.js";

const DRAWS = 6;
const NEIGHBOURS = 20; // examples with nearly the same coarse code, whose fine codes are drawn from

export const redraw = {
  title: "coarse and fine",

  accepts: ({ model }) => Boolean(model.groups) || (model.quantised && coarseOf(model.quantised) > 0),

  build(column, box) {
    const source = column.model.groups ? new GroupDraws(column.model) : new GridDraws(column.model);
    element("p", "explorer-note", box).textContent = source.note;
    const controls = element("div", "explorer-redraw", box);
    let kept = source.groups > 2 ? Math.ceil(source.groups / 2) : 1;
    if (source.groups > 2) addKept(controls, source, kept, (value) => {
      kept = value;
      draw();
    });
    button(controls, "draw again", () => draw());
    const row = element("div", "explorer-row", box);
    const original = addPicture(row, "example");
    const canvases = Array.from({ length: DRAWS }, () => addPicture(row, "drawn"));
    let codes = [];
    const draw = () => {
      if (box.hidden) return;
      const from = column.marked ?? 0;
      const condition = column.model.conditionOf(from);
      column.paintDecoded(original.canvas, column.model.codeOf(from), condition);
      oneByOne(box, canvases.map(({ canvas }, i) => async () => {
        codes[i] = await source.draw(from, kept, condition);
        column.paintDecoded(canvas, codes[i], condition);
      }));
    };
    original.made.addEventListener("click", () => column.showCode(column.model.codeOf(column.marked ?? 0)));
    canvases.forEach(({ made }, i) => made.addEventListener("click", () => codes[i] && column.showCode(codes[i])));
    column.onChanged((what) => what === "pressed" && draw());
    box.addEventListener("opened", draw);
  },
};

function addPicture(row, name) {
  const made = element("button", "explorer-choice", row);
  made.type = "button";
  const canvas = element("canvas", "explorer-picture", made);
  element("span", "", made).textContent = name;
  return { made, canvas };
}

function addKept(parent, source, value, act) {
  const label = element("label", "explorer-slider", parent);
  label.append("groups kept");
  const input = element("input", "", label);
  Object.assign(input, { type: "range", min: 0, max: source.groups - 1, step: 1, value });
  const said = element("output", "", label);
  const say = () => (said.textContent = `${input.value} of ${source.groups}, ${source.sizeOf(Number(input.value))} numbers of ${source.size}`);
  input.addEventListener("input", () => {
    say();
    act(Number(input.value));
  });
  say();
}

/** A deep hierarchy of Gaussians, whose finer groups are drawn from the prior that it has learnt. */
class GroupDraws {
  constructor(model) {
    this.model = model;
    this.sizes = model.groups.sizes;
    this.groups = this.sizes.length;
    this.size = model.size;
    this.note =
      "The coarsest groups of the example’s code stay as they are. The finer ones are drawn from the prior that the model has learnt, each given those above it. Tap a dot for another example.";
  }

  sizeOf(kept) {
    return this.sizes.slice(0, kept).reduce((total, size) => total + size, 0);
  }

  draw(row, kept, condition) {
    const keep = new Float32Array(this.size).fill(1, 0, this.sizeOf(kept));
    return this.model.redraw(this.model.codeOf(row), Float32Array.from(keep, gaussian), keep, condition);
  }
}

/** Two grids of indices, whose fine one is drawn from examples with nearly the same coarse one. */
class GridDraws {
  constructor(model) {
    this.book = codebookOf(model);
    this.length = model.size;
    this.groups = 2;
    this.coarse = coarseOf(this.book);
    this.start = Math.max(...this.book.levels.map((level) => level.start)); // of the fine vectors in a code
    this.note = `The coarse grid of the example’s code stays as it is. The fine one is taken from another example, one of the ${NEIGHBOURS} whose coarse grids are most like it. Tap a dot for another example.`;
  }

  draw(row) {
    const own = this.book.indicesOf(row);
    const vectors = (indices) => this.book.codeOf(indices, this.length).subarray(0, this.start);
    const here = vectors(own);
    const far = (other) => {
      const there = vectors(this.book.indicesOf(other));
      return here.reduce((total, value, i) => total + (value - there[i]) ** 2, 0);
    };
    this.ranked ??= new Map(); // of each example, those whose coarse grids are most like its own
    if (!this.ranked.has(row)) {
      const rows = Array.from({ length: this.book.count }, (_, other) => other).filter((other) => other !== row);
      const ranked = rows.map((other) => [far(other), other]).sort((a, b) => a[0] - b[0]);
      this.ranked.set(row, ranked.slice(0, NEIGHBOURS));
    }
    const ranked = this.ranked.get(row);
    const [, chosen] = ranked[Math.floor(Math.random() * ranked.length)];
    const indices = Int32Array.from(own);
    indices.set(this.book.indicesOf(chosen).subarray(this.coarse), this.coarse);
    return this.book.codeOf(indices, this.length);
  }
}

/** How many indices the coarse grid has; 0 where there is one grid only. */
function coarseOf({ levels }) {
  const last = Math.max(...levels.map((level) => level.start));
  return last === 0 ? 0 : levels.find((level) => level.start === last).first;
}

/** A draw from the standard normal distribution. */
function gaussian() {
  return Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());
}
