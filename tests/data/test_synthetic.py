"""Painted defects: exact masks, visible change, and a place on the part, on drawn and on real photographs."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage import data as skimage_data

from blemish.core.errors import BlemishError
from blemish.core.types import BoolArray, ByteArray
from blemish.data.painting import NOTABLE, SMALLEST_AREA, grain_deviation
from blemish.data.sample_line import SAMPLE_CATEGORIES, render_defective, render_good
from blemish.data.synthetic import DEFECT_PAINTERS


def change(before: ByteArray, after: ByteArray) -> np.ndarray:
    """Largest difference over the channels, int, per pixel."""
    return np.abs(after.astype(int) - before.astype(int)).max(axis=2)


def test_there_are_at_least_the_six_types_of_the_issue() -> None:
    assert {"scratch", "stain", "hole", "missing_piece", "foreign_body", "twist"} <= set(DEFECT_PAINTERS)


@pytest.mark.parametrize("kind", sorted(DEFECT_PAINTERS))
@pytest.mark.parametrize("category", SAMPLE_CATEGORIES)
def test_mask_is_exactly_what_changed(category: str, kind: str) -> None:
    for seed in range(2):
        before, after, mask = render_defective(category, kind, np.random.default_rng(seed), size=160)
        difference = change(before, after)
        assert after.dtype == np.uint8 and mask.dtype == np.bool_ and after.shape == before.shape
        assert difference[~mask].max(initial=0) == 0
        assert (difference[mask] >= NOTABLE // 2).mean() > 0.8
        assert SMALLEST_AREA <= mask.mean() < 0.15


@settings(max_examples=12, deadline=None)
@given(
    seed=st.integers(0, 2**32), kind=st.sampled_from(sorted(DEFECT_PAINTERS)), side=st.sampled_from((96, 200))
)
def test_painters_are_pure_and_repeatable(seed: int, kind: str, side: int) -> None:
    image, foreground = render_good("board", np.random.default_rng(seed), side)
    kept = image.copy()
    first, first_mask = DEFECT_PAINTERS[kind](image, foreground, np.random.default_rng(seed))
    second, second_mask = DEFECT_PAINTERS[kind](image, foreground, np.random.default_rng(seed))
    assert np.array_equal(image, kept)
    assert np.array_equal(first, second) and np.array_equal(first_mask, second_mask)
    other, _ = DEFECT_PAINTERS[kind](image, foreground, np.random.default_rng(seed + 1))
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("kind", sorted(DEFECT_PAINTERS))
def test_every_photograph_will_do(kind: str) -> None:
    """Colour, non-square, large and small photographs of things that are no parts at all."""
    for photo in (skimage_data.coffee()[:300, :400], skimage_data.astronaut()[::4, ::4]):
        image = np.ascontiguousarray(photo)
        after, mask = DEFECT_PAINTERS[kind](image, None, np.random.default_rng(3))
        assert change(image, after)[~mask].max() == 0
        assert mask.mean() >= SMALLEST_AREA
        assert change(image, after)[mask].mean() > NOTABLE


@pytest.mark.parametrize("kind", ["scratch", "stain", "hole"])
def test_surface_defects_stay_on_the_part(kind: str) -> None:
    for seed in range(4):
        image, foreground = render_good("washer", np.random.default_rng(seed), 200)
        assert foreground is not None
        _, mask = DEFECT_PAINTERS[kind](image, foreground, np.random.default_rng(seed))
        around = cv2.dilate(foreground.astype(np.uint8), np.ones((7, 7), np.uint8)) > 0
        assert not (mask & ~around).any()


def test_a_missing_piece_shows_the_ground_behind() -> None:
    """Where the label is torn off, the picture is nearer to cardboard than to paper."""
    for seed in range(4):
        image, foreground = render_good("label", np.random.default_rng(seed), 200)
        assert foreground is not None
        painter = DEFECT_PAINTERS["missing_piece"]
        after, mask = painter(image, foreground, np.random.default_rng(seed), size=(0.15, 0.2))
        paper, ground = image[foreground].mean(axis=0), image[~foreground].mean(axis=0)
        core = cv2.erode((mask & foreground).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
        torn = after[core].mean(axis=0)
        assert np.linalg.norm(torn - ground) < 0.6 * np.linalg.norm(torn - paper)


def test_size_and_strength_are_obeyed() -> None:
    image, foreground = render_good("board", np.random.default_rng(0), 256)

    def mean_area(size: tuple[float, float]) -> float:
        painter = DEFECT_PAINTERS["stain"]
        areas = [painter(image, foreground, np.random.default_rng(s), size=size)[1].mean() for s in range(5)]
        return float(np.mean(areas))

    def mean_change(strength: tuple[float, float]) -> float:
        painter = DEFECT_PAINTERS["scratch"]
        results = [painter(image, foreground, np.random.default_rng(s), strength=strength) for s in range(5)]
        return float(np.mean([change(image, after)[mask].mean() for after, mask in results]))

    assert mean_area((0.30, 0.32)) > 5 * mean_area((0.10, 0.11))
    assert mean_change((0.95, 1.0)) > 1.2 * mean_change((0.25, 0.30))


def test_a_twist_of_an_even_surface_is_refused_in_one_sentence() -> None:
    even = np.full((128, 128, 3), 127, np.uint8)
    with pytest.raises(BlemishError, match="No twist could be seen anywhere on this 128 x 128 image"):
        DEFECT_PAINTERS["twist"](even, None, np.random.default_rng(0))


@pytest.mark.parametrize("deviation", [0.0, 1.0, 3.0])
def test_grain_is_measured_on_a_structured_image(deviation: float) -> None:
    rng = np.random.default_rng(0)
    rows = np.linspace(40, 200, 200)[:, None, None]
    scene = np.broadcast_to(rows, (200, 200, 3)) + 30.0 * (np.arange(200) % 50 > 25)[None, :, None]
    noisy = np.rint(scene + deviation * rng.standard_normal((200, 200, 1)))
    measured = grain_deviation(noisy.astype(np.uint8))
    assert measured == pytest.approx(np.hypot(deviation, 0.29 if deviation else 0), rel=0.15, abs=0.1)


@pytest.mark.real
def test_real_screws_can_be_damaged(real_data: Path) -> None:
    path = sorted((real_data / "screw" / "train" / "good").glob("*.png"))[0]
    image = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
    foreground: BoolArray = image[..., 0] < 120
    for kind, painter in DEFECT_PAINTERS.items():
        after, mask = painter(image, foreground, np.random.default_rng(1))
        assert change(image, after)[~mask].max() == 0, kind
        assert mask.sum() >= SMALLEST_AREA * mask.size, kind
