/** The code of a quantised member: grids of indices, of which each can be exchanged for another entry. */

import { button, element } from "../elements.js";
import { codebookOf } from "./codebook.js";
import { oneByOne } from "./leisure.js";

const CHOICES = 9; // of each kind

export const tiles = {
  title: "grid of indices",

  accepts: ({ model }) => Boolean(model.quantised),

  build(column, box) {
    element("p", "explorer-note", box).textContent =
      "The code is a grid of whole numbers: which entry of the codebook stands at each place. Like colours are like entries. Tap a tile, then another entry for it.";
    const grid = new TileGrid(column, box);
    column.onChanged((what) => {
      if (what === "pressed" && column.marked !== null) grid.takeExample(column.marked);
      if (what === "drawn") grid.take(column.drawnParts[column.model.says.indexOf("indices")], column.drawnParts[0]);
    });
  },
};

class TileGrid {
  constructor(column, box) {
    Object.assign(this, { column, book: codebookOf(column.model) });
    const row = element("div", "explorer-grids", box);
    this.tiles = this.book.levels.map((level) => this.addLevel(row, level));
    const result = element("figure", "explorer-composed", row);
    this.canvas = element("canvas", "explorer-picture", result);
    element("figcaption", "", result).textContent = "decoded";
    button(result, "as it was", () => this.take(this.origin.indices, this.origin.code));
    this.palette = element("div", "explorer-palette", box);
    this.takeExample(column.marked ?? 0);
    box.addEventListener("opened", () => this.paint());
  }

  addLevel(parent, level) {
    const figure = element("figure", "", parent);
    const grid = element("div", "explorer-tiles", figure);
    grid.style.gridTemplateColumns = `repeat(${level.grid[1]}, minmax(0, 1fr))`;
    element("figcaption", "", figure).textContent = `${level.name}: ${level.grid.join(" × ")}, of ${level.entries.length} entries`;
    return Array.from({ length: level.places }, (_, place) => {
      const tile = element("button", "explorer-tile", grid);
      tile.type = "button";
      tile.addEventListener("click", () => this.choose(level, place));
      return tile;
    });
  }

  takeExample(row) {
    const indices = this.book.indicesOf(row);
    this.take(indices, this.book.codeOf(indices, this.column.model.size));
  }

  /** Begin from indices and the code that they make. */
  take(indices, code) {
    this.origin = { indices, code };
    this.chosen = null;
    this.show(Int32Array.from(indices), code);
    this.palette.replaceChildren();
  }

  show(indices, code) {
    Object.assign(this, { indices, code });
    this.paint();
  }

  paint() {
    this.book.levels.forEach((level, i) =>
      this.tiles[i].forEach((tile, place) => {
        const index = this.indices[level.first + place];
        tile.style.background = this.book.colourOf(level, index);
        tile.textContent = String(index);
        tile.setAttribute("aria-label", `entry ${index}, place ${place + 1}`);
        tile.classList.toggle("is-changed", index !== this.origin.indices[level.first + place]);
        tile.setAttribute("aria-pressed", String(this.chosen?.level === level && this.chosen.place === place));
      }),
    );
    this.column.paintDecoded(this.canvas, this.code);
  }

  /** A tile was tapped: show what else could stand there, each with what it would make of the picture. */
  choose(level, place) {
    this.chosen = { level, place };
    this.paint();
    const present = this.indices[level.first + place];
    const { common, like } = this.book.choices(level, place, present, CHOICES);
    this.palette.replaceChildren();
    const tasks = [
      ...this.addChoices("most often at this place", common),
      ...this.addChoices(`most like entry ${present}`, like),
    ];
    oneByOne(this.palette, tasks);
  }

  addChoices(name, entries) {
    if (entries.length === 0) return [];
    element("p", "explorer-note", this.palette).textContent = name;
    const row = element("div", "explorer-row", this.palette);
    const { level, place } = this.chosen;
    return entries.map((entry) => {
      const made = element("button", "explorer-choice", row);
      made.type = "button";
      const canvas = element("canvas", "explorer-picture", made);
      const said = element("span", "", made);
      element("span", "explorer-dot", said).style.background = this.book.colourOf(level, entry);
      said.append(String(entry));
      const code = this.book.exchanged(this.code, level, place, this.indices[level.first + place], entry);
      made.addEventListener("click", () => this.exchange(entry, code));
      return () => this.column.paintDecoded(canvas, code);
    });
  }

  exchange(entry, code) {
    const start = performance.now();
    const { level, place } = this.chosen;
    const indices = Int32Array.from(this.indices);
    indices[level.first + place] = entry;
    this.show(indices, code);
    this.column.showCode(code);
    this.took = performance.now() - start;
    this.choose(level, place);
  }
}
