"""Commands that train: a member, several to compare, a prior."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from isthmus._cli.options import SEED, not_of
from isthmus._cli.shared import (
    SOURCES,
    DataDir,
    Json,
    Label,
    Mono,
    Out,
    Run,
    SampleRate,
    Size,
    Skip,
    Source,
    Stream,
    Stride,
    Window,
    data_from,
    open_run,
    options_of,
    require_labels,
    say,
    sound_options,
    steps_or_seconds,
    trained_on,
)
from isthmus.branches import BRANCHES
from isthmus.core import declarations
from isthmus.errors import InputError, unknown
from isthmus.registry import MEMBERS, PRIORS

if TYPE_CHECKING:
    from isthmus.data import Data
    from isthmus.data.datasets import Part
    from isthmus.priors import Prior

_BOUNDED = 1000  # codes of each part of which a bound on log p is estimated
_LOGGERS = ("tensorboard", "trackio", "mlflow", "wandb")


def trainer(member: str) -> Callable[..., None]:
    """The command that trains one member."""

    def command(
        *,
        data: Annotated[
            str | None,
            typer.Option("--data", help=f"{SOURCES}; with --from, what that run was trained on"),
        ] = None,
        out: Out,
        earlier: Annotated[
            Path | None,
            typer.Option(
                "--from",
                metavar="RUN",
                help="a run to go on from, for --epochs more, with its settings unless given anew",
            ),
        ] = None,
        preset: Annotated[
            str | None,
            typer.Option(
                "--preset",
                metavar="NAME",
                help="the setting published for a data set, such as mnist; options count more",
            ),
        ] = None,
        data_dir: DataDir = None,
        label: Label = None,
        size: Size = None,
        patch: Annotated[
            int | None,
            typer.Option(
                "--patch",
                metavar="PIXELS",
                help="cut patches of so many pixels a side out of the images of a folder",
            ),
        ] = None,
        skip_unreadable: Skip = False,
        stream: Stream = False,
        window: Window = None,
        stride: Stride = None,
        sample_rate: SampleRate = None,
        mono: Mono = False,
        log: Annotated[
            str | None,
            typer.Option(
                "--log",
                metavar="|".join(_LOGGERS),
                help="what draws the training while it goes on, or several with commas; written to"
                " OUT-logs",
            ),
        ] = None,
        overwrite: Annotated[
            bool, typer.Option("--overwrite", help="replace a finished run in the folder")
        ] = False,
        as_json: Json = False,
        **values: Any,
    ) -> None:
        from isthmus.io import runs

        runs.refuse_target(out, overwrite)
        given = options_of(data_dir, label, size, skip_unreadable)
        given |= sound_options(sample_rate, mono)
        if stream:
            given["stream"] = True
        if patch is not None:
            given["patch"] = patch
        with _alone(out):
            given_fields = {**_preset(member, preset, earlier), **values}
            model = _untrained(member, earlier, {**given_fields, "checkpoint_dir": str(out)})
            kind = model.default_kind or model.kind if model.kind == "auto" else model.kind
            given |= _cut(data, kind, window, stride)
            if log is not None:
                model.callbacks = _loggers(log, out)
            if data is None and earlier is None:
                raise InputError(f"--data is missing: give one of {SOURCES}.")
            like = None if earlier is None else model
            _train(model, trained_on(earlier or out, like, data, given), out, as_json)

    return command


@contextmanager
def _alone(out: Path) -> Iterator[None]:
    """Keep every other command out of a folder from the first to the last; under torchrun the first
    process does so for all.
    """
    from isthmus.core.claims import claimed
    from isthmus.training.runtimes import is_main

    with claimed(out, wait=0) if is_main() else nullcontext():
        yield


def _preset(member: str, name: str | None, earlier: Path | None) -> Mapping[str, Any]:
    """The fields of a published setting; none where nobody asked for one."""
    if name is None:
        return {}
    if earlier is not None:
        raise InputError(
            f"--preset {name} sets what the run of --from {earlier} has already: leave one out."
        )
    MEMBERS[member].preset(name)  # refuses a name that it does not know
    found: Mapping[str, Any] = MEMBERS[member].presets[name]
    return found


def _untrained(member: str, start: Path | None, values: dict[str, Any]) -> Any:
    """The member that is to be trained: a new one, or the one of a run, which goes on."""
    from isthmus.core.parts import configured

    if start is None:
        return configured(MEMBERS[member], {"random_state": SEED, **values})
    model = open_run(start)
    if type(model) is not MEMBERS[member]:
        raise InputError(
            f"--from {start} holds a run of {MEMBERS.name_of(type(model))!r}, not of {member!r}:"
            f" use isthmus train {MEMBERS.name_of(type(model))}."
        )
    return model.set_params(**values, warm_start=True)


def _cut(source: str | None, kind: str, window: str | None, stride: str | None) -> dict[str, Any]:
    """How a series or sounds are to be cut, as arguments of ``load``; what is given alone."""
    from isthmus.data._reading import holds_sounds

    length, every = steps_or_seconds(window, "--window"), steps_or_seconds(stride, "--stride")
    are_sounds = source is not None and holds_sounds(source)
    if length is None and every is not None and not are_sounds:
        raise InputError(f"--stride {stride} means nothing without --window: give both.")
    given: dict[str, Any] = {"window": length, "stride": every}
    if length is not None and not are_sounds:
        given |= {"stride": every or 1, "kind": "signal" if kind == "auto" else kind}
    return {name: value for name, value in given.items() if value is not None}


def _loggers(names: str, out: Path) -> list[Any]:
    """The loggers of a list of names, which write beside the run."""
    from isthmus.registry import CALLBACKS

    wanted = [name.strip() for name in names.split(",")]
    for name in wanted:
        if name not in _LOGGERS:
            raise unknown("value of --log", name, _LOGGERS)
    return [CALLBACKS[name](out.with_name(f"{out.name}-logs"), out.name) for name in wanted]


def _train(model: Any, data: Data, out: Path, as_json: bool) -> None:
    from isthmus.io import runs
    from isthmus.training.runtimes import is_main

    is_told = getattr(model, "condition", "none") != "none"
    if is_told:
        require_labels(data.train.y, data.name)
    x, labels = with_names(data.train, data)
    model.fit(x, labels)
    if not is_main():  # torchrun's first process writes
        return
    model.source_ = data.source
    # The run is whole: nothing is left to take up again.
    model.set_params(checkpoint_dir=None, warm_start=False)
    runs.save(model, out, is_end=True)
    last = model.history_[-1]
    chosen = " (chosen by the data)" if model.likelihood == "auto" else ""
    terms = ", ".join(
        f"{name} {value:.4g}" for name, value in last.items() if name not in ("epoch", "seconds")
    )
    text = (
        f"likelihood: {model.likelihood_}{chosen}\nepoch {last['epoch']:.0f}: {terms}\nsaved in"
        f" {out}"
    )
    member = MEMBERS.name_of(type(model))
    say(text, {"run": out, "member": member, "likelihood": model.likelihood_, **last}, as_json)


def compare_command(
    members: Annotated[
        list[str],
        typer.Argument(
            metavar="MEMBER…",
            help=f"which members: {', '.join(MEMBERS)}; branches: {', '.join(BRANCHES)}; or runs,"
            " which are shown as they are",
        ),
    ],
    *,
    data: Source,
    out: Out,
    data_dir: DataDir = None,
    label: Label = None,
    size: Size = None,
    skip_unreadable: Skip = False,
    window: Window = None,
    stride: Stride = None,
    sample_rate: SampleRate = None,
    mono: Mono = False,
    snapshots: Annotated[
        int, typer.Option(help="moments of training that the animation shows")
    ] = 24,
    as_json: Json = False,
    **values: Any,
) -> None:
    """Train members with the same budget, put PCA beside them, and write one HTML page."""
    from isthmus.report import compare
    from isthmus.report._entrants import is_run

    for name in members:
        if name not in MEMBERS and name not in BRANCHES and not is_run(name):
            raise unknown("member", name, [*MEMBERS, *BRANCHES])

    given = options_of(data_dir, label, size, skip_unreadable) | sound_options(sample_rate, mono)
    given |= _cut(data, values.get("kind", "auto"), window, stride)
    loaded = data_from(data, **given)
    result = compare(
        members, loaded, out, snapshots=snapshots, overrides={"random_state": SEED, **values}
    )
    say(f"{result.table()}\n\n{result.page}", result.to_json(), as_json)


def fit_prior_command(
    run: Run,
    *,
    data: Annotated[
        str | None,
        typer.Option("--data", help="as for train; what the run was trained on if not given"),
    ] = None,
    data_dir: DataDir = None,
    label: Label = None,
    size: Size = None,
    skip_unreadable: Skip = False,
    as_json: Json = False,
    **values: Any,
) -> None:
    """Fit a distribution over the training examples' codes; `sample` draws from it."""
    from isthmus.io import manifests, places

    if (why := places.why_fixed(run)) is not None:
        raise InputError(
            f"{run} {why} and stays as it is: train your own run, or fit the prior in Python."
        )
    manifests.require_folder(run)
    with _alone(run):
        _fit_prior(run, data, options_of(data_dir, label, size, skip_unreadable), values, as_json)


def _fit_prior(
    run: Path, data: str | None, given: Mapping[str, Any], values: dict[str, Any], as_json: bool
) -> None:
    from isthmus.core.parts import configured
    from isthmus.data.datasets import condition_of
    from isthmus.io import runs
    from isthmus.priors.base import resolved

    model = open_run(run)
    name = resolved(values.pop("prior", "auto"), model.module_.bottleneck.levels)
    settings = {key.removeprefix("prior__"): value for key, value in values.items()}
    _refuse_others(name, settings)
    loaded = trained_on(run, model, data, given)
    is_told = condition_of(model) is not None
    if is_told:
        require_labels(loaded.train.y, loaded.name)
    prior = configured(PRIORS[name], {"random_state": SEED, **settings})
    model.fit_prior(*with_names(loaded.train, loaded), prior=prior)
    runs.save_prior(model, run)
    scores = _scores(model, prior, loaded, is_told=is_told)
    least = "at most " if prior.is_bounded else ""
    text = ", ".join(
        f"{least}{-score:.4g} nats on the {part} part" for part, score in scores.items()
    )
    said = f"-log p of a code is {text}" if scores else "fitted; it knows no log p of a code"
    say(
        f"{name}: {said}\nsaved in {run}",
        {"run": run, "prior": name, "log_prob": scores or None},
        as_json,
    )


def _scores(model: Any, prior: Prior, loaded: Data, *, is_told: bool) -> dict[str, float]:
    """The mean of log p of the codes of each part; none where a prior knows none.

    A bound takes many passes for each code: the first codes have to do, under their own labels.
    """
    parts = {"training": loaded.train, **({"test": loaded.test} if len(loaded.test) else {})}
    if not prior.has_log_prob:
        return {}
    if prior.is_bounded:
        parts = {part: rows.take(slice(_BOUNDED)) for part, rows in parts.items()}
    examples = {part: with_names(rows, loaded) for part, rows in parts.items()}
    is_told = is_told or prior.is_bounded
    return {part: model.score_prior(x, y if is_told else None) for part, (x, y) in examples.items()}


def with_names(part: Part, data: Data) -> tuple[Any, Any]:
    """The examples of a part with their columns' names, and labels as their classes' names."""
    from isthmus.data.series import examples_of

    return examples_of(part, data.columns), part.labels


def _refuse_others(prior: str, settings: Mapping[str, Any]) -> None:
    """Refuse settings of other priors than the one that the codes of the run decided on."""
    known = {name: declarations.read(PRIORS.target(name)) for name in PRIORS}
    for key in settings:
        name = key.partition("__")[0]
        if name not in known[prior]:
            owners = [other for other in PRIORS if name in known[other]]
            raise not_of(f"--{key.rpartition('__')[2]}".replace("_", "-"), owners, prior, "--prior")
