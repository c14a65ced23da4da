/**
 * The explorer: planes of codes that answer. `explore(root, given)` fills an element with it, wherever
 * that stands: in the page of a comparison, in a notebook, or served.
 */

import { LiveModel, bytesOf } from "./model.js";
import { Pad } from "./pad.js";
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
  const pad = addPad(tools, given, tell);
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
    this.model = new LiveModel(one);
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
    this.beyond = this.model.directions.slice(2).map((_, i) => this.addSlider(i));
    this.coordinates = this.model.directions.map(() => 0);
    this.onPointed = () => {};
    this.listen();
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

  addSlider(i) {
    const label = element("label", "explorer-slider", this.box);
    label.append(this.model.names[i + 2]);
    const input = element("input", "", label);
    Object.assign(input, { type: "range", min: -3, max: 3, step: 0.05, value: 0 });
    input.addEventListener("input", () => {
      this.coordinates[i + 2] = Number(input.value) * this.model.deviations[i + 2];
      this.show();
    });
    return input;
  }

  /** The pointer is at a place; over an example every plane marks it. */
  point(place, isPressed = false) {
    this.coordinates[0] = place[0];
    if (this.coordinates.length > 1) this.coordinates[1] = place[1];
    const example = this.plane.exampleAt(place);
    if (example !== null || isPressed) this.onPointed(example);
    this.show();
  }

  /** Mark an example in this plane, with its picture and what is made of it. */
  mark(row) {
    this.plane.marked = row;
    if (row !== null) {
      paint(this.original, this.pictureOf(row), this.given.shape);
      this.paintDecoded(this.rebuilt, this.model.codeOf(row));
    }
    this.plane.draw();
  }

  /** A picture that was drawn: where its code lies, what is made of it, and the examples nearest to it. */
  async take(pixels) {
    const question = (this.question = Symbol("drawing"));
    const [code, logVariance] = await this.model.encode(pixels);
    const made = await this.model.decode(code);
    if (this.question !== question) return; // more was drawn meanwhile
    const place = this.model.coordinatesOf(code);
    const spread = logVariance?.length === code.length ? this.spreadOf(logVariance) : null;
    this.plane.drawn = { place: [place[0], place[1] ?? 0], spread };
    paint(this.original, pixels, this.given.shape);
    paint(this.rebuilt, made, this.given.shape);
    this.near.replaceChildren();
    for (const row of this.model.nearest(code)) {
      const canvas = element("canvas", "explorer-picture", this.near);
      paint(canvas, this.pictureOf(row), this.given.shape);
      if (this.given.labels) canvas.title = this.given.classes[this.given.labels[row]];
    }
    if (this.model.usual) {
      const error = made.reduce((total, value, i) => total + (value - pixels[i]) ** 2, 0);
      const share = this.model.usual.filter((value) => value < error).length / this.model.usual.length;
      const said = element("p", "explorer-verdict", this.near);
      const percent = Math.round(100 * share);
      said.textContent =
        share >= 0.99 ? `not like the examples: worse rebuilt than ${percent}% of them` : `rebuilt better than ${100 - percent}% of the examples`;
    }
    this.plane.draw();
  }

  /** Two standard deviations' half axes along the plane, of a posterior with independent parts. */
  spreadOf(logVariance) {
    return this.model.directions.slice(0, 2).map((direction) =>
      Math.sqrt(direction.reduce((total, value, i) => total + value * value * Math.exp(logVariance[i]), 0)),
    );
  }

  /** Paint what the decoder makes of a code: at once, or when a server has answered. */
  paintDecoded(canvas, code) {
    const made = this.model.decode(code);
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
      this.paintDecoded(this.decoded, this.model.codeAt(this.coordinates));
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

function addPad(tools, given, tell) {
  if (given.shape[0] !== 1) return null;
  const box = element("figure", "explorer-pad", tools);
  element("figcaption", "", box).textContent = "draw here";
  const pad = new Pad(element("canvas", "", box), given.shape, given.drawn, (pixels) => tell((column) => column.take(pixels)));
  const again = element("button", "", box);
  again.type = "button";
  again.textContent = "clear";
  again.addEventListener("click", () => {
    pad.clear();
    tell((column) => {
      column.plane.drawn = null;
      column.near.replaceChildren();
      column.plane.draw();
    });
  });
  return pad.canvas;
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

function element(tag, className = "", parent = null) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  parent?.append(made);
  return made;
}

function labelled(parent, text) {
  const box = element("figure", "", parent);
  const canvas = element("canvas", "explorer-picture", box);
  element("figcaption", "", box).textContent = text;
  return canvas;
}
