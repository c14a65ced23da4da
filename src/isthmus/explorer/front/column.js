/** One model: its plane, what its decoder makes of the pointer's place, and the parts below it. */

import { button, element, labelled } from "./elements.js";
import { listen } from "./gestures.js";
import { PlaneMap } from "./map.js";
import { LiveModel } from "./model.js";
import { addParts } from "./parts/parts.js";
import { paint } from "./picture.js";
import { Plane } from "./plane.js";

export class Column {
  /**
   * @param {object} one the model, as `isthmus.explorer.given` wrote it, unpacked.
   * @param {object} given what all models are shown with.
   * @param {(row: number) => Float32Array} pictureOf an example that has one.
   */
  constructor(one, given, pictureOf) {
    Object.assign(this, { given, pictureOf });
    this.model = new LiveModel(one, given);
    this.code = Float32Array.from(this.model.centre);
    this.coordinates = this.model.directions.map(() => 0);
    this.condition = this.model.conditionOf(0); // what the decoder is told beside the code
    this.onPointed = () => {};
    this.listeners = [];
    this.box = element("figure", "explorer-model");
    this.addHead(one);
    this.plane = new Plane(element("canvas", "explorer-plane", this.box), this.model, given);
    this.describe(one.label);
    if (given.shape) this.addPictures();
    if (given.sounds) this.addPlayers(one);
    if (this.model.answers || one.map) this.map = new PlaneMap(this, given.shape);
    listen(this);
    if (this.model.answers) addParts(this, this.box);
    if (one.why) element("p", "explorer-why", this.box).textContent = `Does not answer in the page: ${one.why}`;
  }

  addHead(one) {
    const head = element("figcaption", "explorer-head", this.box);
    element("strong", "", head).textContent = one.label;
    if (one.epochs.length < 2) {
      element("span", "explorer-quiet", head).textContent = this.model.end > 0 ? "after its training" : "computed in one step";
    }
    const zoom = element("span", "explorer-zoom", head);
    for (const [sign, name, factor] of [["−", "zoom out", 1 / 1.6], ["+", "zoom in", 1.6], ["⤢", "show all", 0]]) {
      const made = button(zoom, sign, () => this.zoomBy(factor));
      made.setAttribute("aria-label", `${name}: ${one.label}`);
      made.title = name;
    }
  }

  describe(label) {
    const { canvas } = this.plane;
    const answers = this.model.answers ? ": drag to see what its decoder makes of them" : "";
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", `Codes of ${label}${answers}`);
    canvas.tabIndex = 0;
  }

  addPictures() {
    const row = element("div", "explorer-pictures", this.box);
    if (this.model.answers) this.decoded = labelled(row, "+ decoded here");
    this.original = labelled(row, "○ example");
    if (this.model.answers || this.model.rebuilt) this.rebuilt = labelled(row, "rebuilt");
    this.near = element("div", "explorer-near", this.box);
  }

  /** Players of the marked example and of what is made of it. */
  addPlayers(one) {
    const row = element("div", "explorer-players", this.box);
    this.players = [["example", this.given.sounds], ["rebuilt", one.sounds ?? []]].map(([name, sounds]) => {
      const box = element("figure", "", row);
      const audio = element("audio", "", box);
      audio.controls = true;
      audio.preload = "none";
      audio.setAttribute("aria-label", `${name}, ${one.label}`);
      element("figcaption", "", box).textContent = name;
      return { box, audio, sounds };
    });
  }

  /** Let the marked example be heard, where the page holds its sound. */
  cue() {
    for (const { box, audio, sounds } of this.players ?? []) {
      const sound = sounds[this.marked];
      box.style.visibility = sound ? "" : "hidden";
      if (sound && audio.src !== sound) audio.src = sound;
    }
  }

  /** The pointer is at a place; over an example every plane marks it. Gives back the example, or null. */
  point(place) {
    const example = this.plane.exampleAt(place);
    if (example !== null && example !== this.marked) this.onPointed(example);
    this.moveAlong({ 0: place[0], 1: place[1] });
    return example;
  }

  /** The pointer tapped a place; an example there is marked, and taken by the part that is open. */
  press(place) {
    const example = this.plane.exampleAt(place);
    if (example === null) return;
    if (example !== this.marked) this.onPointed(example);
    this.changed("pressed");
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
    this.changed("condition");
  }

  /** See less or more of the plane, around its cross or, where that is out of sight, its middle. */
  zoomBy(factor, around = null) {
    const [left, right, bottom, top] = this.plane.window;
    const [x, y] = [this.coordinates[0], this.coordinates[1] ?? (bottom + top) / 2];
    const isSeen = x > left && x < right && y > bottom && y < top;
    this.plane.zoomBy(factor, around ?? (isSeen ? [x, y] : [(left + right) / 2, (bottom + top) / 2]));
    this.changed("window");
    this.show();
  }

  /** The row of the example that is marked, or null. */
  get marked() {
    return this.plane.marked;
  }

  /** Have a function called whenever the code, the marked example, the moment or the window has changed, or an
   * example was tapped ("pressed"). */
  onChanged(listener) {
    this.listeners.push(listener);
  }

  changed(what) {
    this.listeners.forEach((listener) => listener(what));
  }

  /** Mark an example in this plane, with its picture and what is made of it. */
  mark(row) {
    this.plane.marked = row;
    this.paintExample();
    this.cue();
    this.show();
    this.changed("marked");
  }

  /** Go to an epoch of the training, which may lie between two moments. */
  goTo(epoch) {
    const before = this.model.epoch;
    this.model.goTo(epoch);
    if (this.model.epoch === before) return;
    this.paintExample();
    this.show();
    this.changed("moment");
  }

  paintExample() {
    if (this.marked === null || !this.original) return;
    paint(this.original, this.pictureOf(this.marked), this.given.shape);
    if (this.rebuilt) this.paintRebuilt(this.rebuilt, this.marked);
  }

  /** Paint the reconstruction of an example; hide the canvas where there is none at this moment. */
  paintRebuilt(canvas, row) {
    const { rebuilt, answers, epoch, end } = this.model;
    canvas.style.visibility = answers || (rebuilt && epoch === end) ? "" : "hidden";
    if (answers) return this.paintDecoded(canvas, this.model.codeOf(row), this.model.conditionOf(row));
    if (!rebuilt) return;
    const size = this.given.shape.reduce((total, side) => total * side, 1);
    const pixels = rebuilt.subarray(row * size, (row + 1) * size);
    paint(canvas, Float32Array.from(pixels, (value) => value / 255), this.given.shape);
  }

  /** Paint what the decoder makes of a code: at once, or when a server has answered. */
  paintDecoded(canvas, code, condition = this.condition) {
    const made = this.model.decodeNow(code, condition);
    if (made instanceof Promise) {
      canvas.wanted = made;
      made.then((values) => canvas.wanted === made && paint(canvas, values, this.given.shape));
    } else {
      paint(canvas, made, this.given.shape);
    }
  }

  /** What the decoder of a moment makes of a place in the plane. */
  decodeAt(place, moment) {
    return this.model.decode(this.model.moved(this.code, { 0: place[0], 1: place[1] }), this.condition, moment);
  }

  /** What the map depends on beside the plane: where the code lies beyond it, and the condition. */
  beyond() {
    const beyond = this.model.size < 3 ? [] : this.model.moved(this.code, { 0: 0, 1: 0 });
    return [...beyond, ...(this.condition ?? [])].map((value) => Math.round(1000 * value)).join(" ");
  }

  show() {
    if (this.asked) return;
    this.asked = true;
    requestAnimationFrame(() => {
      this.asked = false;
      const start = performance.now();
      this.plane.here = [this.coordinates[0], this.coordinates[1] ?? 0];
      this.plane.draw();
      if (this.decoded) this.paintDecoded(this.decoded, this.code);
      this.took = performance.now() - start; // milliseconds, for whoever measures
    });
  }
}
