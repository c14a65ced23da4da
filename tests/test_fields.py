"""Declarations: one line gives type, limits, help, parsing and messages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import isthmus as ist
from isthmus.core.fields import Field, validate

WIDTHS = Field("hidden", "tuple[int, ...] | None", None, "widths", low=1)
RATE = Field("learning_rate", "float", 1e-3, "step", above=0)
LEVELS = Field("levels", "tuple[float, ...] | None", None, "levels", low=0)
SHARE = Field("validation", "float", 0.0, "share", low=0, below=1)
KIND = Field("network", "str", "auto", "kind", choices=("auto", "mlp", "conv"))
SEED = Field("random_state", "int | np.random.RandomState | None", None, "seed")
FLAG = Field("flag", "bool", False, "switch")


@pytest.mark.parametrize(
    ("field", "text", "value"),
    [
        (WIDTHS, "256,128", (256, 128)),
        (WIDTHS, "(64,)", (64,)),
        (WIDTHS, "none", None),
        (WIDTHS, "", ()),
        (LEVELS, "0.1, 2", (0.1, 2.0)),
        (RATE, "1e-4", 1e-4),
        (KIND, "mlp", "mlp"),
        (SEED, "7", 7),
        (SEED, "None", None),
        (FLAG, "yes", True),
        (FLAG, "off", False),
    ],
)
def test_text_from_the_command_line(field: Field, text: str, value: Any) -> None:
    assert field.parse(text) == value
    field.check(value)


@pytest.mark.parametrize(
    ("field", "text"),
    [(WIDTHS, "a,b"), (RATE, "fast"), (SEED, "seven"), (FLAG, "maybe"), (RATE, "none")],
)
def test_text_that_cannot_be_read(field: Field, text: str) -> None:
    with pytest.raises(
        ist.InputError, match=rf"--{field.name.replace('_', '-')} '{text}' is not usable: give"
    ):
        field.parse(text)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        (RATE, 0, r"learning_rate=0 is not usable: give a number, above 0\."),
        (RATE, float("nan"), r"learning_rate=nan is not usable"),
        (RATE, True, r"learning_rate=True is not usable"),
        (RATE, "0.1", r"learning_rate='0\.1' is not usable"),
        (SHARE, 1.0, r"validation=1\.0 is not usable: give a number, at least 0 and below 1\."),
        (
            WIDTHS,
            (64, 0),
            (
                r"hidden=\(64, 0\) is not usable: give whole numbers such as \(256, 128\) or None,"
                r" at least 1\."
            ),
        ),
        (WIDTHS, 64, r"hidden=64 is not usable"),
        (WIDTHS, (0.5,), r"hidden=\(0\.5,\) is not usable"),
        (
            LEVELS,
            (0.5, -1),
            r"is not usable: give numbers such as \(0\.1, 0\.3\) or None, at least",
        ),
        (
            KIND,
            "cnv",
            r"unknown value of network 'cnv': did you mean 'conv'\? Known: auto, conv, mlp\.",
        ),
        (SEED, 1.5, r"random_state=1\.5 is not usable"),
    ],
)
def test_values_that_cannot_be_used(field: Field, value: Any, message: str) -> None:
    with pytest.raises(ist.InputError, match=message):
        field.check(value)


@pytest.mark.parametrize(
    ("value", "same"),
    [(np.int64(3), 3), (np.random.RandomState(5), np.random.RandomState(5)), (None, None)],
    ids=["number", "generator", "none"],
)
def test_numbers_of_numpy_and_generators_are_taken(value: Any, same: Any, few: np.ndarray) -> None:
    SEED.check(value)
    first, second, other = (
        ist.AE(latent_dim=2, epochs=1, random_state=seed, verbose=0).fit(few).transform(few)
        for seed in (value, same, 4)
    )
    assert np.array_equal(first, second) == (value is not None)  # none is another one every time
    assert not np.array_equal(first, other)


def test_switches_of_numpy_are_taken_and_kept(few: np.ndarray, tmp_path: Path) -> None:
    """A grid of settings is often an array."""
    for is_tied in np.array([True, False]):
        given = ist.AE(latent_dim=2, epochs=1, tied=is_tied, random_state=0, verbose=0)
        plain = ist.AE(latent_dim=2, epochs=1, tied=bool(is_tied), random_state=0, verbose=0)
        assert np.array_equal(given.fit_transform(few), plain.fit_transform(few))
        given.save(tmp_path / str(is_tied))
        assert ist.load(tmp_path / str(is_tied)).tied is bool(is_tied)


def test_an_unknown_name_suggests_the_nearest() -> None:
    with pytest.raises(
        ist.InputError, match=r"unknown field 'learning_rat': did you mean 'learning_rate'\?"
    ):
        validate({"learning_rat": 1}, {"learning_rate": RATE})


def test_fields_are_checked_at_fit_and_not_in_the_constructor(few: np.ndarray) -> None:
    model = ist.VAE(latent_dim=-1)
    assert model.latent_dim == -1
    with pytest.raises(
        ist.InputError,
        match=r"latent_dim=-1 is not usable: give a whole number or None, at least 1\.",
    ):
        model.fit(few)


def test_own_networks_that_do_not_fit_are_refused(few: np.ndarray) -> None:
    with pytest.raises(
        ist.InputError, match=r"decoder gives \(3,\) for one code of shape \(2,\), but"
    ):
        ist.AE(decoder=torch.nn.Linear(2, 3)).fit(few)
    with pytest.raises(ist.InputError, match=r"encoder cannot take examples of shape \(1, 8, 8\)"):
        ist.AE(encoder=torch.nn.Linear(3, 3)).fit(few)
    with pytest.raises(
        ist.InputError, match=r"gives int in place of a torch module: return an nn\.Module"
    ):
        ist.AE(encoder=lambda shape: 3).fit(few)


def test_callables_get_the_shapes(few: np.ndarray) -> None:
    seen: list[tuple[int, ...]] = []

    def encoder(shape: tuple[int, ...]) -> torch.nn.Module:
        seen.append(shape)
        return torch.nn.Flatten()

    def decoder(code: tuple[int, ...], shape: tuple[int, ...]) -> torch.nn.Module:
        seen.extend([code, shape])
        return torch.nn.Sequential(torch.nn.Linear(code[0], 64), torch.nn.Unflatten(1, shape))

    ist.AE(latent_dim=3, epochs=1, encoder=encoder, decoder=decoder).fit(few)
    assert seen == [(1, 8, 8), (3,), (1, 8, 8)]


@pytest.mark.parametrize(
    ("annotation", "kind", "choices"),
    [
        ('Literal["full", "diag"]', "str", ("full", "diag")),
        ("float | typing.Literal['auto']", "float | str", ("auto",)),
    ],
)
def test_choices_may_stand_in_the_annotation(
    annotation: str, kind: str, choices: tuple[str, ...]
) -> None:
    field = Field("covariance", annotation, "full", "what it looks like")
    assert (field.type, field.choices) == (kind, choices)
    with pytest.raises(ist.InputError, match="unknown value of covariance 'fulll'"):
        field.check("fulll")
