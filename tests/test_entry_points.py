"""Members and parts of other packages: found by entry points, used like our own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import isthmus as ist
from isthmus import registry
from isthmus.registry import Registry

Command = Callable[..., tuple[int, str, str]]

MODULE = '''
"""A package of somebody else's."""

from dataclasses import dataclass

import isthmus as ist
from isthmus.core import fields
from isthmus.core.fields import field
from isthmus.likelihoods import LikelihoodPart, SquaredErrorLikelihood
from isthmus.models.vae import VAE
from isthmus.networks import Features, Network
from torch import nn

PULL = 0.5


@dataclass(repr=False, eq=False, kw_only=True)
class TheirVAE(VAE):
    """A VAE of theirs, with a weight of its own."""

    beta: float = field(default=PULL, help="weight of the rate, in their words", low=0)
    pull: int | None = fields.field(default=None, help="a field of theirs")


@dataclass(repr=False)
class Wide(Network):
    """One wide layer."""

    units: int = field(48, "how wide", low=1)

    def encoder(self, spec):
        size = 1
        for side in spec.shape:
            size *= side
        return Features(nn.Sequential(nn.Flatten(), nn.Linear(size, self.units)), (self.units,))

    def decoder(self, code_shape, spec):
        size = 1
        for side in spec.shape:
            size *= side
        return nn.Sequential(
            nn.Flatten(), nn.Linear(code_shape[0], size), nn.Unflatten(1, spec.shape)
        )


@dataclass(repr=False)
class Halved(LikelihoodPart):
    """Half the squared error."""

    share: float = field(0.5, "of the squared error", above=0)

    def _module(self, spec):
        return SquaredErrorLikelihood(spec.unit_range)
'''
HEIR = '''
"""A member that inherits from another package, in other spellings."""

import dataclasses
from typing import Optional

import theirs
from isthmus.core.fields import field as declare, slot as opening
from isthmus.registry import QUANTIZERS

LIMITS = {"low": 1}
if True:
    @dataclasses.dataclass(repr=False, eq=False, kw_only=True)
    class Heir(theirs.TheirVAE):
        """An heir."""

        latent_dim: int = declare(3, "size of their code", **LIMITS)
        steps: "Optional[int]" = declare(None, help="how many steps")
        second: "str" = opening("vq", QUANTIZERS, help="a slot of theirs")
'''
ENTRY_POINTS = """
[isthmus.members]
heir = heir:Heir
theirs = theirs:TheirVAE
broken = theirs.missing:Nothing

[isthmus.networks]
wide = theirs:Wide

[isthmus.likelihoods]
halved = theirs:Halved
gaussian = theirs:Halved
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of packages in which theirs is installed."""
    home = tmp_path_factory.mktemp("site")
    (home / "theirs.py").write_text(MODULE)
    (home / "heir.py").write_text(HEIR)
    info = home / "theirs-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: theirs\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(ENTRY_POINTS)
    return home


@pytest.fixture(scope="module")
def isthmus(site: Path, commands_with: Callable[[Path], Any]) -> Iterator[Command]:
    """Run a command where their package is installed."""
    with commands_with(site) as run:
        yield run


def test_their_member_is_a_command_with_their_fields_and_is_saved(
    isthmus: Command, commands_with: Callable[[Path], Any], tmp_path: Path
) -> None:
    status, shown, said = isthmus("train", "theirs", "--help")
    assert status == 0, said
    assert "weight of the rate, in their words (at least 0; default 0.5)" in shown
    assert "--pull" in shown
    assert "A VAE of theirs" in isthmus("train", "--help")[1]
    given = ["--data", "digits", "--epochs", 1, "--beta", 2, "--out", tmp_path / "run"]
    status, _, said = isthmus("train", "theirs", *given)
    assert status == 0, said
    status, told, said = isthmus("info", tmp_path / "run")
    assert status == 0, said
    assert "theirs" in told
    assert isthmus("encode", tmp_path / "run", "digits", tmp_path / "z.npy")[0] == 0
    with commands_with(tmp_path) as without:
        said = without("encode", tmp_path / "run", "digits", tmp_path / "other.npy")[2]
    assert "unknown member 'theirs'" in said


def test_declarations_may_be_written_in_any_way(isthmus: Command, tmp_path: Path) -> None:
    status, shown, said = isthmus("train", "heir", "--help")
    assert status == 0, said
    for text in ("size of their code (at least 1; default 3)", "how many steps", "--pull"):
        assert text in shown
    assert "--codebook-size" in shown
    given = ["--data", "digits", "--epochs", 1, "--out", tmp_path / "run"]
    status, _, said = isthmus("train", "heir", *given, "--steps", 4, "--codebook-size", 9)
    assert status == 0, said
    assert '"codebook_size": 9' in (tmp_path / "run" / "config.json").read_text()


def test_their_parts_stand_in_our_slots(isthmus: Command, tmp_path: Path) -> None:
    given = ["--data", "digits", "--epochs", 1, "--network", "wide", "--units", 20]
    status, told, said = isthmus(
        "train", "vae", *given, "--likelihood", "halved", "--out", tmp_path / "r"
    )
    assert status == 0, said
    assert '"units": 20' in (tmp_path / "r" / "config.json").read_text()
    assert "likelihood: halved" in told
    assert isthmus("evaluate", tmp_path / "r", "--data", "digits")[0] == 0
    shown = isthmus("train", "vae", "--likelihood", "halved", "--help")[1]
    assert "likelihood halved" in shown
    assert "of the squared error" in shown


def test_a_broken_package_breaks_nothing_else(isthmus: Command, site: Path, tmp_path: Path) -> None:
    status, shown, said = isthmus("train", "--help")
    assert status == 0, said
    assert "vqvae2" in shown
    path = os.pathsep.join([str(site), str(Path(ist.__file__).parents[1])])
    done = subprocess.run(  # only in a process of its own is what ends a command shown to its end
        [sys.executable, "-m", "isthmus", "train", "broken", "--data", "x", "--out", str(tmp_path)],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": path},
    )
    assert done.returncode == 2
    assert "member 'broken' of the package theirs cannot be loaded (ModuleNotFound" in done.stderr
    assert done.stderr.count("\n") < 3


def test_a_broken_package_is_no_harm_to_the_list_of_members(isthmus: Command) -> None:
    assert isthmus("models")[0] == 0


def test_a_name_that_is_taken_is_left_out_and_said(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(site))
    registry._entry_points.cache_clear()
    try:
        ours = Registry("likelihood", {"gaussian": "isthmus.likelihoods.gaussian:Gaussian"})
        with pytest.warns(
            UserWarning, match="theirs offers the likelihood 'gaussian', a name that"
        ):
            assert list(ours) == ["gaussian", "halved"]
        assert ours["gaussian"] is ist.likelihoods.Gaussian
        with pytest.raises(
            ist.InputError, match="'halved' is registered already, as theirs:Halved"
        ):
            ours.add("halved", "math:pi")
        members = Registry("member", {})
        with pytest.raises(ist.InputError, match="of the package theirs cannot be loaded"):
            members["broken"]
    finally:
        registry._entry_points.cache_clear()


def test_two_packages_with_one_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("first", "second"):
        info = tmp_path / f"{name}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[isthmus.networks]\nsame = {name}:Network\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    registry._entry_points.cache_clear()
    try:
        known = Registry("network", {})
        assert "same" in known
        with pytest.raises(
            ist.InputError, match=r"'same' is offered by 2 installed packages \(first, second\)"
        ):
            known["same"]
    finally:
        registry._entry_points.cache_clear()
