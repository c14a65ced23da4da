/**
 * What stands below a plane: parts, each a file of this folder. A part is `{title, accepts, build}`:
 * `accepts(column)` says whether a model has what it is about, `build(column, box)` fills its box.
 *
 * What a part may use of a column:
 *   model, given          the live model, and all that the page was given
 *   code, coordinates     the code that is shown, and where it lies along the axes
 *   condition, showCondition(numbers)   what the decoder is told beside the code, or null
 *   marked                the row of the example that is marked, or null
 *   showCode(code)        decode this code, and move the cross to it
 *   paintDecoded(canvas, code, condition), pictureOf(row)
 *   onChanged(listener)   called with "code", "condition", "marked" or "moment", whatever has changed, and with "pressed"
 *                         where an example was tapped, which is then the marked one
 * A box is told "opened" when it is.
 *   plane.overlays        functions (pen, paper) that draw over the dots
 */

import { button, element } from "../elements.js";
import { arithmetic } from "./arithmetic.js";
import { classes } from "./classes.js";
import { covariates } from "./covariates.js";
import { means } from "./means.js";
import { redraw } from "./redraw.js";
import { sliders } from "./sliders.js";
import { tiles } from "./tiles.js";
import { walk } from "./walk.js";

export const PARTS = [tiles, redraw, classes, covariates, sliders, walk, arithmetic, means];

/** Fill a column's box with the parts that accept it, one of them open at a time. */
export function addParts(column, parent) {
  const parts = PARTS.filter((part) => part.accepts(column));
  if (parts.length === 0) return;
  const box = element("div", "explorer-parts", parent);
  const names = element("div", "explorer-tabs", box);
  names.setAttribute("role", "tablist");
  const tabs = parts.map((part) => {
    const panel = element("div", "explorer-part", box);
    panel.setAttribute("role", "tabpanel");
    panel.setAttribute("aria-label", part.title);
    const tab = button(names, part.title, () => open(panel));
    tab.setAttribute("role", "tab");
    part.build(column, panel);
    return { tab, panel };
  });
  const open = (chosen) => {
    tabs.forEach(({ tab, panel }) => {
      panel.hidden = panel !== chosen;
      tab.setAttribute("aria-selected", String(panel === chosen));
      if (panel === chosen) panel.dispatchEvent(new Event("opened"));
    });
    column.plane.draw(); // what an open part draws over the dots
  };
  names.hidden = parts.length < 2;
  open(tabs[0].panel);
}
