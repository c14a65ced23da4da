/** The mean code of each class, decoded, above the mean of its pictures. */

import { element } from "../elements.js";
import { paint } from "../picture.js";
import { atLeisure, oneByOne } from "./leisure.js";

export const means = {
  title: "class means",

  accepts: ({ given, model }) => Boolean(given.labels) && model.condition?.kind !== "label",

  build(column, box) {
    const { given, model } = column;
    element("p", "explorer-note", box).textContent =
      "Above, what the decoder makes of the mean of a class’s codes; below, the mean of its pictures. Choose one to go there.";
    const row = element("div", "explorer-row", box);
    const members = membersOf(given, model);
    const kinds = given.classes.map((_, kind) => kind).filter((kind) => members[kind].length > 0);
    const choices = kinds.map((kind) => {
      const made = element("button", "explorer-choice", row);
      made.type = "button";
      const decoded = element("canvas", "explorer-picture", made);
      paint(element("canvas", "explorer-picture", made), mean(members[kind].map(column.pictureOf)), given.shape);
      const said = element("span", "", made);
      element("span", "explorer-dot", said).style.background = given.colours[kind];
      said.append(given.classes[kind]);
      const code = () => mean(members[kind].map((other) => model.codeOf(other)));
      made.addEventListener("click", () => column.showCode(code()));
      return () => column.paintDecoded(decoded, code());
    });
    atLeisure(column, box, () => oneByOne(box, choices), (what) => what === "moment");
  },
};

/** The rows of each class, of examples whose codes are known. */
function membersOf(given, model) {
  const count = model.codes().length / model.size;
  const members = given.classes.map(() => []);
  given.labels.slice(0, count).forEach((kind, row) => members[kind].push(row));
  return members;
}

/** The mean of lists of numbers, place by place. */
export function mean(lists) {
  const total = new Float64Array(lists[0].length);
  lists.forEach((list) => list.forEach((value, i) => (total[i] += value)));
  return Float32Array.from(total, (value) => value / lists.length);
}
