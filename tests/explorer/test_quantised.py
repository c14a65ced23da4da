"""What the page is given of quantised members, and of hierarchies that it draws anew."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import pytest
import torch

import isthmus as ist
from isthmus.explorer._groups import Redrawing
from isthmus.explorer._quantised import colours, oklab_to_hex, quantised_of
from isthmus.explorer._shown import Shown


def composed(known: dict[str, Any], row: int, size: int) -> np.ndarray:
    """The code of an example from indices and tables, as ``front/parts/codebook.js`` does."""
    dim, code = known["dim"], np.zeros(size, np.float32)
    total = sum(int(np.prod(level["grid"])) for level in known["levels"])
    indices = np.frombuffer(base64.b64decode(known["rows"]), "<i4").reshape(-1, total)[row]
    for level in known["levels"]:
        places = int(np.prod(level["grid"]))
        table = np.frombuffer(base64.b64decode(level["table"]), "<f4").reshape(-1, dim)
        own = [level["entries"].index(i) for i in indices[level["first"] :][:places]]
        part = slice(level["start"], level["start"] + dim * places)
        code[part] += table[own].T.ravel()
    return code


@pytest.mark.parametrize("quantizer", ["vq", "fsq", "residual", "product", "lfq"])
@pytest.mark.parametrize("member", [ist.VQVAE, ist.VQVAE2])
def test_codes_are_sums_of_rows_of_tables(member: Any, quantizer: str, few: np.ndarray) -> None:
    model = member(quantizer=quantizer, hidden=(4, 8), epochs=1, random_state=0).fit(few)
    shown = Shown("m", model, ist.data.Part(few[:5]))
    known = quantised_of(shown, 5, ist.data.Part(few[5:9]))
    assert known is not None
    expected = model.transform(few[:5])
    for row in range(5):
        found = composed(known, row, expected.shape[1])
        np.testing.assert_allclose(found, expected[row], atol=1e-5)


def test_members_without_entries_have_none(few: np.ndarray) -> None:
    shown = Shown("m", ist.AE(epochs=1).fit(few), ist.data.Part(few[:5]))
    assert quantised_of(shown, 5, ist.data.Part(few[5:9])) is None


def test_of_many_entries_those_that_examples_use_are_carried(few: np.ndarray) -> None:
    quantizer = ist.quantizers.FSQ(levels=(32, 16, 16))
    model = ist.VQVAE(quantizer=quantizer, hidden=(4, 8), epochs=1, random_state=0).fit(few)
    known = quantised_of(Shown("m", model, ist.data.Part(few)), 100, ist.data.Part(few[100:]))
    assert known is not None
    assert known["levels"][0]["entries"] == np.unique(model.encode(few)).tolist()


def test_like_entries_have_like_colours() -> None:
    near, far = np.array([[0.0, 0, 0, 1], [0.1, 0, 0, 1]]), np.array([[9.0, 5, -3, 2]])
    more = np.random.default_rng(0).normal(size=(20, 4)) * 3
    found = colours(np.concatenate([near, far, more]))
    rgb = np.array([[int(one[i : i + 2], 16) for i in (1, 3, 5)] for one in found])
    assert np.abs(rgb[0] - rgb[1]).max() < 12 < np.abs(rgb[0] - rgb[2]).max()


def test_colours_of_oklab_are_those_of_its_definition() -> None:
    lab = np.array([[1, 0, 0], [0, 0, 0], [0.62795536, 0.22486306, 0.12584630]])
    assert oklab_to_hex(lab) == ["#ffffff", "#000000", "#ff0000"]


def test_groups_are_kept_or_drawn_from_the_learnt_prior(few: np.ndarray) -> None:
    module = ist.NVAE(width=8, epochs=1, random_state=0).fit(few).module_.float().eval()
    code, noise = torch.randn(2, 3, *module.bottleneck.code_shape)
    redraw, one = Redrawing(module), torch.ones_like(code)
    with torch.no_grad():
        torch.testing.assert_close(redraw(code, noise, one), code)
        keep = one.clone()
        keep[:, 2:] = 0  # the first group has two numbers
        drawn = redraw(code, noise, keep)
        torch.testing.assert_close(drawn[:, :2], code[:, :2])
        # the second group does not depend on what the others held
        other = redraw(torch.cat([code[:, :2], 7 * noise[:, 2:]], 1), noise, keep)
        torch.testing.assert_close(drawn, other)
        torch.manual_seed(0)
        sampled = module.bottleneck.sample(3)
        torch.manual_seed(0)
        parts = [torch.randn(3, *shape).flatten(1) for shape in module.bottleneck.shapes]
        drawn = redraw(code, torch.cat(parts, 1), 0 * one)
    torch.testing.assert_close(drawn, sampled)
