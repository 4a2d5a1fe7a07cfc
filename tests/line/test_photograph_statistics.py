"""Statistics of a photograph: one cause moves one of them, and what does not count moves none."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from blemish.core.images import read_image
from blemish.core.types import ByteArray
from blemish.evaluation.disturbances import in_other_brightness, out_of_focus
from blemish.line.photograph_statistics import STATISTICS, photograph_statistics
from blemish.line.rows import NetworkInput
from blemish.view.look import Look


def part(left: int = 100, level: float = 1.0, sigma: float = 1.0) -> ByteArray:
    """A textured disk on a dark ground."""
    picture = np.full((300, 300, 3), 40.0)
    shape = np.zeros((300, 300), np.uint8)
    cv2.circle(shape, (left, 150), 60, 1, -1)
    picture[shape > 0] = 120 + np.random.default_rng(0).normal(0, 30, (int(shape.sum()), 1))
    picture = cv2.GaussianBlur(picture, (0, 0), sigma)
    return np.clip(np.rint(picture * level), 0, 255).astype(np.uint8)


def measured(picture: ByteArray, counted: np.ndarray | None = None) -> dict[str, float]:  # type: ignore[type-arg]
    return photograph_statistics(NetworkInput(picture, Look(picture, counted)), picture)


def moved(one: dict[str, float], other: dict[str, float], by: float = 0.02) -> set[str]:
    return {name for name in STATISTICS if abs(other[name] / one[name] - 1) > by}


@pytest.mark.parametrize(
    ("changed", "what"),
    [
        ({"level": 0.8}, {"brightness"}),
        ({"sigma": 1.3}, {"focus"}),
        ({"left": 112}, {"horizontal"}),
    ],
)
def test_one_cause_moves_one_of_them(changed: dict[str, float], what: set[str]) -> None:
    before, after = measured(part()), measured(part(**changed))  # type: ignore[arg-type]
    assert moved(before, after) == what
    if "level" in changed:
        assert after["brightness"] / before["brightness"] == pytest.approx(0.8, abs=0.01)


@pytest.mark.parametrize(("channel", "what"), [(0, "warmth"), (1, "tint")])
def test_another_colour_is_seen(channel: int, what: str) -> None:
    picture = part()
    other = picture.copy()
    other[..., channel] = other[..., channel] * 0.9
    assert what in moved(measured(picture), measured(other))


@settings(max_examples=30)
@given(arrays.arrays(np.uint8, (9, 12, 3)), st.integers(0, 2**32))
def test_they_agree_with_counting_by_hand(picture: ByteArray, seed: int) -> None:
    counted = np.random.default_rng(seed).random((9, 12)) > 0.4
    found = measured(picture, counted)
    if counted.any():
        grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)[counted].astype(float)
        assert found["brightness"] == pytest.approx(grey.mean())
        assert found["contrast"] == pytest.approx(grey.std() / max(grey.mean(), 1), abs=1e-6)
    assert set(found) == set(STATISTICS) and all(map(math.isfinite, found.values()))
    # What does not count has no say.
    hidden = picture.copy()
    hidden[~counted] = 255
    if counted.any():
        assert measured(hidden, counted) == found


@pytest.mark.parametrize("level", [0, 255])
def test_a_photograph_of_one_colour_has_statistics(level: int) -> None:
    picture = np.full((40, 50, 3), level, np.uint8)
    found = measured(picture)
    assert found["brightness"] == level and found["contrast"] == found["focus"] == 0
    assert (found["horizontal"], found["vertical"]) == (0.5, 0.5)


def test_a_row_of_features_is_measured_by_its_photograph() -> None:
    picture = part()
    found = photograph_statistics(NetworkInput(np.zeros(4, np.float32)), picture)
    assert found["brightness"] == pytest.approx(measured(picture)["brightness"], rel=0.01)


def test_an_alignment_says_where_the_part_lies() -> None:
    picture, way = part(), np.array([[0.5, 0, 0.1], [0, 0.5, 0.3]])
    found = photograph_statistics(NetworkInput(picture, Look(picture, to_photograph=way)), picture)
    assert (found["horizontal"], found["vertical"]) == pytest.approx((0.35, 0.55))


@pytest.mark.real
@pytest.mark.parametrize("name", ["screw", "magnetic_tile", "metal_plate"])
def test_one_cause_moves_one_of_them_on_real_photographs(name: str, real_data: Path) -> None:
    def mean(change: Callable[[ByteArray], ByteArray]) -> dict[str, float]:
        found = []
        for path in sorted((real_data / name / "train" / "good").iterdir())[:6]:
            changed = change(read_image(path))
            found.append(measured(cv2.resize(changed, (448, 448), interpolation=cv2.INTER_AREA)))
        return {one: float(np.mean([each[one] for each in found])) for one in STATISTICS}

    before = mean(lambda image: image)
    dark = mean(lambda image: in_other_brightness(image, 0.9))
    blurred = mean(lambda image: out_of_focus(image, 2.5))
    assert moved(before, dark, 0.015) == {"brightness"}
    assert dark["brightness"] / before["brightness"] == pytest.approx(0.9, abs=0.01)
    assert moved(before, blurred, 0.06) == {"focus"} and blurred["focus"] < 0.5 * before["focus"]
