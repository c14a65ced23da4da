"""Long series on the command line: a run that was trained on windows of one reads others."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from isthmus._cli.shared import say, steps_or_seconds, wrote
from isthmus.errors import InputError


def windows_of(model: Any) -> dict[str, Any]:
    """How the series was cut that a member was trained on, as arguments of ``load``; or nothing."""
    known = model.preprocessor_
    if known.stride is None or known.spec.sample_rate is not None:
        return {}
    length = known.spec.shape[1 if known.spec.kind == "signal" else 0]
    return {"window": length, "stride": known.stride, "kind": known.spec.kind}


def cut_by(model: Any, window: str | None, stride: str | None) -> dict[str, Any]:
    """How a series is to be cut that a member judges: as in its training, unless it is said."""
    given = {"--window": window, "--stride": stride}
    if (rate := model.preprocessor_.spec.sample_rate) is not None:
        for flag, text in given.items():
            if text is not None:
                raise InputError(
                    f"{flag} {text} means nothing for a run of sounds, at {rate} Hz, whose windows"
                    " are judged one by one: leave it out."
                )
        return {}
    window_steps, every = (_steps(flag, text) for flag, text in given.items())
    cut = windows_of(model)
    spec = model.preprocessor_.spec
    length = spec.shape[1 if spec.kind == "signal" else 0]
    if window is not None and (not spec.has_time or window_steps != length):
        raise InputError(
            f"--window {window} does not fit this {type(model).__name__}, which was trained on"
            f" {spec}: leave it out, or train with it."
        )
    if not cut and window is None:
        if stride is not None:
            raise InputError(f"--stride {stride} means nothing without --window: give both.")
        return {}
    return {"window": length, "stride": every or cut.get("stride")}


def _steps(flag: str, text: str | None) -> int | None:
    """Steps of a series, which nobody knows the seconds of."""
    steps = steps_or_seconds(text, flag)
    if isinstance(steps, float):
        raise InputError(f"{flag} {text} is in seconds, which series do not have: give steps.")
    return steps


def series_for(model: Any, source: str, label: str | None, stride: int | None = None) -> Any:
    """The series of a file, cut as the windows that a member was trained on."""
    from isthmus.data import read_series
    from isthmus.estimators.series import windows_for

    return windows_for(model, read_series(source, label=label), stride)


def rebuild(
    model: Any, source: str, label: str | None, out: Path, overwrite: bool, as_json: bool
) -> None:
    """Write the reconstruction of each step of a long series: the mean of all its windows."""
    import numpy as np

    from isthmus._cli import exports
    from isthmus.data.series import series_values
    from isthmus.data.steps import series_table

    exports.check_target(out, (exports.ARRAY, *exports.TABLES), overwrite)
    cut = series_for(model, source, label)
    restored = cut.fold(model.reconstruct(cut))
    if out.suffix.lower() == exports.ARRAY:
        exports.write_array(out, np.asarray(restored))
    else:
        exports.write_table(out, series_table(cut.series[0], series_values(restored)))
    wrote(out, np.asarray(restored), as_json)


def mark(
    model: Any,
    source: str,
    label: str | None,
    cut: Mapping[str, Any],
    targets: tuple[Path, Path | None],
    as_json: bool,
    values: Mapping[str, Any],
) -> None:
    """Write how typical each step of a long series is, and perhaps draw it."""
    import numpy as np

    from isthmus._cli import exports
    from isthmus.data.steps import step_table, stretches
    from isthmus.estimators.series import score_steps

    out, figure = targets
    found = score_steps(model, series_for(model, source, label, cut["stride"]), **values)
    table = step_table(found)
    exports.write_table(out, table)
    if figure is not None:
        exports.write_steps(figure, found, Path(source).name)
    outlier, (times, *_) = table["outlier"], table.values()
    count, pieces, least = int(outlier.sum()), len(stretches(outlier)), np.nanargmin(table["score"])
    text = (
        f"{out}: {count} of {len(outlier)} steps, in {pieces} stretch{'es' * (pieces != 1)}, score"
        f" below {found.threshold:.4g}; the least typical is {next(iter(table))} {times[least]}"
    )
    result = {
        "out": out,
        "steps": len(outlier),
        "outliers": count,
        "stretches": pieces,
        "threshold": found.threshold,
        "least_typical": str(times[least]),
    }
    say(text, result, as_json)
