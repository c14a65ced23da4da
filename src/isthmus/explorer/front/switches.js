/** What can be switched for all planes: the map under the dots, and the classes that are seen. */

import { button, element } from "./elements.js";

const PAUSE = 80; // milliseconds between two drawings of new tiles
const FRAME = 6; // milliseconds of a frame that the maps may take, all together

/** A switch for the map, which is decoded little by little while it is on. */
export function addMap(bar, columns) {
  const mapped = columns.filter((column) => column.map?.isPossible);
  if (mapped.length === 0) return;
  let isOn = false;
  let isAsked = false;
  let told = 0; // when new tiles were last drawn
  const news = new Set(); // columns with tiles that are not drawn yet
  const toggle = button(bar, "map", () => set(!isOn));
  toggle.title = "what the decoder makes of each place, drawn at that place";

  function set(on) {
    isOn = on;
    toggle.setAttribute("aria-pressed", String(on));
    mapped.forEach((column) => {
      column.plane.map = on ? column.map : null;
      column.show();
    });
    ask();
  }

  function ask() {
    if (isAsked || !isOn) return;
    isAsked = true;
    requestAnimationFrame(work);
  }

  function work() {
    isAsked = false;
    const found = mapped.map((column) => column.map.work(column.plane.window, FRAME / mapped.length));
    found.forEach(({ isSeen }, i) => isSeen && news.add(mapped[i]));
    const isDone = found.every((one) => one.isDone);
    if (isDone || performance.now() - told > PAUSE) tell();
    if (!isDone) ask();
  }

  function tell() {
    told = performance.now();
    news.forEach((column) => {
      column.map.version += 1;
      column.show();
    });
    news.clear();
  }

  mapped.forEach((column) => column.onChanged(ask));
  set(true);
}

/** The classes with their colours; those that are pressed are seen, and all where none is. */
export function addLegend(parent, given, columns) {
  if (!given.labels) return;
  const chosen = new Set();
  const box = element("div", "explorer-legend", parent);
  box.setAttribute("role", "group");
  box.setAttribute("aria-label", "classes; press some to see them alone");
  given.classes.forEach((name, kind) => {
    const made = button(box, "", () => choose(made, kind));
    made.setAttribute("aria-pressed", "false");
    element("span", "explorer-dot", made).style.background = given.colours[kind];
    made.append(name);
  });

  function choose(pressed, kind) {
    const isOn = chosen.delete(kind);
    if (!isOn) chosen.add(kind);
    pressed.setAttribute("aria-pressed", String(!isOn));
    columns.forEach((column) => {
      column.plane.chosen = chosen;
      column.show();
    });
  }
}
