/** Members that are told the class: the plane holds the style, and a row of buttons the class. */

import { element } from "../elements.js";
import { atLeisure } from "./leisure.js";

export const classes = {
  title: "class × style",

  accepts: (column) => column.model.condition?.kind === "label",

  build(column, box) {
    const { model, given } = column;
    element("p", "explorer-note", box).textContent =
      "The code at the cross, decoded as every class: one style, all classes. Tap one, and the decoder is told that class from then on.";
    const row = element("div", "explorer-row", box);
    const choices = model.condition.names.map((name, kind) => {
      const made = element("button", "explorer-choice", row);
      made.type = "button";
      const canvas = element("canvas", "explorer-picture", made);
      const said = element("span", "", made);
      const colour = given.colours[given.classes.indexOf(name)];
      if (colour) element("span", "explorer-dot", said).style.background = colour;
      said.append(name);
      made.addEventListener("click", () => column.showCondition(model.conditionFor(kind)));
      return { made, canvas, condition: model.conditionFor(kind) };
    });
    const say = () => {
      const name = model.condition.names[column.condition.indexOf(1)];
      column.decoded.nextElementSibling.textContent = `decoded as ${name}`;
    };
    column.onChanged((what) => what === "condition" && say());
    say();
    const paintAll = () =>
      choices.forEach(({ made, canvas, condition }, kind) => {
        column.paintDecoded(canvas, column.code, condition);
        made.setAttribute("aria-pressed", String(column.condition[kind] === 1));
      });
    atLeisure(column, box, paintAll);
  },
};
