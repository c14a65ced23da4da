"""Registration happens in one place, refuses a duplicate, and a miss suggests the nearest."""

from __future__ import annotations

import pytest

import isthmus as ist
from isthmus import registry
from isthmus.registry import Registry


@pytest.mark.parametrize(
    "kind",
    [
        "MEMBERS",
        "NETWORKS",
        "INITIALIZATIONS",
        "LIKELIHOODS",
        "CORRUPTIONS",
        "JUDGES",
        "OPTIMIZERS",
        "SCHEDULES",
        "PRIORS",
        "DATA",
        "FIGURES",
    ],
)
def test_every_registration_can_be_imported_and_is_documented(kind: str) -> None:
    known = getattr(registry, kind)
    assert len(known) > 1
    assert all(known[name].__doc__ for name in known)


def test_a_duplicate_is_refused() -> None:
    names = Registry("thing", {"one": "math:pi"})
    with pytest.raises(
        ist.InputError, match=r"thing 'one' is registered already, as math:pi: choose another name"
    ):
        names.add("one", "math:e")
    names.add("two", "math:e")
    assert names["two"] == pytest.approx(2.718281828)


def test_a_target_must_name_module_and_attribute() -> None:
    with pytest.raises(ist.InputError, match="must read 'module:attribute'"):
        Registry("thing", {}).add("one", "math.pi")


def test_a_miss_lists_the_known_names() -> None:
    with pytest.raises(
        ist.InputError, match=r"unknown member 'vaee': did you mean 'vae'\? Known: .*ae"
    ):
        ist.MEMBERS["vaee"]
    with pytest.raises(ist.InputError, match=r"unknown member 'VAE': did you mean 'vae'\?"):
        ist.MEMBERS["VAE"]


def test_members_are_found_by_their_class_names() -> None:
    assert ist.VAE is ist.MEMBERS["vae"]
    assert {"AE", "VAE"} <= set(dir(ist))
    with pytest.raises(AttributeError, match="has no attribute 'VAEE'"):
        _ = ist.VAEE
