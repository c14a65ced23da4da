"""How a diffusion prior draws: the way of codes from noise to examples."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from isthmus.core.counts import require_count
from isthmus.data.datasets import Data
from isthmus.errors import InputError
from isthmus.figures._codes import decoded_by
from isthmus.figures._decoded import finished, sheet
from isthmus.figures._style import WIDTH, figure_title, head, shortened
from isthmus.figures._tiles import tiles_for


def denoising_path(
    model: Any,
    data: Data,
    *,
    rows: int = 6,
    columns: int = 11,
    guesses: bool = False,
    random_state: int = 0,
    title: str | None = None,
) -> Figure:
    """Draws of a diffusion prior on their way from noise to an example, a row each, decoded.

    Args:
        model: a fitted model whose prior is ``diffusion``.
        data: what it was trained on.
        rows: how many draws, of every class in turn where the prior knows classes.
        columns: how many of the codes on the way, the noise and the end among them.
        guesses: show what the denoiser expects at each of them, in place of the code itself.
        random_state: seed of the draws.
        title: a title of your own; an empty one leaves it out.

    Raises:
        InputError: for a model with another prior, or none.
    """
    from isthmus.core.randomness import own_draws  # torch, which other figures do without
    from isthmus.priors import Diffusion
    from isthmus.training.settings import seed_of

    require_count("rows", rows)
    require_count("columns", columns, 2)
    prior = getattr(model, "prior_", None)
    if not isinstance(prior, Diffusion):
        held = "no fitted prior" if prior is None else f"the prior {type(prior).__name__}"
        raise InputError(
            f"{type(model).__name__} has {held}, and only diffusion draws codes out of noise: call"
            " fit_prior(X, prior='diffusion') first."
        )
    names = [] if prior.classes_ is None else list(prior.classes_.names)
    wanted = [names[row % len(names)] for row in range(rows)] if names else None
    with own_draws(seed_of(random_state)):  # as `sample` does
        stops = prior.path(rows, label=wanted)
    places = np.unique(np.linspace(0, len(stops) - 1, min(columns, len(stops))).round().astype(int))
    chosen = [stops[place] for place in places]
    codes = np.stack([(stop.guess if guesses else stop.code).cpu().numpy() for stop in chosen], 1)
    decoded = decoded_by(model, codes.reshape(-1, *codes.shape[2:]))  # row after row
    tiles = tiles_for(model, data)
    figure, axes = sheet(tiles, len(chosen), rows, WIDTH)
    tiles.draw(axes, decoded, rows, len(chosen), pad=1)
    axes.xaxis.tick_top()
    axes.set_xticks(np.arange(len(chosen)) + 0.5, labels=[f"{stop.time:.2g}" for stop in chosen])
    if wanted is not None:
        axes.set_yticks(np.arange(rows) + 0.5, labels=[shortened(name) for name in wanted])
    axes.set_xlabel("time: 1 is noise, 0 the code that is drawn")
    shown = "what the denoiser expects, from noise to a code" if guesses else "from noise to a code"
    head(axes, figure_title(title, model, data.name, shown))
    return finished(figure, axes, tiles)
