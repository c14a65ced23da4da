/**
 * The explorer: planes of codes that answer. `explore(root, given)` fills an element with it, wherever
 * that stands: in the page of a comparison, in a notebook, or served.
 */

import { element, labelled } from "./elements.js";
import { LiveModel, bytesOf } from "./model.js";
import { addPad } from "./parts/drawing.js";
import { addParts } from "./parts/parts.js";
import { paint } from "./picture.js";
import { Plane } from "./plane.js";

/**
 * @param {HTMLElement} root what is filled.
 * @param {object} given `{models, labels, classes, colours, examples, shape}`, as `isthmus.explorer.given`
 *   writes it.
 */
export function explore(root, given) {
  const examples = bytesOf(given.examples);
  const area = given.shape.reduce((total, side) => total * side, 1);
  const pictureOf = (row) => Float32Array.from(examples.subarray(row * area, (row + 1) * area), (value) => value / 255);
  const columns = given.models.map((one) => new Column(root, one, given, pictureOf));
  const tell = (act) => columns.forEach((column) => act(column));

  root.classList.add("explorer");
  const tools = element("div", "explorer-tools", root);
  const planes = element("div", "explorer-planes", root);
  columns.forEach((column) => {
    planes.append(column.box);
    column.onPointed = (row) => tell((other) => other.mark(row));
  });
  const pad = addPad(tools, given, columns);
  addLegend(tools, given, tell);
  const goToEnd = addMoments(tools, columns);
  pad?.addEventListener("pointerdown", goToEnd); // the encoders of earlier moments are not in the page
  tell((column) => {
    column.mark(0);
    column.show();
  });
  const resized = new ResizeObserver(() => tell((column) => column.plane.draw()));
  resized.observe(planes);
  return { columns, root };
}

/** One model: its plane, what its decoder makes of the pointer's place, and sliders for what lies beyond. */
class Column {
  constructor(root, one, given, pictureOf) {
    Object.assign(this, { given, pictureOf });
    this.model = new LiveModel(one, given);
    this.box = element("figure", "explorer-model");
    element("figcaption", "", this.box).textContent = one.label;
    this.plane = new Plane(element("canvas", "explorer-plane", this.box), this.model, given);
    this.plane.canvas.setAttribute("role", "img");
    this.plane.canvas.setAttribute("aria-label", `Codes of ${one.label}: drag to see what its decoder makes of them`);
    this.plane.canvas.tabIndex = 0;
    const row = element("div", "explorer-pictures", this.box);
    this.decoded = labelled(row, "decoded here");
    this.original = labelled(row, "example");
    this.rebuilt = labelled(row, "rebuilt");
    this.near = element("div", "explorer-near", this.box);
    this.code = Float32Array.from(this.model.centre);
    this.coordinates = this.model.directions.map(() => 0);
    this.condition = this.model.conditionOf(0); // what the decoder is told beside the code
    this.onPointed = () => {};
    this.listeners = [];
    this.listen();
    addParts(this, this.box);
  }

  listen() {
    const canvas = this.plane.canvas;
    canvas.style.touchAction = "none";
    canvas.addEventListener("pointerdown", (event) => canvas.setPointerCapture(event.pointerId));
    for (const name of ["pointermove", "pointerdown"]) {
      canvas.addEventListener(name, (event) => this.point(this.plane.placeOf(event), name === "pointerdown"));
    }
    canvas.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
      if (!step) return;
      event.preventDefault();
      const [left, right, bottom, top] = this.model.view;
      this.point([
        this.coordinates[0] + (step[0] * (right - left)) / 60,
        (this.coordinates[1] ?? 0) + (step[1] * (top - bottom)) / 60,
      ]);
    });
  }

  /** The pointer is at a place; over an example every plane marks it. */
  point(place, isPressed = false) {
    const example = this.plane.exampleAt(place);
    if (example !== null || isPressed) this.onPointed(example);
    if (example !== null && isPressed) this.changed("pressed");
    this.moveAlong({ 0: place[0], 1: place[1] });
  }

  /** Show a code: the decoder's picture of it, and the cross where it lies in the plane. */
  showCode(code) {
    this.code = Float32Array.from(code);
    this.coordinates = this.model.coordinatesOf(this.code);
    this.show();
    this.changed("code");
  }

  /** Go to places along some axes, `{axis: place}`; along all others the code stays where it is. */
  moveAlong(places) {
    this.showCode(this.model.moved(this.code, places));
  }

  /** Tell the decoder something else beside the code. */
  showCondition(condition) {
    this.condition = condition;
    this.show();
    this.changed("code");
  }

  /** The row of the example that is marked, or null. */
  get marked() {
    return this.plane.marked;
  }

  /** Have a function called whenever the code, the marked example or the moment has changed. */
  onChanged(listener) {
    this.listeners.push(listener);
  }

  changed(what) {
    this.listeners.forEach((listener) => listener(what));
  }

  /** Mark an example in this plane, with its picture and what is made of it. */
  mark(row) {
    this.plane.marked = row;
    if (row !== null) {
      paint(this.original, this.pictureOf(row), this.given.shape);
      this.paintDecoded(this.rebuilt, this.model.codeOf(row), this.model.conditionOf(row));
    }
    this.plane.draw();
    this.changed("marked");
  }

  /** Paint what the decoder makes of a code: at once, or when a server has answered. */
  paintDecoded(canvas, code, condition = this.condition) {
    const made = this.model.decode(code, condition);
    if (made instanceof Promise) {
      canvas.wanted = made;
      made.then((values) => canvas.wanted === made && paint(canvas, values, this.given.shape));
    } else {
      paint(canvas, made, this.given.shape);
    }
  }

  show() {
    if (this.asked) return;
    this.asked = true;
    requestAnimationFrame(() => {
      this.asked = false;
      const start = performance.now();
      this.plane.here = [this.coordinates[0], this.coordinates[1] ?? 0];
      this.plane.draw();
      this.paintDecoded(this.decoded, this.code);
      this.took = performance.now() - start; // milliseconds, for whoever measures
    });
  }
}

/** The training replayed: a slider over all moments that any model kept, and a button that plays it. */
function addMoments(tools, columns) {
  const epochs = [...new Set(columns.flatMap((column) => column.model.moments.map((one) => one.epoch)))];
  epochs.sort((a, b) => a - b);
  if (epochs.length < 2) return () => {};
  const box = element("div", "explorer-moments", tools);
  const play = element("button", "", box);
  play.type = "button";
  const said = element("output", "", box);
  const input = element("input", "", box);
  Object.assign(input, { type: "range", min: 0, max: epochs.length - 1, step: 1, value: epochs.length - 1 });
  input.setAttribute("aria-label", "epoch of the training");
  let timer = null;
  const go = () => {
    const epoch = epochs[Number(input.value)];
    said.textContent = `epoch ${epoch}`;
    columns.forEach((column) => {
      column.model.goTo(epoch);
      column.mark(column.plane.marked);
      column.show();
      column.changed("moment");
    });
  };
  const rest = () => {
    clearInterval(timer);
    timer = null;
    play.textContent = "watch the training";
  };
  play.addEventListener("click", () => {
    if (timer) return rest();
    play.textContent = "pause";
    if (Number(input.value) === epochs.length - 1) input.value = 0;
    go();
    timer = setInterval(() => {
      input.value = Number(input.value) + 1;
      go();
      if (Number(input.value) === epochs.length - 1) rest();
    }, 350);
  });
  input.addEventListener("input", () => {
    rest();
    go();
  });
  rest();
  go();
  return () => {
    rest();
    input.value = epochs.length - 1;
    go();
  };
}

function addLegend(tools, given, tell) {
  if (!given.labels) return;
  const box = element("div", "explorer-legend", tools);
  given.classes.forEach((name, kind) => {
    const button = element("button", "", box);
    button.type = "button";
    button.setAttribute("aria-pressed", "false");
    const dot = element("span", "explorer-dot", button);
    dot.style.background = given.colours[kind];
    button.append(name);
    button.addEventListener("click", () => {
      const isOn = button.getAttribute("aria-pressed") === "true";
      box.querySelectorAll("button").forEach((other) => other.setAttribute("aria-pressed", "false"));
      button.setAttribute("aria-pressed", String(!isOn));
      tell((column) => {
        column.plane.alone = isOn ? null : kind;
        column.plane.draw();
      });
    });
  });
}
