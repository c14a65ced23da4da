/** What pointer, wheel and keys do in a plane. */

const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
const ZOOMS = { "+": 1.6, "=": 1.6, "-": 1 / 1.6, 0: 0 };
const TAP = 6; // points that a pointer may move while it taps
const REST = 400; // milliseconds after which a turn of the wheel no longer belongs to a scroll

/** Move a column's cross by pointing; zoom by wheel, pinch or keys; drag what is zoomed with the mouse. */
export function listen(column) {
  const { plane } = column;
  const { canvas } = plane;
  const held = new Map(); // the pointers that are down
  let began = null; // where the last one came down
  canvas.style.touchAction = "none";

  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    held.set(event.pointerId, event);
    began = event;
    if (held.size === 1) point(event);
  });
  canvas.addEventListener("pointermove", (event) => {
    const before = held.get(event.pointerId);
    if (held.size > 1) pinch(held, event);
    else if (before && event.pointerType === "mouse" && plane.zoom > 1) drag(before, event);
    if (before) held.set(event.pointerId, event);
    if (held.size < 2) point(event);
  });
  canvas.addEventListener("pointerup", (event) => {
    if (held.size === 1 && isTap(began, event)) column.press(plane.placeOf(event));
  });
  for (const name of ["pointerup", "pointercancel"]) {
    canvas.addEventListener(name, (event) => held.delete(event.pointerId));
  }
  canvas.addEventListener("dblclick", () => column.zoomBy(0));
  canvas.addEventListener("keydown", (event) => key(event));
  listenToWheel(column);

  function point(event) {
    column.onTip?.(column.point(plane.placeOf(event)), event);
  }

  function drag(before, event) {
    const [from, to] = [plane.placeOf(before), plane.placeOf(event)];
    plane.pan(from[0] - to[0], from[1] - to[1]);
    column.changed("window");
  }

  function pinch(pointers, event) {
    if (!pointers.has(event.pointerId)) return;
    const other = [...pointers.values()].find((one) => one.pointerId !== event.pointerId);
    const apart = (one) => Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY);
    const before = pointers.get(event.pointerId);
    const middle = { clientX: (event.clientX + other.clientX) / 2, clientY: (event.clientY + other.clientY) / 2 };
    const then = { clientX: (before.clientX + other.clientX) / 2, clientY: (before.clientY + other.clientY) / 2 };
    drag(then, middle);
    column.zoomBy(apart(event) / Math.max(apart(before), 1), plane.placeOf(middle));
  }

  function key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key in ZOOMS) return column.zoomBy(ZOOMS[event.key]);
    const step = STEPS[event.key];
    if (!step) return;
    event.preventDefault();
    const [left, right, bottom, top] = plane.window;
    column.point([
      column.coordinates[0] + (step[0] * (right - left)) / 60,
      (column.coordinates[1] ?? 0) + (step[1] * (top - bottom)) / 60,
    ]);
  }
}

/** Whether a pointer came up where it went down. */
function isTap(began, event) {
  return Math.hypot(event.clientX - began.clientX, event.clientY - began.clientY) < TAP;
}

/** The wheel zooms, unless it is scrolling the page, or there is nothing left to zoom out of. */
function listenToWheel(column) {
  let scrolled = -Infinity;
  const { plane } = column;
  window.addEventListener("scroll", () => (scrolled = performance.now()), { passive: true });
  plane.canvas.addEventListener(
    "wheel",
    (event) => {
      if (performance.now() - scrolled < REST && !event.ctrlKey) return;
      if (event.deltaY > 0 && plane.zoom === 1) return;
      event.preventDefault();
      column.zoomBy(Math.exp(-event.deltaY / (event.ctrlKey ? 80 : 300)), plane.placeOf(event));
    },
    { passive: false },
  );
}
