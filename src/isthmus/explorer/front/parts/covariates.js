/** Members that are told covariates: a slider for each number that is known beside an example. */

import { element } from "../elements.js";

export const covariates = {
  title: "covariates",

  accepts: (column) => column.model.condition?.kind === "covariates",

  build(column, box) {
    const { names, mean, scale } = column.model.condition;
    const rows = names.map((name, i) => {
      const label = element("label", "explorer-slider", box);
      label.append(name);
      const input = element("input", "", label);
      Object.assign(input, { type: "range", min: -3, max: 3, step: 0.05 });
      const said = element("output", "", label);
      input.addEventListener("input", () => {
        const condition = Float32Array.from(column.condition);
        condition[i] = Number(input.value);
        column.showCondition(condition);
      });
      return { input, said };
    });
    const follow = () =>
      rows.forEach(({ input, said }, i) => {
        input.value = column.condition[i];
        said.textContent = String(Number((mean[i] + scale[i] * column.condition[i]).toPrecision(3)));
      });
    column.onChanged((what) => what === "code" && follow());
    follow();
  },
};
