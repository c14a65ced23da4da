"""Images that are moved: as scipy moves them, by draws of the size that was asked for."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.ndimage import affine_transform
from torch import Tensor

import isthmus as ist
from isthmus.core import sharding
from isthmus.corruptions import RandomAffine, moved


def by_scipy(image: np.ndarray, shift: np.ndarray, angle: float, scale: float) -> np.ndarray:
    """The image ``(h, w)`` whose pixel at c + p is that at c + Rᵀ(p - t) / s of the given one."""
    centre = (np.array(image.shape) - 1) / 2  # rows, then columns
    turn = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    back = turn.T / scale  # in rows and columns a turn to the right is one to the left
    origin = centre - back @ (centre + shift[::-1])
    return affine_transform(image, back, origin, order=1, mode="nearest")


@pytest.mark.parametrize("size", [(12, 12), (9, 16)])
def test_images_move_as_scipy_moves_them(size: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    images = rng.random((6, 2, *size))
    shift = rng.uniform(-2, 2, (6, 2))
    angle, scale = rng.uniform(-0.5, 0.5, 6), rng.uniform(0.8, 1.25, 6)
    found = moved(*map(torch.from_numpy, (images, shift, angle, scale))).numpy()
    for i in range(6):
        for channel in range(2):
            expected = by_scipy(images[i, channel], shift[i], angle[i], scale[i])
            np.testing.assert_allclose(found[i, channel], expected, atol=1e-9)


def test_a_dot_shifts_to_the_right_and_down_turns_with_the_clock_and_grows() -> None:
    dot = torch.zeros(3, 1, 7, 7, dtype=torch.float64)
    dot[:, 0, 3, 5] = 1  # two to the right of the centre
    none, right = torch.zeros(3).double(), math.pi / 2
    shift = torch.tensor([[1.0, 2.0], [0.0, 0.0], [0.0, 0.0]]).double()
    turned = moved(dot, shift, torch.tensor([0.0, right, 0.0]).double(), none + 1)
    assert (turned[0] > 0.99).nonzero().tolist() == [[0, 5, 6]]
    assert (turned[1] > 0.99).nonzero().tolist() == [[0, 5, 3]]
    smaller = moved(dot, none[:, None].expand(3, 2), none, none + 0.5)
    assert smaller[0].argmax() == 3 * 7 + 4


def test_draws_reach_as_far_as_the_fields_say(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[dict[str, Tensor]] = []
    monkeypatch.setattr("isthmus.corruptions.moved", lambda x, **motion: seen.append(motion) or x)
    RandomAffine(shift=3, rotate=20, zoom=0.2)(torch.zeros(4000, 1, 2, 2))
    (drawn,) = seen
    for values, reach in (
        (drawn["shift"], 3.0),
        (drawn["angle"].rad2deg(), 20.0),
        (drawn["scale"] - 1, 0.2),
    ):
        assert float(values.abs().max()) == pytest.approx(reach, rel=0.01)
        assert float(values.std()) == pytest.approx(reach / math.sqrt(3), rel=0.05)
    still = torch.rand(3, 2, 5, 4)
    monkeypatch.undo()
    torch.testing.assert_close(RandomAffine(shift=0, rotate=0, zoom=0)(still), still)


def test_several_processes_move_an_image_alike() -> None:
    x = torch.rand(6, 1, 5, 5)
    torch.manual_seed(3)
    whole = RandomAffine()(x)
    torch.manual_seed(3)
    shard = sharding.Shard(2, 5, 6, add=lambda x: x, greatest=lambda x: x)
    with sharding.working_on(shard):
        assert torch.equal(RandomAffine()(x[2:5]), whole[2:5])


def test_a_denoiser_of_moved_images_sees_through_motion(digits: ist.data.Data) -> None:
    def distance(corruption: RandomAffine) -> float:
        model = ist.DenoisingAE(
            corruption=corruption, latent_dim=16, epochs=15, learning_rate=3e-3, random_state=0
        ).fit(digits.train)
        rolled = np.roll(digits.test.x, 1, axis=-1)
        return float(((model.denoise(rolled) - digits.test.x) ** 2).sum((1, 2, 3)).mean())

    still = distance(RandomAffine(shift=0, rotate=0, zoom=0))
    assert distance(RandomAffine(shift=1.5, rotate=0, zoom=0)) < 0.7 * still


def test_what_is_no_image_is_refused() -> None:
    with pytest.raises(
        ist.InputError,
        match=r"corruption='affine' moves images, but X is read as vectors of 6: take another",
    ):
        ist.DenoisingAE(corruption="affine", epochs=1).fit(np.random.rand(20, 6))
    with pytest.raises(ist.InputError, match="zoom=1 "):
        ist.DenoisingAE(corruption=RandomAffine(zoom=1)).fit(np.random.rand(9, 1, 8, 8))
