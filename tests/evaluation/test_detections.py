"""Regions against the regions of masks: average precision, agreeing with a second implementation."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blemish.core.types import Region
from blemish.evaluation.detections import average_precision, boxes_of, measure_detections, overlaps

Box = tuple[int, int, int, int]
box = st.tuples(*[st.integers(0, 12)] * 2, *[st.integers(1, 8)] * 2)
image = st.tuples(st.lists(box, max_size=4), st.lists(st.tuples(box, st.integers(0, 6)), max_size=5))


def region(place: Box, score: float) -> Region:
    return Region(*place, score=score)


def as_pixels(place: Box) -> set[tuple[int, int]]:
    x, y, width, height = place
    return {(column, row) for column in range(x, x + width) for row in range(y, y + height)}


def plain_average_precision(true: list[list[Box]], found: list[list[tuple[Box, int]]], bound: float) -> float:
    """The definition, counted pixel by pixel and without numpy."""
    ranked = [(-score, number, place) for number, places in enumerate(found) for place, score in places]
    free = [set(range(len(places))) for places in true]
    right = []
    for _, number, place in sorted(ranked, key=lambda one: one[:2]):
        shares = [
            len(as_pixels(place) & as_pixels(other)) / len(as_pixels(place) | as_pixels(other))
            for other in true[number]
        ]
        best = shares.index(max(shares)) if shares else -1
        hit = best in free[number] and shares[best] >= bound
        free[number] -= {best} if hit else set()
        right.append(hit)
    area, n_true = 0.0, sum(map(len, true))
    for place, hit in enumerate(right):
        later = [sum(right[: end + 1]) / (end + 1) for end in range(place, len(right))]
        area += max(later) / n_true if hit else 0
    return area


@given(st.lists(image, min_size=1, max_size=4), st.sampled_from([0.1, 0.3, 0.5]))
def test_it_agrees_with_the_definition(images: list[Any], bound: float) -> None:
    true = [places for places, _ in images]
    found = [places for _, places in images]
    arrays = [np.array(places, np.int64).reshape(-1, 4) for places in true]
    regions = [[region(place, score) for place, score in places] for places in found]
    measured = average_precision(arrays, regions, bound)
    if not any(true):
        assert math.isnan(measured) and measure_detections(arrays, regions) is None
    else:
        assert measured == pytest.approx(plain_average_precision(true, found, bound))
        assert 0 <= measured <= 1


@given(box, box)
def test_overlap_is_of_pixels(first: Box, second: Box) -> None:
    shared, either = as_pixels(first) & as_pixels(second), as_pixels(first) | as_pixels(second)
    (measured,) = overlaps(region(first, 1), np.array([second]))
    assert measured == pytest.approx(len(shared) / len(either))


def test_regions_of_a_mask_are_its_connected_areas() -> None:
    mask = np.zeros((20, 30), bool)
    mask[2:5, 3:9] = mask[10, 10] = mask[11, 11] = True
    assert boxes_of(mask).tolist() == [[3, 2, 6, 3], [10, 10, 2, 2]]
    assert boxes_of(np.zeros((4, 4), bool)).shape == (0, 4)


def test_false_regions_of_good_parts_cost_precision() -> None:
    true = [np.array([[0, 0, 10, 10]]), np.empty((0, 4), np.int64)]
    hit, false = [region((0, 0, 10, 10), 2.0)], [region((5, 5, 3, 3), 3.0)]
    alone = measure_detections(true, [hit, []])
    beside = measure_detections(true, [hit, false])
    assert alone is not None and alone.average_precision == (1.0, 1.0)
    assert beside is not None and beside.average_precision == (0.5, 0.5)
    # Twice at one place is once too often.
    assert average_precision(true, [[*hit, region((0, 0, 10, 9), 3.0)], []], 0.5) == 1.0
    assert average_precision([true[0]], [[region((0, 0, 10, 4), 3.0), *hit]], 0.5) == 0.5


def test_evaluate_measures_detections(
    blemish: Callable[..., Any], washers: Path, fitted: Path, tmp_path: Path
) -> None:
    outcome = blemish("evaluate", fitted, washers, "--out", tmp_path, "--json")
    figures = outcome.document
    assert figures["true_regions"] >= figures["n_anomalous"] > 0
    assert 0 <= figures["detection_ap_50"] <= figures["detection_ap_10"] <= 1
    assert figures["detection_ap_10"] > 0
    page = next(tmp_path.rglob("*.html")).read_text("utf-8")
    assert "Boxes found" in page and f"{figures['detection_ap_10']:.3f}" in page
