"use strict";

// The code planes of all models, moved by one slider.
(() => {
  const film = JSON.parse(document.getElementById("frames").textContent);
  const play = document.getElementById("play");
  const slider = document.getElementById("moment");
  const label = document.getElementById("epoch");
  const legend = document.getElementById("legend");
  const tip = document.getElementById("tip");
  const last = film.epochs.length - 1;
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const secondsPerSnapshot = 0.35;
  const reach = 14; // how far from a dot the pointer may be, in pixels

  const count = film.panels[0].epochs.length ? unpack(film.panels[0]).length / 2 / film.panels[0].epochs.length : 0;
  // Dots are drawn in an order of their own, so that no class lies on top of all others.
  const order = Uint16Array.from({ length: count }, (_, i) => i).sort((a, b) => scatter(a) - scatter(b));
  const figures = [...document.querySelectorAll("#player .panel")];
  const panels = film.panels.map((panel, i) => ({
    ...panel,
    positions: unpack(panel),
    canvas: figures[i].querySelector("canvas"),
    image: figures[i].querySelector("img"),
    shown: panel.grids.length - 1,
    now: new Float32Array(2 * count),
  }));

  let moment = Math.max(last, 0); // where the planes are, between snapshots while they move
  let target = moment;
  let playing = false;
  let moving = false; // whether a frame is asked for already
  let before = 0;
  let alone = null; // the class that is looked at by itself
  let touched = null; // the dot that the pointer is on

  function unpack(panel) {
    const bytes = Uint8Array.from(atob(panel.positions), (character) => character.charCodeAt(0));
    return new Uint16Array(bytes.buffer);
  }

  function scatter(i) {
    return (i * 7919) % 1009;
  }

  function epochAt(position) {
    const low = Math.floor(position);
    const high = Math.min(low + 1, last);
    return film.epochs[low] + (film.epochs[high] - film.epochs[low]) * (position - low);
  }

  // The snapshot before an epoch, and how far it is on the way to the next.
  function place(epochs, epoch) {
    let i = 0;
    while (i + 1 < epochs.length && epochs[i + 1] <= epoch) i += 1;
    const next = Math.min(i + 1, epochs.length - 1);
    const way = next > i ? Math.min(Math.max((epoch - epochs[i]) / (epochs[next] - epochs[i]), 0), 1) : 0;
    return { i, next, way };
  }

  function move(panel, epoch) {
    const { i, next, way } = place(panel.epochs, epoch);
    const [left, right, bottom, top] = panel.bounds;
    const [x0, x1, y0, y1] = panel.view;
    const scaleX = (right - left) / 65535;
    const scaleY = (top - bottom) / 65535;
    for (let k = 0; k < count; k += 1) {
      const a = 2 * (i * count + k);
      const b = 2 * (next * count + k);
      const x = panel.positions[a] + (panel.positions[b] - panel.positions[a]) * way;
      const y = panel.positions[a + 1] + (panel.positions[b + 1] - panel.positions[a + 1]) * way;
      panel.now[2 * k] = (left + x * scaleX - x0) / (x1 - x0);
      panel.now[2 * k + 1] = 1 - (bottom + y * scaleY - y0) / (y1 - y0);
    }
    const grid = way > 0.5 ? next : i;
    if (panel.image && grid !== panel.shown) {
      panel.image.src = panel.grids[grid];
      panel.shown = grid;
    }
  }

  function ticks(low, high) {
    const rough = (high - low) / 7;
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].map((n) => n * power).find((n) => n >= rough);
    const found = [];
    for (let n = Math.ceil(low / step); n * step <= high; n += 1) found.push(Number((n * step).toPrecision(6)));
    return found;
  }

  function drawAxes(panel, pen, size) {
    const [x0, x1, y0, y1] = panel.view;
    pen.fillStyle = "#6b7580";
    pen.font = "11px system-ui, sans-serif";
    pen.strokeStyle = "#edf0f3";
    pen.lineWidth = 1;
    for (const value of ticks(x0, x1)) {
      const x = ((value - x0) / (x1 - x0)) * size;
      pen.beginPath();
      pen.moveTo(x, 0);
      pen.lineTo(x, size);
      pen.stroke();
      pen.textAlign = "center";
      if (x > 24 && x < size - 34) pen.fillText(String(value).replace("-", "−"), x, size - 5);
    }
    for (const value of panel.axes[1] ? ticks(y0, y1) : []) {
      const y = (1 - (value - y0) / (y1 - y0)) * size;
      pen.beginPath();
      pen.moveTo(0, y);
      pen.lineTo(size, y);
      pen.stroke();
      pen.textAlign = "left";
      if (y > 24 && y < size - 24) pen.fillText(String(value).replace("-", "−"), 5, y + 4);
    }
    pen.textAlign = "right";
    pen.fillText(panel.axes[0], size - 5, size - 5);
    pen.textAlign = "left";
    pen.fillText(panel.axes[1], 5, 14);
    if (!panel.rings) return;
    pen.strokeStyle = "#b6bfc8";
    for (const radius of [1, 2]) {
      pen.beginPath();
      pen.arc((-x0 / (x1 - x0)) * size, (1 + y0 / (y1 - y0)) * size, (radius / (x1 - x0)) * size, 0, 2 * Math.PI);
      pen.stroke();
    }
  }

  function drawDot(panel, pen, size, k, radius) {
    pen.beginPath();
    pen.arc(panel.now[2 * k] * size, panel.now[2 * k + 1] * size, radius, 0, 2 * Math.PI);
    pen.fill();
  }

  function draw(panel) {
    const size = panel.canvas.clientWidth;
    const density = window.devicePixelRatio || 1;
    const pixels = Math.round(size * density);
    if (panel.canvas.width !== pixels) panel.canvas.width = panel.canvas.height = pixels;
    const pen = panel.canvas.getContext("2d");
    pen.setTransform(density, 0, 0, density, 0, 0);
    pen.clearRect(0, 0, size, size);
    drawAxes(panel, pen, size);
    const radius = Math.max(2, Math.min(4, 66 / Math.sqrt(count)));
    for (const k of order) {
      const kind = film.labels ? film.labels[k] : 0;
      pen.globalAlpha = alone === null || alone === kind ? 0.85 : 0.07;
      pen.fillStyle = film.colours[kind];
      drawDot(panel, pen, size, k, radius);
    }
    pen.globalAlpha = 1;
    if (touched === null) return;
    pen.fillStyle = film.colours[film.labels ? film.labels[touched] : 0];
    pen.strokeStyle = "#000";
    pen.lineWidth = 2;
    drawDot(panel, pen, size, touched, radius + 3);
    pen.stroke();
  }

  function render() {
    const epoch = last >= 0 ? epochAt(moment) : 0;
    for (const panel of panels) {
      move(panel, epoch);
      draw(panel);
    }
  }

  function name(position) {
    const epoch = film.epochs[Math.round(position)];
    label.textContent = epoch === 0 ? "before training" : `epoch ${epoch} of ${film.epochs[last]}`;
    slider.setAttribute("aria-valuetext", label.textContent);
  }

  function setPlaying(on) {
    playing = on;
    play.textContent = on ? "Pause" : "Play";
  }

  function frame(time) {
    const passed = Math.min((time - before) / 1000, 0.1);
    before = time;
    if (playing) {
      target = Math.min(target + passed / secondsPerSnapshot, last);
      moment = target;
      slider.value = String(Math.round(target));
      if (target >= last) setPlaying(false);
    } else {
      const rest = target - moment;
      moment = still || Math.abs(rest) < 0.01 ? target : moment + rest * Math.min(passed * 9, 1);
    }
    name(playing ? moment : target);
    render();
    moving = playing || moment !== target;
    if (moving) requestAnimationFrame(frame);
  }

  function start() {
    if (moving) return;
    moving = true;
    before = performance.now();
    requestAnimationFrame(frame);
  }

  play.addEventListener("click", () => {
    if (!playing && target >= last) moment = target = 0;
    setPlaying(!playing);
    start();
  });
  slider.addEventListener("input", () => {
    setPlaying(false);
    target = Number(slider.value);
    start();
  });

  function nearest(panel, x, y) {
    const size = panel.canvas.clientWidth;
    let found = null;
    let least = reach * reach;
    for (let k = 0; k < count; k += 1) {
      if (alone !== null && film.labels[k] !== alone) continue;
      const distance = (panel.now[2 * k] * size - x) ** 2 + (panel.now[2 * k + 1] * size - y) ** 2;
      if (distance < least) [found, least] = [k, distance];
    }
    return found;
  }

  function showTip(event) {
    tip.hidden = touched === null;
    if (touched === null) return;
    const kind = film.labels ? film.classes[film.labels[touched]] : "";
    tip.textContent = kind ? `class ${kind}` : `example ${touched + 1}`;
    if (film.thumbnails) {
      const picture = document.createElement("i");
      const rows = Math.ceil(count / film.per_row);
      const column = touched % film.per_row;
      const row = Math.floor(touched / film.per_row);
      picture.style.aspectRatio = String(1 / film.ratio);
      picture.style.backgroundImage = `url("${film.thumbnails}")`;
      picture.style.backgroundSize = `${film.per_row * 100}% ${rows * 100}%`;
      picture.style.backgroundPosition =
        `${(100 * column) / Math.max(film.per_row - 1, 1)}% ${(100 * row) / Math.max(rows - 1, 1)}%`;
      tip.append(picture);
    }
    const left = Math.min(event.pageX + 14, document.documentElement.clientWidth - tip.offsetWidth - 6);
    tip.style.left = `${left}px`;
    tip.style.top = `${event.pageY + 14}px`;
  }

  for (const panel of panels) {
    panel.canvas.addEventListener("pointermove", (event) => {
      touched = nearest(panel, event.offsetX, event.offsetY);
      showTip(event);
      render();
    });
    panel.canvas.addEventListener("pointerleave", () => {
      touched = null;
      tip.hidden = true;
      render();
    });
  }

  film.classes.forEach((text, kind) => {
    const button = document.createElement("button");
    const dot = document.createElement("i");
    button.type = "button";
    button.setAttribute("aria-pressed", "false");
    dot.style.background = film.colours[kind];
    button.append(dot, text);
    button.addEventListener("click", () => {
      alone = alone === kind ? null : kind;
      [...legend.children].forEach((other, k) => other.setAttribute("aria-pressed", String(k === alone)));
      render();
    });
    legend.append(button);
  });

  document.querySelector("#player .controls").hidden = last < 1;
  legend.hidden = film.classes.length === 0;
  if (last >= 0) name(target);
  new ResizeObserver(render).observe(document.querySelector("#player .columns"));
  render();
})();
