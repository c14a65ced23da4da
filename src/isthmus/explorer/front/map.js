/**
 * The map of a plane: what the decoder makes of each place, drawn at that place. Tiles are decoded a
 * few at a time, are kept for every moment, and are finer where one has zoomed in.
 */

import { between } from "./moments.js";
import { Atlas } from "./picture.js";

const SIDE = 15; // tiles along a side of the whole plane
const FILLED = 0.88; // of the step between two tiles
const OPACITY = 0.45; // so that dots stand out
const KEPT = 6000; // tiles of all moments
const SHEETS = 3; // maps that are whole

export class PlaneMap {
  /**
   * @param {Column} column whose decoder is asked.
   * @param {number[]} shape of a picture.
   */
  constructor(column, shape) {
    Object.assign(this, { column, model: column.model, shape });
    this.atlas = new Atlas(shape, KEPT);
    this.sheets = [];
    this.slice = "";
    this.version = 0; // counts what is new in sight
    this.ink = "";
    if (!this.model.isLive) this.takeTiles();
  }

  /** Whether there is anything to draw, now or at the end. */
  get isPossible() {
    return this.model.isLive || Boolean(this.model.map);
  }

  /** Tiles that were decoded before, of the end of training. */
  takeTiles() {
    const size = this.shape.reduce((total, side) => total * side, 1);
    this.given = (i, j) => {
      const start = (j * SIDE + i) * size;
      return Float32Array.from(this.model.map.subarray(start, start + size), (value) => value / 255);
    };
  }

  /** Tiles that fill a window: their level, their steps, and where they are, in the order of the work. */
  lattice(window) {
    const [left, right, bottom, top] = this.model.view;
    const zoom = (right - left) / (window[1] - window[0]);
    const level = this.model.isLive ? Math.max(0, Math.floor(Math.log2(zoom) + 0.25)) : 0;
    const steps = [(right - left) / SIDE / 2 ** level, (top - bottom) / SIDE / 2 ** level];
    const first = [Math.floor((window[0] - left) / steps[0]), Math.floor((top - window[3]) / steps[1])];
    const last = [Math.ceil((window[1] - left) / steps[0]) - 1, Math.ceil((top - window[2]) / steps[1]) - 1];
    const key = `${level} ${first} ${last}`;
    if (this.known?.key !== key) this.known = { key, level, steps, order: inOrder(first, last) };
    return this.known;
  }

  /** The place in the plane that the middle of a tile stands for. */
  placeOf({ steps }, i, j) {
    return [this.model.view[0] + (i + 0.5) * steps[0], this.model.view[3] - (j + 0.5) * steps[1]];
  }

  keyOf(moment, { level }, i, j) {
    return `${moment} ${level} ${i} ${this.model.size === 1 ? 0 : j}`;
  }

  /** Draw the tiles that are there; those of two moments, one over the other, while it moves. */
  draw(pen, paper, window, density) {
    this.renew(paper.colours.ink);
    const { i, next, way } = this.time();
    pen.setTransform(1, 0, 0, 1, 0, 0);
    for (const [moment, share] of way > 0 ? [[i, 1 - way], [next, way]] : [[i, 1]]) {
      pen.globalAlpha = share * OPACITY;
      pen.drawImage(this.sheet(moment, paper, window, density), 0, 0);
    }
    pen.globalAlpha = 1;
    pen.setTransform(density, 0, 0, density, 0, 0);
  }

  /** All tiles of a moment on one sheet, which is kept while neither they nor the window change. */
  sheet(moment, paper, window, density) {
    const pixels = Math.round(paper.side * density);
    const key = `${moment} ${pixels} ${window} ${this.slice} ${this.version}`;
    const known = this.sheets.find((sheet) => sheet.key === key);
    if (known) return known.canvas;
    const { canvas } = this.sheets.length < SHEETS ? { canvas: document.createElement("canvas") } : this.sheets.shift();
    canvas.width = canvas.height = pixels;
    const pen = canvas.getContext("2d", { willReadFrequently: true });
    pen.setTransform(density, 0, 0, density, 0, 0);
    const lattice = this.lattice(window);
    for (const [x, y] of lattice.order) {
      const tile = this.nearestTo(moment, lattice, x, y);
      if (tile) this.drawTile(pen, paper, lattice, tile, x, y);
    }
    this.sheets.push({ key, canvas });
    return canvas;
  }

  /** The key of a tile, or, until it is decoded, of the same one at the moment nearest to it that is. */
  nearestTo(moment, lattice, x, y) {
    const count = moment < 0 ? 0 : (this.model.networks?.epochs.length ?? 1);
    for (let far = 0; far < count; far++) {
      const found = [moment - far, moment + far].map((one) => this.keyOf(one, lattice, x, y)).find((key) => this.atlas.has(key));
      if (found) return found;
    }
    return null;
  }

  drawTile(pen, paper, lattice, key, i, j) {
    const [x, y] = this.placeOf(lattice, i, j);
    const [width, height] = [lattice.steps[0] * paper.scale[0], lattice.steps[1] * paper.scale[1]];
    const [, rows, columns] = this.shape;
    const fit = FILLED * Math.min(width / columns, height / rows);
    const [across, down] = [fit * columns, fit * rows];
    this.atlas.draw(pen, key, paper.across(x) - across / 2, paper.down(y) - down / 2, across, down);
  }

  time() {
    if (this.model.isLive) return between(this.model.networks.epochs, this.model.epoch);
    return { i: this.model.epoch === this.model.end ? 0 : -1, next: 0, way: 0 };
  }

  /** Forget the tiles of other paper, or of a place elsewhere beyond the plane. */
  renew(ink) {
    const slice = `${this.column.beyond()} ${ink}`;
    if (slice === this.slice) return;
    Object.assign(this, { slice, ink });
    this.atlas.clear();
  }

  /** Decode missing tiles for some milliseconds: `isSeen`, whether any is in sight, and `isDone`. */
  work(window, milliseconds) {
    const end = performance.now() + milliseconds;
    const lattice = this.lattice(window);
    const { i: now, next } = this.time();
    let isSeen = false;
    for (const moment of this.moments(lattice.order.length)) {
      for (const [i, j] of lattice.order) {
        const key = this.keyOf(moment, lattice, i, j);
        if (this.atlas.has(key)) continue;
        if (performance.now() > end) return { isSeen, isDone: false };
        const made = this.tile(moment, lattice, i, j);
        if (made === null) continue;
        this.atlas.add(key, made, inkOf(this.ink));
        isSeen ||= moment === now || moment === next;
      }
    }
    return { isSeen, isDone: true };
  }

  tile(moment, lattice, i, j) {
    if (this.model.isLive) return this.column.decodeAt(this.placeOf(lattice, i, j), moment);
    return i >= 0 && j >= 0 && i < SIDE && j < SIDE ? this.given(i, j) : null;
  }

  /** The moments that are decoded: those in sight, then as many more as there is room for. */
  moments(each) {
    const { i, next } = this.time();
    if (!this.model.isLive) return [0];
    const others = this.model.networks.epochs.map((_, moment) => moment).filter((m) => m !== i && m !== next);
    others.sort((a, b) => ((a - i + 1000) % 1000) - ((b - i + 1000) % 1000)); // what is to come first
    return [...new Set([i, next]), ...others].slice(0, Math.max(2, Math.floor(this.atlas.room / each)));
  }
}

/** All tiles of a lattice, spread over it, so that a map that is half done shows all of it. */
function inOrder(first, last) {
  const found = [];
  for (let j = first[1]; j <= last[1]; j++) {
    for (let i = first[0]; i <= last[0]; i++) found.push([i, j]);
  }
  const rank = ([i, j]) => (((i % 4) + 4) % 4) * 4 + (((j % 4) + 4) % 4);
  return found.sort((a, b) => ORDER[rank(a)] - ORDER[rank(b)]);
}

const ORDER = [0, 8, 2, 10, 12, 4, 14, 6, 3, 11, 1, 9, 15, 7, 13, 5]; // Bayer's

function inkOf(colour) {
  return [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
}
