"""The command line, made from the declarations: every field of a member is an option.

Nothing heavy is imported here: ``--help`` reads the declarations from their source.
"""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from isthmus import fields
from isthmus.errors import InputError, unknown
from isthmus.fields import Field
from isthmus.options import SEED, guarded, plain, with_fields
from isthmus.registry import DATA, MEMBERS, PRIORS, Registry
from isthmus.version import __version__

if TYPE_CHECKING:
    import numpy as np

    from isthmus.data import Data
    from isthmus.data.parts import Part
    from isthmus.data.rows import Rows

app = typer.Typer(
    name="isthmus", no_args_is_help=True, add_completion=False, rich_markup_mode="rich",
    help="Autoencoders: train them, compare them, look at them, and use them on your own data.",
)  # fmt: skip
train = typer.Typer(no_args_is_help=True, help="Train one member on a data set and keep it in a folder.")

Source = Annotated[
    str, typer.Option("--data", help=f"{', '.join(DATA)}; or a .npy, .npz, .csv, .parquet file, or a folder of images")
]
DataDir = Annotated[Path | None, typer.Option("--data-dir", help="folder that holds the standard files of a named data set")]
Label = Annotated[str | None, typer.Option("--label", help="the column of a table that holds the classes")]
Size = Annotated[int | None, typer.Option("--size", help="height and width to which the images of a folder are brought")]
Json = Annotated[bool, typer.Option("--json", help="print JSON instead of text")]
Run = Annotated[Path, typer.Argument(metavar="RUN", help="the folder of a trained member, or pretrained:NAME")]
Input = Annotated[
    str, typer.Argument(metavar="DATA", help="a file, a folder of images, or the name of a data set (its test part)")
]
Out = Annotated[Path, typer.Option("--out", help="where to write")]


def main() -> None:
    """The entry point of the command ``isthmus``."""
    _assemble(tuple(sys.argv[1:3]))
    app()


@functools.cache
def _assemble(words: tuple[str, ...] | None = None) -> None:
    """Put the commands in the order of the help; ``train`` has one per registered member.

    Options made from declarations are hundreds: with the first ``words`` of the command line, only those that it can ask
    for are made.
    """

    def asked(*path: str) -> bool:
        return words is None or words[: len(path)] == path

    for name in MEMBERS:
        target = MEMBERS.target(name)
        command = with_fields(_trainer(name), _ordered(target) if asked("train", name) else {})
        train.command(name, help=fields.describe(target))(command)
    app.add_typer(train, name="train", rich_help_panel="Train and compare")
    app.command(rich_help_panel="Train and compare")(with_fields(compare, _union(MEMBERS) if asked("compare") else {}))
    app.command("fit-prior", rich_help_panel="Train and compare")(
        with_fields(fit_prior, _union(PRIORS) if asked("fit-prior") else {})
    )
    panels: dict[str, dict[str, Callable[..., None]]] = {
        "Use a trained member": {
            "encode": encode, "decode": decode, "reconstruct": reconstruct, "denoise": denoise, "sample": sample,
            "outliers": with_fields(outliers, _judging()), "evaluate": evaluate,
        },
        "Look up": {"models": models, "priors": priors, "data": data_sets, "info": info},
    }  # fmt: skip
    for panel, commands in panels.items():
        for name, command in commands.items():
            app.command(name, rich_help_panel=panel)(guarded(command))


def _ordered(target: str) -> dict[str, Field]:
    """The fields of a member, its own first."""
    declared = plain(fields.read(target))
    own = {key: field for key, field in declared.items() if field.owner not in ("Settings", "TrainingSettings")}
    return own | declared


def _union(registry: Registry) -> dict[str, Field]:
    """The fields of everything that is registered."""
    return {key: field for name in registry for key, field in plain(fields.read(registry.target(name))).items()}


def _say(text: str, result: Mapping[str, Any], as_json: bool) -> None:
    print(json.dumps(result, indent=2, default=str) if as_json else text)


# ---------------------------------------------------------------------- commands


def _trainer(member: str) -> Callable[..., None]:
    """The command that trains one member."""

    def command(
        *, data: Source, out: Out, data_dir: DataDir = None, label: Label = None, size: Size = None,
        overwrite: Annotated[bool, typer.Option("--overwrite", help="replace a finished run in the folder")] = False,
        as_json: Json = False, **values: Any,
    ) -> None:  # fmt: skip
        _train(member, _load(data, data_dir, label, size), out, overwrite, as_json, values)

    return command


def _train(member: str, data: Data, out: Path, overwrite: bool, as_json: bool, values: dict[str, Any]) -> None:
    from isthmus import runs
    from isthmus.data.rows import named

    runs.refuse_target(out, overwrite)
    values = {"random_state": SEED, **values, "checkpoint_dir": str(out)}
    model = MEMBERS[member](**values).fit(named(data.train.x, data.columns))
    model.source_ = data.source
    model.checkpoint_dir = None  # the run is whole: nothing is left to take up again
    runs.save(model, out)
    (out / runs.CHECKPOINT).unlink(missing_ok=True)
    last = model.history_[-1]
    chosen = " (chosen by the range of the data)" if model.likelihood == "auto" else ""
    terms = ", ".join(f"{name} {value:.4g}" for name, value in last.items() if name not in ("epoch", "seconds"))
    text = f"likelihood: {model.likelihood_}{chosen}\nepoch {last['epoch']:.0f}: {terms}\nsaved in {out}"
    _say(text, {"run": out, "member": member, "likelihood": model.likelihood_, **last}, as_json)


def compare(
    members: Annotated[list[str], typer.Argument(metavar="MEMBER…", help=f"which members: {', '.join(MEMBERS)}")],
    *, data: Source, out: Out, data_dir: DataDir = None, label: Label = None, size: Size = None,
    snapshots: Annotated[int, typer.Option(help="moments of training that the animation shows")] = 24,
    as_json: Json = False, **values: Any,
) -> None:  # fmt: skip
    """Train members with the same budget, put PCA beside them, measure, draw, and write one HTML page."""
    for name in members:
        if name not in MEMBERS:
            raise unknown("member", name, MEMBERS)
    from isthmus.report import compare as compare_members

    loaded = _load(data, data_dir, label, size)
    result = compare_members(members, loaded, out, snapshots=snapshots, overrides={"random_state": SEED, **values})
    _say(f"{result.table()}\n\n{result.page}", result.to_json(), as_json)


def fit_prior(
    run: Run, *,
    data: Annotated[str | None, typer.Option("--data", help="as for train; what the run was trained on if not given")] = None,
    data_dir: DataDir = None, label: Label = None, size: Size = None,
    prior: Annotated[str, typer.Option("--prior", metavar="NAME", help=f"auto, {', '.join(PRIORS)}")] = "auto",
    as_json: Json = False, **values: Any,
) -> None:  # fmt: skip
    """Fit a distribution over the codes of the training examples, and keep it in the run: `sample` draws from it."""
    from isthmus import runs
    from isthmus.priors.base import resolved

    model = _open(run)
    name = resolved(prior, model.module_.bottleneck.levels)
    _refuse_others(name, values)
    given = {"source": data, "data_dir": data_dir, "label": label, "size": size}
    loaded = _trained_on(run, model.source_, {key: value for key, value in given.items() if value is not None})
    parts = {"training": loaded.train, **({"test": loaded.test} if len(loaded.test) else {})}
    examples = {part: _with_names(rows, loaded) for part, rows in parts.items()}
    model.fit_prior(*examples["training"], prior=PRIORS[name](**{"random_state": SEED, **values}))
    runs.save_prior(model, run)
    scores = {part: model.score_prior(x) for part, (x, _) in examples.items()}
    text = ", ".join(f"{-score:.4g} nats on the {part} part" for part, score in scores.items())
    _say(f"{name}: -log p of a code is {text}\nsaved in {run}", {"run": run, "prior": name, "log_prob": scores}, as_json)


def encode(
    run: Run, data: Input, out: Annotated[Path, typer.Argument(metavar="OUT", help=".npy, .csv or .parquet")],
    data_dir: DataDir = None, label: Label = None, size: Size = None, as_json: Json = False,
) -> None:  # fmt: skip
    """Write the codes of examples."""
    from isthmus import exports
    from isthmus.data.rows import named

    exports.check_target(out, (exports.ARRAY, *exports.TABLES))
    model, rows = _open(run), _read(data, data_dir, label, size)
    codes = model.transform(named(rows.x, rows.columns))
    exports.write_codes(out, codes, model.get_feature_names_out())
    _wrote(out, codes, as_json)


def decode(
    run: Run, codes: Annotated[Path, typer.Argument(metavar="CODES", help="a .npy, .csv or .parquet file of codes")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help=".npy, .png; .csv or .parquet for rows of a table")],
    as_json: Json = False,
) -> None:  # fmt: skip
    """Write what the decoder makes of codes."""
    from isthmus import exports

    exports.check_target(out, (exports.ARRAY, exports.PICTURE, *exports.TABLES))
    model = _open(run)
    examples = model.inverse_transform(_read(str(codes), None, None, None).x)
    exports.write_examples(out, examples, _columns(model))
    _wrote(out, examples, as_json)


def reconstruct(
    run: Run, data: Input, out: Annotated[Path, typer.Argument(metavar="OUT", help=".npy, .png; .csv or .parquet for a table")],
    data_dir: DataDir = None, label: Label = None, size: Size = None,
    columns: Annotated[int, typer.Option(help="examples side by side in a picture", min=1)] = 10,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Write reconstructions; a picture shows the first hundred examples, each row above its reconstructions."""
    from isthmus import exports
    from isthmus.data.rows import named

    exports.check_target(out, (exports.ARRAY, exports.PICTURE, *exports.TABLES))
    model, rows = _open(run), _read(data, data_dir, label, size)
    shown = min(len(rows), 100 if out.suffix.lower() == exports.PICTURE else len(rows))
    examples = model.reconstruct(named(rows.x[:shown], rows.columns))
    if out.suffix.lower() == exports.PICTURE:
        from isthmus.figures import as_images

        exports.write_picture(out, exports.interleave(as_images(rows.x[:shown]), as_images(examples), columns), columns)
    else:
        exports.write_examples(out, examples, _columns(model))
    _wrote(out, examples, as_json)


def denoise(
    run: Run, data: Input, out: Annotated[Path, typer.Argument(metavar="OUT", help=".npy, .png; .csv or .parquet for a table")],
    data_dir: DataDir = None, label: Label = None, size: Size = None, as_json: Json = False,
) -> None:  # fmt: skip
    """Write cleaned examples, by a denoising member."""
    from isthmus import exports

    exports.check_target(out, (exports.ARRAY, exports.PICTURE, *exports.TABLES))
    model, rows = _open(run), _read(data, data_dir, label, size)
    if not hasattr(model, "denoise"):
        raise InputError(f"{type(model).__name__} does not clean examples: train 'denoising'.")
    examples = model.denoise(rows.x)
    exports.write_examples(out, examples, _columns(model))
    _wrote(out, examples, as_json)


def sample(
    run: Run, out: Annotated[Path, typer.Option("--out", help=".npy, .png; .csv or .parquet for rows of a table")],
    n: Annotated[int, typer.Option("-n", help="how many", min=1)] = 64,
    label: Annotated[str | None, typer.Option(help="the class to draw, where the prior was fitted with labels")] = None,
    temperature: Annotated[float, typer.Option(help="below 1: closer to what is most likely", min=0)] = 1.0,
    seed: Annotated[int, typer.Option(help="the same seed gives the same samples", min=0)] = SEED,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Write new examples, drawn from the prior and decoded."""
    from isthmus import exports

    exports.check_target(out, (exports.ARRAY, exports.PICTURE, *exports.TABLES))
    model = _open(run)
    examples = model.sample(n, label=label, temperature=temperature, random_state=seed)
    exports.write_examples(out, examples, _columns(model))
    _wrote(out, examples, as_json)


def outliers(
    run: Run, data: Input, out: Annotated[Path, typer.Option("--out", help=".csv or .parquet")],
    figure: Annotated[Path | None, typer.Option("--figure", help="also draw the extremes: .png, .svg or .pdf")] = None,
    data_dir: DataDir = None, label: Label = None, size: Size = None, as_json: Json = False, **values: Any,
) -> None:  # fmt: skip
    """Write how typical each example is, and which are outliers: by a threshold that the scores of DATA themselves settle."""
    from isthmus import exports
    from isthmus.data.rows import named
    from isthmus.outliers import OutlierDetector, table

    exports.check_target(out, exports.TABLES)
    if figure is not None:
        exports.check_target(figure, exports.FIGURES)
    model, rows = _open(run), _read(data, data_dir, label, size)
    detector = OutlierDetector.from_run(model, **values).fit(named(rows.x, rows.columns))
    found = table(detector, rows)
    exports.write_table(out, found)
    if figure is not None:
        exports.write_extremes(figure, detector, rows, Path(data).name)
    count, least = int(found["outlier"].sum()), int(found["rank"].argmin())
    name = f" ({rows.files[least]})" if rows.files else ""
    text = f"{out}: {count} of {len(rows)} examples score below {detector.offset_:.4g}; the least typical is row {least}{name}"
    result = {"out": out, "examples": len(rows), "outliers": count, "threshold": detector.offset_, "least_typical": least}
    _say(text, result, as_json)


def _judging() -> dict[str, Field]:
    """What a detector lets one choose of a member that is trained already."""
    declared = fields.read("isthmus.outliers:OutlierDetector")
    return {name: replace(declared[name], owner="What counts as an outlier") for name in ("contamination", "criterion")}


def evaluate(
    run: Run, data: Source, data_dir: DataDir = None, label: Label = None, size: Size = None, as_json: Json = False
) -> None:
    """Measure a run on a data set: reconstruction, likelihood, and what the codes are good for."""
    from isthmus import metrics

    measures = metrics.evaluate(_open(run), _load(data, data_dir, label, size))
    lines = [f"{name:<16} {_number(m.value, m.error):<22} {m.unit}" for name, m in measures.items()]
    _say("\n".join(lines), {name: vars(m) for name, m in measures.items()}, as_json)


def models(
    ready: Annotated[bool, typer.Option("--pretrained", help="list the trained ones that come with the package")] = False,
    as_json: Json = False,
) -> None:
    """List the members, or those that come trained."""
    from isthmus import pretrained

    if ready:
        known = {pretrained.PREFIX + name: pretrained.summary(name) for name in pretrained.names()}
    else:
        known = {name: fields.describe(MEMBERS.target(name)) for name in MEMBERS}
    _say(_listing(known), known, as_json)


def priors(as_json: Json = False) -> None:
    """List the distributions that can be fitted to codes."""
    known = {name: fields.describe(PRIORS.target(name)) for name in PRIORS}
    _say(_listing(known), known, as_json)


def data_sets(as_json: Json = False) -> None:
    """List the data sets that are known by name."""
    known = {name: fields.describe(DATA.target(name)) for name in DATA}
    _say(_listing(known) + "\nor a path: .npy, .npz, .csv, .parquet, or a folder of images", known, as_json)


def info(run: Run, as_json: Json = False) -> None:
    """Show what a run is: its member, fields, data and last epoch."""
    from isthmus import runs

    known = runs.info(run)
    layout, last = known["data"]["layout"], (known["history"] or [{}])[-1]
    lines = {
        "member": known["member"], "written by": f"isthmus {known['isthmus']}", "likelihood": known["likelihood"],
        "fitted prior": (known.get("prior") or {"name": "none"})["name"],
        "examples": " × ".join(map(str, layout["outer"])), "scaling": known["data"]["scaling"]["kind"],
        **{f"  {name}": value for name, value in known["fields"].items()},
        **{f"last {name}": f"{value:.6g}" for name, value in last.items()},
    }  # fmt: skip
    _say(_listing(lines), known, as_json)


@app.callback(invoke_without_command=True)
def _root(version: Annotated[bool, typer.Option("--version", help="print the version")] = False) -> None:
    if version:
        print(__version__)
        raise typer.Exit()


# ---------------------------------------------------------------------- what commands share


def _load(source: str, data_dir: Path | None, label: str | None, size: int | None) -> Data:
    from isthmus.data import load

    return load(source, data_dir=data_dir, label=label, size=size)


def _read(source: str, data_dir: Path | None, label: str | None, size: int | None) -> Rows:
    """All rows of a path in their own order; of a named data set, the test part."""
    from isthmus.data import read
    from isthmus.data.rows import Rows

    if source in DATA:
        test = _load(source, data_dir, label, size)
        return Rows(test.test.x, test.test.y, test.classes, test.columns)
    return read(source, data_dir=data_dir, label=label, size=size)


def _with_names(part: Part, data: Data) -> tuple[Any, Any]:
    """The examples of a part with the names of their columns, and their labels as the names of their classes."""
    import numpy as np

    from isthmus.data.rows import named

    labels = part.y if part.y is None or data.classes is None else np.asarray(data.classes)[part.y]
    return named(part.x, data.columns), labels


def _refuse_others(prior: str, values: Mapping[str, Any]) -> None:
    """Refuse settings of other priors: they would change nothing."""
    for name in set(values) - set(fields.read(PRIORS.target(prior))):
        owners = " and ".join(repr(other) for other in PRIORS if name in fields.read(PRIORS.target(other)))
        raise InputError(
            f"--{name.replace('_', '-')} is a setting of {owners}, not of {prior!r}: leave it out, or choose another --prior."
        )


def _trained_on(run: Path, source: Mapping[str, Any] | None, given: Mapping[str, Any]) -> Data:
    """The data that are given, or else those that the run says it was trained on."""
    from isthmus.data import load

    if "source" not in given and source is None:
        raise InputError(
            f"{run} does not say what it was trained on: pass --data, and --label or --size, as they were for train."
        )
    return load(**given if "source" in given else {**(source or {}), **given})


def _open(run: Path) -> Any:
    from isthmus import runs

    return runs.load(run)


def _columns(model: Any) -> list[str] | None:
    return list(model.feature_names_in_) if hasattr(model, "feature_names_in_") else None


def _wrote(out: Path, values: np.ndarray, as_json: bool) -> None:
    _say(f"{out}: {' × '.join(map(str, values.shape))}", {"out": out, "shape": values.shape}, as_json)


def _listing(lines: Mapping[str, Any]) -> str:
    width = max(map(len, lines))
    return "\n".join(f"{name:<{width}}  {value}" for name, value in lines.items())


def _number(value: float, error: float | None) -> str:
    return f"{value:.4g}" if error is None else f"{value:.4g} ± {error:.2g}"
