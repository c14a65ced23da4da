"""Messages: one line of what can be printed, whatever they quote."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

import isthmus as ist
from isthmus import errors
from isthmus.errors import InputError, one_line


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\n b\t c", "a b c"),
        ("\x1b[31mred", r"\x1b[31mred"),
        ("\ud800", r"\ud800"),
        ("Größe 数", "Größe 数"),
        ("\x00", r"\x00"),
    ],
)
def test_a_message_is_one_line_of_what_can_be_printed(text: str, shown: str) -> None:
    assert one_line(text) == shown
    assert str(InputError(text)) == shown


@pytest.mark.parametrize(
    "name", ["InputTypeError", "RunError", "StorageError", "MissingExtraError", "BusyError"]
)
def test_every_error_of_ours_is_one_line_and_survives_pickling(name: str) -> None:
    error = getattr(errors, name)("no\nsuch\x07 thing.")
    assert str(error) == r"no such\x07 thing."
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again)) == (type(error), str(error))


def test_a_setting_that_is_an_array_is_refused_in_one_line(few: np.ndarray) -> None:
    with pytest.raises(InputError, match=r"latent_dim=array\(\[\[0\., 0\.\], \[0\., 0\.\]\]\) is"):
        ist.AE(latent_dim=np.zeros((2, 2))).fit(few)  # type: ignore[arg-type]


@pytest.mark.parametrize("codes", [[[1.0], []], ..., range(3), {"a": 1}, "codes", [["x", "y"]]])
@pytest.mark.parametrize("name", ["ae", "vqvae"])
def test_codes_that_are_no_numbers_are_refused_in_words(
    name: str, codes: object, few: np.ndarray
) -> None:
    model = ist.MEMBERS[name](epochs=1, hidden=(8,)).fit(few[:32])
    with pytest.raises(InputError, match=r"codes|range gives single numbers"):
        model.inverse_transform(codes)


@pytest.mark.parametrize("shape", [(5, 0, 6), (3, 2, 0), (3, 0, 5, 2)])
@pytest.mark.parametrize("name", ["ae", "recurrent"])
def test_examples_that_hold_nothing_are_refused(name: str, shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match=r"in which an example holds no values"):
        ist.MEMBERS[name](epochs=1).fit(np.zeros(shape))


def test_rows_that_are_uneven_inside_are_refused(few: np.ndarray) -> None:
    model = ist.AE(epochs=1).fit(few[:32])
    with pytest.raises(InputError, match=r"examples of unequal length: pass kind='signal'"):
        model.score_samples([[[1.0], []], [[2.0], []]])


@pytest.mark.parametrize("value", [1e39, -1e300, 2**63])
def test_numbers_that_torch_cannot_hold_are_refused(value: float, few: np.ndarray) -> None:
    with pytest.raises(InputError, match=r"free_bits=.* is too large for any computer"):
        ist.VAE(free_bits=value).fit(few)


@pytest.mark.parametrize("number", [10**30, 10**400])
def test_labels_beyond_64_bits_are_classes_like_others(number: int, few: np.ndarray) -> None:
    labels = np.array([number, 3] * 16, dtype=object)
    model = ist.VAE(condition="label", epochs=1, hidden=(8,)).fit(few[:32], labels)
    assert model.sample(2, condition=3).shape == (2, 1, 8, 8)
