"""Regions: every anomalous area is found once, and its box lies where it is on the photograph."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as numpy_strategies

from blemish.core.errors import UsageError
from blemish.core.types import Region
from blemish.line.regions import find_regions, peak_region

Map = np.ndarray[Any, Any]
MAPS = numpy_strategies.arrays(
    np.float32,
    numpy_strategies.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=12),
    elements=st.floats(0, 1, width=16),
)
SIDES = st.integers(1, 40)


def box_and_score(region: Region) -> tuple[float, ...]:
    return region.x, region.y, region.width, region.height, region.score


def flood(mask: Map) -> Iterator[set[tuple[int, int]]]:
    """Connected areas by plain search over the 8 neighbours: the second implementation."""
    left = {(int(row), int(column)) for row, column in np.argwhere(mask)}
    while left:
        area, front = set(), [left.pop()]
        while front:
            row, column = front.pop()
            area.add((row, column))
            near = {(row + down, column + across) for down in (-1, 0, 1) for across in (-1, 0, 1)} & left
            left -= near
            front += near
        yield area


@settings(max_examples=120, deadline=None)
@given(MAPS, st.floats(0, 1, width=16), st.integers(1, 6))
def test_the_regions_are_those_of_a_plain_search(anomaly_map: Map, threshold: float, min_area: int) -> None:
    height, width = anomaly_map.shape
    found = find_regions(anomaly_map, threshold, width, height, min_area=min_area, most=1000)
    expected = []
    for area in flood(anomaly_map > threshold):
        rows, columns = zip(*area, strict=True)
        score = max(float(anomaly_map[place]) for place in area)
        box = (min(columns), min(rows), max(columns) - min(columns) + 1, max(rows) - min(rows) + 1)
        expected.append(((*box, score), len(area)))
    large = [region for region, size in expected if size >= min_area]
    best = max((region[4] for region, _ in expected), default=None)
    assert [region.score for region in found] == sorted((region.score for region in found), reverse=True)
    assert set(large) <= set(map(box_and_score, found)) <= {region for region, _ in expected}
    assert len(found) - len(large) in (0, 1)
    assert bool(found) == bool((anomaly_map > threshold).any())
    if found:
        assert found[0].score == best == anomaly_map.max()


@settings(max_examples=120, deadline=None)
@given(MAPS, st.floats(0, 1, width=16), SIDES, SIDES)
def test_boxes_lie_in_a_photograph_of_any_size_and_cover_their_pixels(
    anomaly_map: Map, threshold: float, width: int, height: int
) -> None:
    rows, columns = anomaly_map.shape
    regions = find_regions(anomaly_map, threshold, width, height, min_area=1, most=1000)
    for region in (*regions, peak_region(anomaly_map, width, height)):
        assert region.width >= 1
        assert region.height >= 1
        assert 0 <= region.x <= region.x + region.width <= width
        assert 0 <= region.y <= region.y + region.height <= height
    for row, column in np.argwhere(anomaly_map > threshold):
        x, y = (column + 0.5) * width / columns, (row + 0.5) * height / rows
        assert any(
            region.x <= x <= region.x + region.width and region.y <= y <= region.y + region.height
            for region in regions
        )


def bump(shape: tuple[int, int], row: float, column: float, sigma: float, height: float) -> Map:
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    distance = ((rows - row) ** 2 + (columns - column) ** 2) / sigma**2
    return np.asarray(height * np.exp(-distance / 2), np.float32)


def test_two_defects_on_a_wide_photograph_are_boxed_where_they_are() -> None:
    anomaly_map = bump((100, 100), 20, 30, 4, 3.0) + bump((100, 100), 70, 80, 6, 2.0)
    first, second = find_regions(anomaly_map, 1.0, width=1000, height=500)
    assert first.score == pytest.approx(3.0, abs=1e-3)
    assert second.score == pytest.approx(2.0, abs=1e-3)
    for region, centre, sigma, height in [(first, (305, 102.5), 4, 3), (second, (805, 352.5), 6, 2)]:
        reach = sigma * np.sqrt(2 * np.log(height))
        assert region.x + region.width / 2 == pytest.approx(centre[0], abs=6)
        assert region.y + region.height / 2 == pytest.approx(centre[1], abs=3)
        assert region.width == pytest.approx(2 * reach * 10, abs=20)
        assert region.height == pytest.approx(2 * reach * 5, abs=10)


def test_pixels_that_touch_at_a_corner_are_one_region() -> None:
    anomaly_map = np.eye(6, dtype=np.float32)
    (region,) = find_regions(anomaly_map, 0.5, 6, 6)
    assert box_and_score(region) == (0, 0, 6, 6, 1.0)


def test_a_map_at_the_threshold_everywhere_has_no_region() -> None:
    assert find_regions(np.full((5, 5), 0.1, np.float32), float(np.float32(0.1)), 50, 50) == ()


def test_only_the_highest_are_kept_and_specks_are_left_out_but_for_the_peak() -> None:
    anomaly_map = np.zeros((40, 40), np.float32)
    for number in range(9):
        anomaly_map[4 * number : 4 * number + 2, :2] = 1 + number
    anomaly_map[0, 30] = 5.5  # a speck
    scores = [region.score for region in find_regions(anomaly_map, 0.5, 40, 40, most=4)]
    assert scores == [9, 8, 7, 6]
    assert len(find_regions(anomaly_map, 0.5, 40, 40)) == 9
    assert len(find_regions(anomaly_map, 0.5, 40, 40, min_area=1)) == 10
    anomaly_map[0, 30] = 50
    assert box_and_score(find_regions(anomaly_map, 0.5, 40, 40)[0]) == (30, 0, 1, 1, 50.0)


def test_the_peak_is_boxed_at_half_its_height() -> None:
    anomaly_map = 0.2 + bump((64, 64), 40, 12, 5, 1.0) + bump((64, 64), 10, 50, 5, 0.8)
    region = peak_region(anomaly_map, 128, 256)
    width = 2 * 5 * np.sqrt(2 * np.log(2))  # full width at half maximum of a Gaussian
    assert region.score == pytest.approx(1.2, abs=1e-3)
    assert region.x + region.width / 2 == pytest.approx(25, abs=2)
    assert region.y + region.height / 2 == pytest.approx(162, abs=4)
    assert region.width == pytest.approx(2 * width, abs=4)
    assert region.height == pytest.approx(4 * width, abs=8)


@settings(max_examples=60, deadline=None)
@given(MAPS, SIDES, SIDES)
def test_the_peak_lies_in_its_region(anomaly_map: Map, width: int, height: int) -> None:
    region = peak_region(anomaly_map, width, height)
    row, column = np.unravel_index(anomaly_map.argmax(), anomaly_map.shape)
    assert region.score == anomaly_map.max()
    assert region.x <= (column + 0.5) * width / anomaly_map.shape[1] <= region.x + region.width
    assert region.y <= (row + 0.5) * height / anomaly_map.shape[0] <= region.y + region.height


def test_a_flat_map_points_at_the_whole_photograph() -> None:
    region = peak_region(np.full((4, 4), 0.3, np.float32), 70, 50)
    assert box_and_score(region) == (0, 0, 70, 50, np.float32(0.3))


@pytest.mark.parametrize(
    ("anomaly_map", "width"),
    [
        (np.zeros((2, 2, 1), np.float32), 5),
        (np.zeros((0, 4), np.float32), 5),
        (np.full((2, 2), np.nan, np.float32), 5),
        (np.full((2, 2), np.inf, np.float32), 5),
        (np.zeros((2, 2), np.float32), 0),
    ],
)
def test_what_is_no_map_or_no_photograph_is_refused(anomaly_map: Map, width: int) -> None:
    with pytest.raises(UsageError, match="has no regions"):
        find_regions(anomaly_map, 0.5, width, 5)
    with pytest.raises(UsageError, match="has no regions"):
        peak_region(anomaly_map, width, 5)
    with pytest.raises(UsageError, match="choose 1 or more"):
        find_regions(np.zeros((2, 2), np.float32), 0.5, 5, 5, most=0)
