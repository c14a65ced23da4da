/** The explorer in a notebook, as an anywidget: what the page does not know, Python answers. */

import { explore } from "./explorer.js";

const DARK = 0.4; // luminance of a paper, below which it is dark

/**
 * @param {object} view `{model, el}` of anywidget: `model` holds `given`, `code` and `marked`, and passes messages.
 */
export async function render({ model, el }) {
  const root = document.createElement("div");
  el.append(root);
  el.dataset.scheme = isDark(el) ? "dark" : "light";
  const given = { ...JSON.parse(model.get("given")), ask: asker(model) };
  const { columns } = await explore(root, given);
  columns.forEach((column, place) => column.onChanged((what) => follow(model, column, place, what)));
  el.explorer = { columns };
}

/** Questions to Python, and the answers by their numbers. */
function asker(model) {
  const waiting = new Map();
  let count = 0;
  model.on("msg:custom", (message, buffers) => {
    const found = waiting.get(message.id);
    if (!found) return;
    waiting.delete(message.id);
    if (message.error) return found.reject(new Error(message.error));
    const { buffer, byteOffset, byteLength } = buffers[0];
    found.resolve(new Float32Array(buffer.slice(byteOffset, byteOffset + byteLength)));
  });
  return (place, kind, numbers) =>
    new Promise((resolve, reject) => {
      waiting.set(++count, { resolve, reject });
      model.send({ id: count, place, kind }, undefined, [numbers.buffer]);
    });
}

/** Let Python know the code that is shown, and the example that is marked, a little later than the page. */
function follow(model, column, place, what) {
  if (what !== "code" && what !== "marked") return;
  model.set("place", place);
  model.set("code", Array.from(column.code));
  model.set("marked", column.marked ?? -1);
  clearTimeout(model.saving);
  model.saving = setTimeout(() => model.save_changes(), 150);
}

/** Whether the paper that an element stands on is dark: notebooks have themes of their own. */
function isDark(element) {
  for (let at = element; at; at = at.parentElement) {
    const parts = getComputedStyle(at).backgroundColor.match(/[\d.]+/g)?.map(Number) ?? [];
    if (parts.length >= 3 && (parts[3] ?? 1) > 0.5) {
      return (0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]) / 255 < DARK;
    }
  }
  return matchMedia("(prefers-color-scheme: dark)").matches;
}
