"""Overlays: calm parts look like their photograph, defects show where they are, colours mean values."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blemish.core.errors import UsageError
from blemish.core.overlay import contour_overlay, heatmap_overlay, segmentation

Array = np.ndarray[Any, Any]


def photograph(height: int = 60, width: int = 90, seed: int = 0) -> Array:
    return np.random.default_rng(seed).integers(60, 190, (height, width, 3)).astype(np.uint8)


def is_red(pixels: Array) -> Array:
    return np.asarray((pixels[..., 0] > 190) & (pixels[..., 1:] < 70).all(axis=-1))


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 70), st.integers(1, 70), st.integers(1, 40), st.integers(1, 40), st.floats(0, 1))
def test_a_calm_map_of_any_size_leaves_the_photograph_as_it_is(
    height: int, width: int, map_height: int, map_width: int, opacity: float
) -> None:
    image = photograph(height, width)
    calm = np.full((map_height, map_width), 0.4, np.float32)
    overlaid = heatmap_overlay(image, calm, 0.5, 2.0, opacity)
    assert overlaid.dtype == np.uint8
    assert (overlaid == image).all()


def test_only_the_anomalous_part_changes_and_turns_warm() -> None:
    image, anomaly_map = photograph(), np.zeros((60, 90), np.float32)
    anomaly_map[20:40, 50:70] = 3.0
    before = image.copy()
    overlaid = heatmap_overlay(image, anomaly_map, 0.5, 2.5)
    changed = (overlaid != image).any(axis=2)
    assert changed[21:39, 51:69].all()
    assert not changed[:18].any()
    assert not changed[:, :48].any()
    inside = overlaid[22:38, 52:68].reshape(-1, 3).mean(axis=0) - image[22:38, 52:68].reshape(-1, 3).mean(
        axis=0
    )
    assert inside[0] > inside[2]  # more red than blue is added
    assert (image == before).all()


def test_colour_depends_on_the_value_and_not_on_the_rest_of_the_map() -> None:
    image = photograph()
    quiet, loud = np.full((60, 90), 1.2, np.float32), np.full((60, 90), 1.2, np.float32)
    loud[:, 60:] = 50.0
    assert (heatmap_overlay(image, quiet, 1, 2)[:, :50] == heatmap_overlay(image, loud, 1, 2)[:, :50]).all()


def test_the_photograph_shows_less_the_more_anomalous_the_pixel() -> None:
    image = photograph()
    contrast = [
        heatmap_overlay(image, np.full((60, 90), value, np.float32), 0, 1).std(axis=(0, 1)).mean()
        for value in (0.0, 0.25, 0.5, 1.0, 9.0)
    ]
    assert contrast[0] > contrast[1] > contrast[2] > contrast[3] > 0
    assert contrast[4] == contrast[3]  # everything above the scale looks like its end


def test_segmentation_is_strictly_above_the_threshold() -> None:
    found = segmentation(np.array([[0.9, 1.0, 1.1]], np.float32), 1.0)
    assert found.dtype == np.bool_
    assert found.tolist() == [[False, False, True]]


def test_contours_follow_the_edge_of_a_mask_of_another_size() -> None:
    image, mask = photograph(200, 300), np.zeros((100, 150), bool)
    mask[20:60, 40:100] = True
    before = image.copy()
    outlined = contour_overlay(image, mask, (255, 0, 0))
    changed = (outlined != image).any(axis=2)
    assert is_red(outlined[40, 90:180]).all()  # the upper edge, at twice the mask's size
    assert is_red(outlined[50:110, 80]).all()
    assert not changed[50:110, 92:188].any()  # the inside stays free to be looked at
    assert not changed[:34].any()
    assert (image == before).all()
    assert (contour_overlay(image, np.zeros((3, 3), bool), (255, 0, 0)) == image).all()


def test_holes_are_outlined_too() -> None:
    mask = np.ones((80, 80), bool)
    mask[30:50, 30:50] = False
    outlined = contour_overlay(np.full((80, 80, 3), 128, np.uint8), mask, (255, 0, 0))
    assert is_red(outlined[26:34, 40]).any()
    assert (outlined[40, 40] == 128).all()


@pytest.mark.parametrize(
    ("image", "anomaly_map", "low", "high"),
    [
        (photograph().astype(np.float32), np.zeros((4, 4), np.float32), 0, 1),
        (photograph()[..., 0], np.zeros((4, 4), np.float32), 0, 1),
        (photograph(), np.zeros((4, 4, 1), np.float32), 0, 1),
        (photograph(), np.zeros((4, 4), np.float32), 1, 1),
        (photograph(), np.zeros((4, 4), np.float32), 2, 1),
        (photograph(), np.zeros((4, 4), np.float32), float("nan"), 1),
    ],
)
def test_what_cannot_be_drawn_is_refused(image: Array, anomaly_map: Array, low: float, high: float) -> None:
    with pytest.raises(UsageError, match=r"cannot be drawn"):
        heatmap_overlay(image, anomaly_map, low, high)


def test_a_mask_that_is_no_picture_is_refused() -> None:
    with pytest.raises(UsageError, match="no outline"):
        contour_overlay(photograph(), np.zeros(5, bool), (255, 0, 0))
