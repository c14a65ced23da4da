/** Sliders along the directions of the codes that the plane does not show. */

import { element } from "../elements.js";

export const sliders = {
  title: "directions",

  accepts: (column) => column.model.directions.length > 2,

  build(column, box) {
    const inputs = column.model.directions.slice(2).map((_, i) => addSlider(column, box, i + 2));
    column.onChanged((what) => {
      if (what !== "code") return;
      inputs.forEach((input, i) => {
        input.value = column.coordinates[i + 2] / column.model.deviations[i + 2];
      });
    });
  },
};

function addSlider(column, box, axis) {
  const label = element("label", "explorer-slider", box);
  label.append(column.model.names[axis]);
  const input = element("input", "", label);
  Object.assign(input, { type: "range", min: -3, max: 3, step: 0.05, value: 0 });
  input.addEventListener("input", () => {
    column.moveAlong({ [axis]: Number(input.value) * column.model.deviations[axis] });
  });
  return input;
}
