/** The pad, and what every model makes of what is drawn on it. */

import { button, element, labelled } from "../elements.js";
import { nearestTo } from "../model.js";
import { realsInto } from "../packing.js";
import { Pad } from "../pad.js";
import { paint } from "../picture.js";
import { codebookOf } from "./codebook.js";

const UNLIKE = 0.99; // share of the examples that are rebuilt better than what is called no example

/** A pad for all columns; null where the examples have colours. */
export function addPad(tools, given, columns) {
  if (!given.shape || given.shape[0] !== 1) return null;
  const box = element("figure", "explorer-pad", tools);
  element("figcaption", "", box).textContent = "draw here, with mouse or finger";
  const drawn = { kind: null, pixels: null };
  const takeAll = () => drawn.pixels && columns.forEach((column) => take(column, drawn.pixels, drawn.kind));
  const pad = new Pad(element("canvas", "", box), given.shape, given.drawn, (pixels) => {
    drawn.pixels = pixels;
    takeAll();
  });
  button(box, "clear", () => {
    drawn.pixels = null;
    pad.clear();
    columns.forEach(forget);
  });
  const names = columns.find(({ model }) => model.condition?.kind === "label")?.model.condition.names;
  if (names) addQuestion(box, names, (kind) => {
    drawn.kind = kind;
    takeAll();
  });
  return pad.canvas;
}

/** Which class was drawn, which a conditional model is told; "?" has it try each. */
function addQuestion(box, names, answer) {
  const row = element("div", "explorer-question", box);
  element("span", "", row).textContent = "which class is it? With ? the model tries each.";
  const choices = [null, ...names].map((name) => {
    const made = button(row, name ?? "?", () => {
      choices.forEach((other) => other.setAttribute("aria-pressed", String(other === made)));
      answer(name);
    });
    made.setAttribute("aria-pressed", String(name === null));
    return made;
  });
}

function forget(column) {
  column.question = null;
  column.plane.drawn = null;
  column.near.replaceChildren();
  column.plane.draw();
}

/** A picture that was drawn: where its code lies, what is made of it, and the examples nearest to it. */
async function take(column, pixels, kind) {
  const { model, given } = column;
  const question = (column.question = Symbol("drawing"));
  const tried = [];
  for (const condition of conditionsFor(column, kind)) {
    const parts = await model.encode(pixels, condition);
    const made = await model.decode(parts[0], condition);
    tried.push({ parts, made, condition, error: errorOf(made, pixels) });
  }
  if (column.question !== question) return; // more was drawn meanwhile
  const best = tried.reduce((least, one) => (one.error < least.error ? one : least));
  const code = best.parts[0];
  const place = model.coordinatesOf(code);
  column.plane.drawn = { place: [place[0], place[1] ?? 0], spread: spreadOf(model, best.parts) };
  column.near.replaceChildren();
  showDrawing(column, pixels, best, tried.length > 1);
  showNearest(column, code);
  if (model.usual) column.near.append(verdict(model.usual, best.error));
  column.drawnParts = best.parts;
  column.plane.draw();
  column.changed("drawn");
}

/** What a model is told of a drawing: nothing, its class, or every class in turn. */
function conditionsFor({ model, condition }, kind) {
  if (model.condition?.kind !== "label") return [condition];
  const { names } = model.condition;
  return names.includes(kind) ? [model.conditionFor(names.indexOf(kind))] : names.map((_, i) => model.conditionFor(i));
}

const errorOf = (made, pixels) => made.reduce((total, value, i) => total + (value - pixels[i]) ** 2, 0);

/** Standard deviations along the plane of a Gaussian posterior with independent parts; null of another. */
function spreadOf(model, parts) {
  const [logVariance, sigma] = ["log_var", "sigma"].map((name) => parts[model.says.indexOf(name)]);
  if (!logVariance && !sigma) return null;
  const variance = (i) => (sigma ? sigma[i] ** 2 : Math.exp(logVariance[i]));
  return model.directions.slice(0, 2).map((direction) =>
    Math.sqrt(direction.reduce((total, value, i) => total + value * value * variance(i), 0)),
  );
}

/** The drawing as the encoder sees it, beside what is made of it. */
function showDrawing({ near, given, model }, pixels, { made, condition }, isGuessed) {
  const told = model.condition?.kind === "label" ? model.condition.names[condition.indexOf(1)] : null;
  const row = element("div", "explorer-drawing", near);
  paint(labelled(row, "your drawing"), pixels, given.shape);
  paint(labelled(row, told === null ? "rebuilt" : `rebuilt as ${told}`), made, given.shape);
  if (!isGuessed) return;
  element("p", "explorer-verdict", row).textContent = `Told each class in turn, the model rebuilds it best as ${told}.`;
}

/** The five training examples whose codes lie nearest. */
function showNearest(column, code) {
  const { model, given } = column;
  const { examples, labels } = given.training;
  const area = given.shape[1] * given.shape[2];
  const caption = element("p", "explorer-verdict", column.near);
  const rows = nearestTo(code, codesOf(model));
  for (const row of rows) {
    const canvas = labelled(column.near, labels ? given.classes[labels[row]] : "");
    paint(canvas, Float32Array.from(examples.subarray(row * area, (row + 1) * area), (value) => value / 255), given.shape);
  }
  caption.textContent =
    model.condition?.kind === "label"
      ? "Nearest in style: the training examples whose codes are most like its code. The class is not in the code."
      : "The training examples whose codes are most like its code:";
}

/** The codes of the training examples, at the end of training. */
function codesOf(model) {
  model.trained ??= model.quantised
    ? codebookOf(model).trained(model.size)
    : realsInto(new Float32Array(model.training.values.length), model.training, 0);
  return model.trained;
}

/** How well a drawing is rebuilt among the examples: where it stands, and in words. */
function verdict(usual, error) {
  const box = element("div", "explorer-outlier");
  const share = usual.filter((value) => value < error).length / usual.length;
  const limit = usual[Math.floor(UNLIKE * (usual.length - 1))];
  const most = 1.6 * limit;
  const canvas = element("canvas", "", box);
  [canvas.width, canvas.height] = [320, 56];
  const pen = canvas.getContext("2d");
  const across = (value) => 4 + 312 * Math.min(value / most, 1);
  const bins = new Array(40).fill(0);
  usual.forEach((value) => bins[Math.min(39, Math.floor((40 * value) / most))]++);
  pen.fillStyle = "#8a97a4";
  bins.forEach((count, i) => {
    const height = (40 * count) / Math.max(...bins);
    pen.fillRect(4 + (312 * i) / 40, 46 - height, 312 / 40 - 1, height);
  });
  pen.fillStyle = "#d0473d";
  pen.fillRect(across(limit) - 1, 2, 2, 46);
  pen.beginPath();
  pen.arc(across(error), 48, 7, 0, 2 * Math.PI);
  pen.fillStyle = share >= UNLIKE ? "#d0473d" : "#2e9b5b";
  pen.fill();
  const said = element("p", "explorer-verdict", box);
  said.dataset.unlike = String(share >= UNLIKE);
  const head = share >= UNLIKE ? "Not like the examples" : "Like the examples";
  said.textContent = `${head}: its squared error is ${short(error)}. Bars: those of the test examples, 99% of which are below ${short(limit)} (red line). Dot: your drawing.`;
  return box;
}

/** A number above 0 with two digits, or all those before the point. */
const short = (value) => (value < 10 ? value.toPrecision(2) : String(Math.round(value)));
