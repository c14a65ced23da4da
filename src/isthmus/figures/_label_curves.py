"""The error of classifiers over the number of labels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from isthmus.figures._style import PALETTE, SMALL, head, label, new_figure, quiet


def draw_label_curves(
    names: Sequence[str], n_labels: Sequence[int], errors: np.ndarray, title: str
) -> Figure:
    """Mean errors ``(names, n_labels, seeds)`` as lines, deviations over seeds as bars."""
    figure = new_figure(5.6, 3.6)
    axes = figure.subplots()
    quiet(axes)
    label(axes, "labels", "test error in %")
    head(axes, title)
    for place, (name, found) in enumerate(zip(names, 100 * errors, strict=True)):
        spread = found.std(1, ddof=1) if found.shape[1] > 1 else None
        axes.errorbar(
            n_labels,
            found.mean(1),
            spread,
            color=PALETTE[place % len(PALETTE)],
            linewidth=1.4,
            marker="o",
            markersize=3.5,
            capsize=2.5,
            label=name,
        )
    axes.set_xscale("log")
    axes.set_xticks(n_labels, labels=[f"{count:,}" for count in n_labels])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False, fontsize=SMALL)
    return figure
