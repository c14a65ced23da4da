/** What a part repaints when the code has changed: once a move rests, and only where it is seen. */

/**
 * Have a function called once what changed has come to rest, while a box is open, and whenever it is opened.
 * @param {(what: string) => boolean} matters which changes are meant.
 */
export function atLeisure(column, box, act, matters = (what) => what === "code" || what === "moment") {
  const pause = column.model.isLive ? 120 : 350; // milliseconds without a change; a server is asked less often
  let timer = null;
  let isStale = true;
  const go = () => {
    if (box.hidden) return;
    isStale = false;
    act();
  };
  column.onChanged((what) => {
    if (!matters(what)) return;
    isStale = true;
    clearTimeout(timer);
    if (!box.hidden) timer = setTimeout(go, pause);
  });
  box.addEventListener("opened", () => isStale && go());
}

/** Do one thing a frame, until the list is done or another one is begun for the same box. */
export function oneByOne(box, tasks) {
  const list = (box.tasks = [...tasks]);
  const next = () => {
    if (box.tasks !== list || list.length === 0) return;
    const end = performance.now() + 8; // half of a frame
    do list.shift()();
    while (list.length > 0 && performance.now() < end);
    requestAnimationFrame(next);
  };
  next();
}
