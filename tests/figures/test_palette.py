"""The ten colours of classes: how far apart they are, also for those who see fewer colours."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from isthmus.figures._style import PALETTE

# From linear light to what is left of it (Machado, Oliveira and Fernandes, 2009, severity 1).
VISIONS = {
    "normal": np.eye(3),
    "deuteranopia": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
    "protanopia": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "tritanopia": np.array(
        [
            [1.255528, -0.076749, -0.178779],
            [-0.078411, 0.930809, 0.147602],
            [0.004733, 0.691367, 0.303900],
        ]
    ),
}
TO_XYZ = np.array(
    [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ]
)
WHITE = np.array([0.95047, 1.0, 1.08883])
NEIGHBOURS = [(3, 5), (3, 8), (5, 8), (4, 7), (4, 9), (7, 9), (0, 6), (2, 8), (3, 9)]


def light(colour: str) -> np.ndarray:
    """Linear light of an sRGB colour."""
    value = np.array(to_rgb(colour))
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def lab(colour: str, vision: str = "normal") -> np.ndarray:
    xyz = TO_XYZ @ (VISIONS[vision] @ light(colour)).clip(0, 1) / WHITE
    f = np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def ciede2000(one: np.ndarray, other: np.ndarray) -> float:
    """The difference of two colours in Lab (Sharma, Wu and Dalal, 2005)."""
    mean_chroma = (np.hypot(*one[1:]) + np.hypot(*other[1:])) / 2
    g = 0.5 * (1 - np.sqrt(mean_chroma**7 / (mean_chroma**7 + 25.0**7)))
    a, b = np.array([one[1], other[1]]) * (1 + g), np.array([one[2], other[2]])
    chroma, hue = np.hypot(a, b), np.degrees(np.arctan2(b, a)) % 360
    turn = (hue[1] - hue[0] + 180) % 360 - 180 if chroma.prod() else 0.0
    middle = (hue[0] + turn / 2) % 360 if chroma.prod() else hue.sum()
    lightness, c = (one[0] + other[0]) / 2, chroma.mean()
    t = (
        1
        - 0.17 * np.cos(np.radians(middle - 30))
        + 0.24 * np.cos(np.radians(2 * middle))
        + 0.32 * np.cos(np.radians(3 * middle + 6))
        - 0.20 * np.cos(np.radians(4 * middle - 63))
    )
    far = (lightness - 50) ** 2
    parts = np.array(
        [
            (other[0] - one[0]) / (1 + 0.015 * far / np.sqrt(20 + far)),
            (chroma[1] - chroma[0]) / (1 + 0.045 * c),
            2 * np.sqrt(chroma.prod()) * np.sin(np.radians(turn / 2)) / (1 + 0.015 * c * t),
        ]
    )
    rotation = 60 * np.exp(-(((middle - 275) / 25) ** 2))
    twist = -2 * np.sqrt(c**7 / (c**7 + 25.0**7)) * np.sin(np.radians(rotation))
    return float(np.sqrt((parts**2).sum() + twist * parts[1] * parts[2]))


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [  # of the authors' table
        ((50, 2.6772, -79.7751), (50, 0, -82.7485), 2.0425),
        ((50, 2.49, -0.001), (50, -2.49, 0.0009), 7.1792),
        ((60.2574, -34.0099, 36.2677), (60.4626, -34.1751, 39.4387), 1.2644),
        ((2.0776, 0.0795, -1.1350), (0.9033, -0.0636, -0.5514), 0.9082),
    ],
)
def test_the_difference_is_that_of_its_authors(
    one: tuple[float, ...], other: tuple[float, ...], expected: float
) -> None:
    assert ciede2000(np.array(one), np.array(other)) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("vision", VISIONS)
def test_neighbours_in_a_plane_of_digits_are_told_apart(vision: str) -> None:
    seen = [lab(colour, vision) for colour in PALETTE]
    least = min((ciede2000(seen[i], seen[j]), (i, j)) for i, j in NEIGHBOURS)
    assert least[0] > (22 if vision == "tritanopia" else 27), least
    least = min((ciede2000(seen[i], seen[j]), (i, j)) for i, j in combinations(range(10), 2))
    assert least[0] > 13.5, least


@pytest.mark.parametrize("paper", ["#ffffff", "#12181f"])
def test_every_colour_is_seen_on_light_and_dark_paper(paper: str) -> None:
    """By the contrast ratio of WCAG 2; 1.9 is that of a strong yellow on white."""
    brightness = [float(TO_XYZ[1] @ light(colour)) + 0.05 for colour in (*PALETTE, paper)]
    ratios = [max(one, brightness[-1]) / min(one, brightness[-1]) for one in brightness[:-1]]
    assert min(ratios) > 1.9
