"""What a comparison found, in a sentence that is computed from its table."""

from __future__ import annotations

from collections.abc import Sequence

from isthmus.data.parts import Data
from isthmus.report.table import Line, Row, lines_of

_CLAIMS = {
    "squared_error": ("reconstructs best", "reconstruct equally well"),
    "neg_elbo": ("has the lowest bound on surprise (−ELBO)", "have the same bound on surprise (−ELBO)"),
    "knn5": ("has the codes that tell the classes apart best", "have codes that tell the classes apart equally well"),
    "trustworthiness": ("keeps neighbours together best", "keep neighbours together equally well"),
}


def heading(rows: Sequence[Row], data: Data) -> str:
    """What is compared: ``"AE, VAE and PCA on digits"``."""
    return f"{_listed([row.label for row in rows])} on {data.name}"


def premise(rows: Sequence[Row], data: Data) -> str:
    """What was done, in one sentence."""
    trained = [row for row in rows if row.run is not None]
    sizes = sorted({row.model.latent_dim for row in trained})
    numbers = "1 number" if sizes == [1] else f"{_listed([str(size) for size in sizes], 'or')} numbers"
    many = len(trained) > 1
    return (
        f"{_listed([row.label for row in trained])} each learnt" if many else f"{trained[0].label} learnt"
    ) + (
        f" from {len(data.train):,} examples to squeeze an example into a code of {numbers} and to rebuild it from that;"
        f" PCA, the best linear map, stands beside {'them' if many else 'it'}."
    )  # fmt: skip


def findings(rows: Sequence[Row], data: Data) -> str:
    """Who is best at what on the test part, in one sentence; empty where nothing could be told apart."""
    claims = [claim for line in lines_of(rows) if (claim := _claim(line, rows))]
    if not claims:
        return ""
    return f"On {len(data.test):,} examples that none of them has seen, {_listed(claims)}."


def _claim(line: Line, rows: Sequence[Row]) -> str:
    if line.name not in _CLAIMS or not line.best:
        return ""
    alone, together = _CLAIMS[line.name]
    winners = _listed([rows[place].label for place in line.best])
    return f"{winners} {alone if len(line.best) == 1 else together}"


def _listed(words: Sequence[str], last: str = "and") -> str:
    """``"a, b and c"``."""
    return f"{', '.join(words[:-1])} {last} {words[-1]}" if len(words) > 1 else words[0]
