/** The training replayed: one slider moves all planes and decoders through it, smoothly. */

import { button, element } from "./elements.js";

const SECONDS = 0.35; // from one moment to the next while it plays

/** Add a button and a slider for all moments that any model kept. Gives back a function that goes to the end. */
export function addTime(bar, columns) {
  const epochs = [...new Set(columns.filter((one) => one.model.epochs.length > 1).flatMap((one) => one.model.epochs))];
  epochs.sort((a, b) => a - b);
  if (epochs.length < 2) return () => {};
  const last = epochs.length - 1;
  const isStill = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const play = button(bar, "Play", () => toggle());
  play.classList.add("explorer-play");
  const slider = element("input", "explorer-time", bar);
  Object.assign(slider, { type: "range", min: 0, max: last, step: 1, value: last });
  slider.setAttribute("aria-label", "epoch of the training");
  const said = element("output", "", bar);
  let now = last; // the moment that is shown, between two while it moves
  let target = last;
  let isPlaying = false;
  let isMoving = false; // whether a frame is asked for already
  let before = 0;

  function name(moment) {
    const epoch = epochs[Math.round(moment)];
    said.textContent = epoch === 0 ? "before training" : `epoch ${epoch} of ${epochs[last]}`;
    slider.setAttribute("aria-valuetext", said.textContent);
  }

  function setPlaying(on) {
    isPlaying = on;
    play.textContent = on ? "Pause" : "Play";
  }

  function frame(time) {
    const passed = Math.min((time - before) / 1000, 0.1);
    before = time;
    if (isPlaying) {
      now = target = Math.min(target + passed / SECONDS, last);
      slider.value = String(Math.round(target));
      if (target >= last) setPlaying(false);
    } else {
      const rest = target - now;
      now = isStill || Math.abs(rest) < 0.01 ? target : now + rest * Math.min(passed * 9, 1);
    }
    name(isPlaying ? now : target);
    show();
    isMoving = isPlaying || now !== target;
    if (isMoving) requestAnimationFrame(frame);
  }

  function show() {
    const low = Math.floor(now);
    const epoch = epochs[low] + (epochs[Math.min(low + 1, last)] - epochs[low]) * (now - low);
    columns.forEach((column) => column.goTo(epoch));
  }

  function start() {
    if (isMoving) return;
    isMoving = true;
    before = performance.now();
    requestAnimationFrame(frame);
  }

  function toggle() {
    if (!isPlaying && target >= last) now = target = 0;
    setPlaying(!isPlaying);
    start();
  }

  slider.addEventListener("input", () => {
    setPlaying(false);
    target = Number(slider.value);
    start();
  });
  name(last);
  return () => {
    setPlaying(false);
    now = target = last;
    slider.value = String(last);
    start();
  };
}
