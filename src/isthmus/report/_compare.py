"""The comparison: members trained with one budget, PCA beside them, measured, on one page."""

from __future__ import annotations

import math
import platform
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from time import perf_counter
from typing import Any

from isthmus.branches import members_of
from isthmus.core import claims, files
from isthmus.core.editions import edition
from isthmus.core.paths import as_path
from isthmus.data.datasets import Data, require_data
from isthmus.data.series import examples_of
from isthmus.diagnosis import diagnose
from isthmus.errors import InputError, LearningWarning
from isthmus.estimators.base import Estimator
from isthmus.io import manifests, runs
from isthmus.metrics import Measure, evaluate
from isthmus.report._commands import SNAPSHOTS, Request
from isthmus.report._entrants import Entrant, entrants, is_conditional, told_fields
from isthmus.report._page import PROBES, page_of
from isthmus.report._places import RESULTS, RUNS, move_in, place_of, seal_of
from isthmus.report._reference import PCAReference
from isthmus.report._table import Row, page_of_table, text_of
from isthmus.version import __version__

PAGE = "index.html"
FORMAT = 1


@dataclass(frozen=True, repr=False)
class Comparison:
    """What a comparison gives.

    Attributes:
        rows: one a model, members first, then PCA: the fitted model, its measures, its fields.
        page: the HTML page.
        results: the same numbers as JSON.
    """

    rows: tuple[Row, ...]
    page: Path
    results: Path

    def __repr__(self) -> str:
        labels = ", ".join(row.label for row in self.rows)
        return f"Comparison({labels}; page {str(self.page)!r})"

    def _repr_html_(self) -> str:
        return page_of_table(self.rows, self.page)

    def table(self) -> str:
        """The measures as text, a column a model; a star marks the best of a line."""
        return text_of(self.rows)

    def to_json(self) -> dict[str, Any]:
        """What ``results.json`` holds."""
        return dict(files.read_json(self.results))


def compare(
    members: Sequence[str | Estimator],
    data: Data,
    out: str | Path,
    *,
    snapshots: int = SNAPSHOTS,
    overrides: Mapping[str, Any] | None = None,
) -> Comparison:
    """Train members on the same data with the same budget, and write one HTML page about them;
    those that are trained already are shown as they are.

    PCA with as many components stands beside them. Each run is kept in ``out/runs``, the numbers in
    ``out/results.json``, the page in ``out/index.html``. A comparison that was interrupted goes on
    where it stopped when it is started again with the same arguments. Page, numbers
    and runs of an earlier one stay until those of the new one replace them, by one act.

    Args:
        members: names, such as ``["ae", "vae"]``, or of a whole branch of the family, such as
            ``["variational"]``; estimators of your own settings, which are copied, not changed;
            also what is trained: fitted estimators, folders of runs, and names
            such as ``"pretrained:course-vae"``.
        data: trained on its training part, measured on its test part.
        out: a folder that is new, empty, or holds an earlier comparison, which is replaced.
        snapshots: moments of training that the player shows; 0 for none.
        overrides: fields for every member that is to be trained and has them, such as
            ``{"latent_dim": 2, "epochs": 60}``. The seed is 0 where neither they nor an estimator
            say otherwise.

    Raises:
        InputError: for unknown members or fields, data without a test part, and a folder that holds
            anything else; for conditional members and data without labels.
        BusyError: where another process is writing to the folder.
    """
    out, overrides = as_path(out, "out"), dict(overrides or {})
    require_data(data)
    if len(data.test) == 0:
        raise InputError(
            f"{data.name} has no test part to measure on: load it with test_fraction=0.2."
        )
    members = members if isinstance(members, str) else members_of(members)
    chosen = entrants(members, overrides, snapshots)
    _require_labels([entrant.model for entrant in chosen], data)
    _require_readable(chosen, data)
    _refuse_foreign(out, [entrant.folder for entrant in chosen])
    with claims.claimed(out, wait=0):
        _mark(out)
        rows = (
            *(_trained(entrant, data, out) for entrant in chosen),
            *_references([entrant.model for entrant in chosen], data),
        )
        for row in rows:
            for name, diagnostic in row.diagnostics.items():
                warnings.warn(LearningWarning(f"{row.label}: {diagnostic}", name), stacklevel=2)
        request = Request(tuple(members), overrides, snapshots, data.name, out.name)
        _publish(out, rows, data, request)
    return Comparison(rows, out / PAGE, out / RESULTS)


def _refuse_foreign(out: Path, folders: Sequence[str]) -> None:
    """Refuse what is not ours before anything is trained."""
    claims.refuse_foreign(out, (RESULTS,), (PAGE,))
    for folder in folders:
        for place in {out / RUNS / folder, place_of(out, folder)}:
            runs.refuse_target(place, overwrite=True)


def _mark(out: Path) -> None:
    """Mark the folder as ours, and finish what an earlier comparison was killed in."""
    with edition(out, (), RESULTS) as first:
        if not (out / RESULTS).exists():
            first.publish({"format": FORMAT, "isthmus": __version__, "members": []})
    move_in(out)


def _publish(out: Path, rows: Sequence[Row], data: Data, request: Request) -> None:
    """Write the page and the numbers, whose rename makes both the present ones.

    With them go the checkpoints, from which an interrupted comparison would have gone on.
    """
    versions = {"isthmus": __version__, "Python": platform.python_version()}
    versions |= {name: version(name) for name in ("torch", "numpy", "scikit-learn")}
    with edition(out, (PAGE,), RESULTS) as new:
        new.write(PAGE, page_of(rows, data, request, versions).encode("utf-8", "backslashreplace"))
        places = {row.run: place_of(out, Path(row.run).name) for row in rows if row.run}
        for place in places.values():
            new.end((place / manifests.CHECKPOINT).relative_to(out).as_posix())
        seals = {run: seal_of(place) for run, place in places.items()}
        new.publish(_record(rows, seals, data, versions))
    move_in(out)


def _require_labels(models: Sequence[Estimator], data: Data) -> None:
    """Refuse data that say nothing of what conditional members are told."""
    if data.train.y is None and any(map(is_conditional, models)):
        raise InputError(
            f"{data.name} has no labels, which conditional members must be told: load it with"
            " label='COLUMN', or leave condition out."
        )


def _require_readable(chosen: Sequence[Entrant], data: Data) -> None:
    """Refuse data that a trained member cannot read, before anything is trained."""
    for entrant in chosen:
        if entrant.is_trained:
            try:
                entrant.model.score_samples(*_few(entrant.model, data))
            except InputError as error:
                raise InputError(f"{entrant.label} cannot read {data.name}: {error}") from error


def _few(model: Estimator, data: Data) -> tuple[Any, ...]:
    part = data.test.take(slice(2))
    return examples_of(part, data.columns), *([part.labels] if is_conditional(model) else [])


def _trained(entrant: Entrant, data: Data, out: Path) -> Row:
    model, place = entrant.model, place_of(out, entrant.folder)
    diagnostics: dict[str, str] = {}
    if not entrant.is_trained:
        diagnostics = _fit(model.set_params(checkpoint_dir=str(place)), data)
        # the run is whole, and the place where it was made is nobody's business
        model.set_params(checkpoint_dir=None)
        model.source_ = data.source
    model.save(place)
    measures = {
        **evaluate(model, data),
        "seconds": _seconds(sum(row.get("seconds", 0.0) for row in model.history_)),
    }
    run = f"{RUNS}/{entrant.folder}"
    fields, diagnosis = told_fields(model), diagnose(model, data)
    return Row(entrant.label, entrant.member, model, measures, fields, run, diagnostics, diagnosis)


def _fit(model: Estimator, data: Data) -> dict[str, str]:
    """Train; gives back what training has to say about learning, by the names of the findings, and
    passes other warnings on.
    """
    is_told = is_conditional(model)
    first = data.test.take(slice(PROBES))
    probes = examples_of(first, data.columns)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", LearningWarning)
        model.fit(
            examples_of(data.train, data.columns),
            data.train.labels,
            probes=(probes, first.labels) if is_told else probes,
        )
    said: dict[str, str] = {}
    for each in caught:
        if isinstance(each.message, LearningWarning):
            said[each.message.name] = str(each.message).removeprefix(f"{type(model).__name__}: ")
        else:
            warnings.warn(each.message, stacklevel=2)
    return said


def _references(models: Sequence[Estimator], data: Data) -> list[Row]:
    """PCA once for every size of the code, with layout and scaling of that size's first member.

    With as many components as an example has values it is the identity, which says nothing: such
    sizes are left out where there are smaller ones.
    """
    firsts = {_code_numbers(model): model for model in reversed(models)}
    narrow = [
        size for size, first in firsts.items() if size < math.prod(first.preprocessor_.layout.shape)
    ]
    sizes = sorted(narrow) or [min(firsts)]
    return [
        _reference(firsts[size], data, f"PCA (latent dim {size})" if len(sizes) > 1 else "PCA")
        for size in sizes
    ]


def _reference(like: Estimator, data: Data, label: str) -> Row:
    start = perf_counter()
    model = PCAReference(
        latent_dim=_code_numbers(like),
        scaling=like.scaling,
        channels=like._colours,
        image_shape=like.image_shape,
    ).fit(data.train)
    seconds = perf_counter() - start
    measures = {**evaluate(model, data), "seconds": _seconds(seconds)}
    return Row(label, "pca", model, measures, told_fields(model))


def _code_numbers(model: Estimator) -> int:
    """How many numbers the code of a trained member is, where the data may have decided it."""
    if getattr(model, "code", "vector") == "map":
        return math.prod(model.module_.bottleneck.code_shape)
    return model._suited(model.preprocessor_.spec)._code_size


def _seconds(value: float) -> Measure:
    return Measure(
        "Training time",
        value,
        "s",
        None,
        "lower",
        "How long training took, on the machine where the model was trained.",
    )


def _record(
    rows: Sequence[Row], seals: Mapping[str, str], data: Data, versions: Mapping[str, str]
) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "isthmus": __version__,
        "versions": dict(versions),
        "data": {
            "name": data.name,
            "train": len(data.train),
            "test": len(data.test),
            "shape": list(data.shape),
            "classes": None if data.classes is None else list(data.classes),
        },
        "members": [
            {
                "label": row.label,
                "member": row.member,
                "run": row.run,
                "run_sha256": seals.get(row.run or ""),
                "fields": row.fields,
                "likelihood": getattr(row.model, "likelihood_", None),
                "diagnostics": list(row.diagnostics.values()),
                "diagnosis": None if row.diagnosis is None else row.diagnosis.to_json(),
                "measures": {name: asdict(measure) for name, measure in row.measures.items()},
            }
            for row in rows
        ],
    }
