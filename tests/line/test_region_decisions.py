"""Regions in full: contours, growth, merging, sizes beside those of good parts, verdicts, and decisions on all this."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as numpy_strategies

from blemish.core.conformal import Calibration
from blemish.core.errors import ArtifactError, UsageError
from blemish.core.types import Region, Verdict
from blemish.data.catalog import open_catalog
from blemish.data.sample_line import write_sample_line
from blemish.detectors.registry import create_detector
from blemish.line.artifact import array_content, read_artifact, write_artifact
from blemish.line.contours import MOST_POINTS
from blemish.line.decision import Decision
from blemish.line.inspection import Inspection
from blemish.line.pixel_decision import PixelDecision
from blemish.line.pixel_policy import PixelPolicy, changed_pixels, decided_pixels
from blemish.line.region_statistics import (
    LEVELS,
    NORMAL_AREAS,
    NORMAL_LEVELS,
    NORMAL_MAXIMA,
    RegionStatistics,
    area_curve,
    region_statistics,
)
from blemish.line.region_verdicts import judged_regions
from blemish.line.regions import anomalous_pixels, find_regions, peak_region
from blemish.line.runtime import Inspector
from blemish.making.build import build_inspector
from blemish.station.column_types import Regions

Map = np.ndarray[Any, Any]
MAPS = numpy_strategies.arrays(
    np.float32,
    numpy_strategies.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=14),
    elements=st.floats(0, 1, width=16),
)
SIDES = st.integers(1, 60)
LEVEL = st.floats(0, 1, width=16)
OLD_VALUES = [1, 2, 30, 40, 5.25]


def all_regions(anomaly_map: Map, pixels: PixelDecision, width: int, height: int) -> tuple[Region, ...]:
    return find_regions(anomaly_map, pixels, width, height, min_area=1, most=10_000)


def grown(threshold: float, low: float) -> PixelDecision:
    return PixelDecision(threshold=max(threshold, low), low=min(threshold, low))


def components(mask: Map) -> list[Map]:
    number, labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
    return [labels == label for label in range(1, number)]


# ---------------------------------------------------------------- figures of regions


@settings(max_examples=150)
@given(MAPS, LEVEL, SIDES, SIDES)
def test_a_contour_encloses_its_region_and_keeps_to_its_box(
    anomaly_map: Map, threshold: float, width: int, height: int
) -> None:
    rows, columns = anomaly_map.shape
    regions = all_regions(anomaly_map, PixelDecision(threshold=threshold), width, height)
    by_peak = sorted(components(anomaly_map > threshold), key=lambda one: -float(anomaly_map[one].max()))
    for region in regions:
        assert 3 <= len(region.contour) <= MOST_POINTS
        for x, y in region.contour:
            assert region.x <= x <= region.x + region.width <= width
            assert region.y <= y <= region.y + region.height <= height
    if len({float(anomaly_map[one].max()) for one in by_peak}) < len(by_peak):
        return  # which mask is whose cannot be told by peaks
    for region, mask in zip(regions, by_peak, strict=True):
        # In pixels of the map, so that "outside" means the same at any scale.
        contour = np.float32(region.contour) * np.float32([columns / width, rows / height])
        for row, column in np.argwhere(mask):
            middle = (float(column) + 0.5, float(row) + 0.5)
            assert cv2.pointPolygonTest(contour[:, None], middle, True) >= -0.02 * columns / width - 1e-3


@settings(max_examples=100)
@given(MAPS, LEVEL, LEVEL, SIDES, SIDES)
def test_areas_sum_up_and_peaks_lie_inside(
    anomaly_map: Map, threshold: float, low: float, width: int, height: int
) -> None:
    pixels = grown(threshold, low)
    regions = all_regions(anomaly_map, pixels, width, height)
    mask = anomalous_pixels(anomaly_map, pixels)
    assert sum(region.share or 0 for region in regions) == pytest.approx(mask.mean())
    assert sum(region.area or 0 for region in regions) == pytest.approx(mask.mean() * width * height)
    for region in (*regions, peak_region(anomaly_map, width, height)):
        assert region.peak is not None and region.mean is not None
        x, y = region.peak
        assert region.x <= x < region.x + region.width
        assert region.y <= y < region.y + region.height
        assert region.mean <= region.score + 1e-6


def test_a_square_on_a_photograph_of_ten_times_the_map_is_measured_exactly() -> None:
    anomaly_map = np.zeros((30, 40), np.float32)
    anomaly_map[10:16, 20:28] = 2
    anomaly_map[12, 25] = 3
    (region,) = find_regions(anomaly_map, 1.0, 400, 300)
    assert (region.x, region.y, region.width, region.height) == (200, 100, 80, 60)
    assert region.area == 4800 and region.share == 48 / 1200
    assert region.peak == (255, 125) and region.mean == pytest.approx((47 * 2 + 3) / 48)
    assert set(region.contour) == {(200, 100), (280, 100), (280, 160), (200, 160)}


def test_what_is_not_looked_at_is_in_no_region() -> None:
    anomaly_map = np.ones((8, 8), np.float32)
    counted = np.zeros((8, 8), np.bool_)
    counted[:, :4] = True
    (region,) = find_regions(anomaly_map, 0.5, 80, 80, counted=counted)
    assert region.area == 40 * 80 and region.share == 0.5 and region.width == 40


# ---------------------------------------------------------------- growth, merging, smallest


@settings(max_examples=120)
@given(MAPS, LEVEL, LEVEL)
def test_growth_keeps_exactly_the_areas_that_reach_above_the_threshold(
    anomaly_map: Map, threshold: float, low: float
) -> None:
    pixels = grown(threshold, low)
    expected = np.zeros(anomaly_map.shape, np.bool_)
    for area in components(anomaly_map > pixels.growth):
        if anomaly_map[area].max() > pixels.threshold:
            expected |= area
    found = anomalous_pixels(anomaly_map, pixels)
    assert np.array_equal(found, expected)
    assert found[anomaly_map > pixels.threshold].all(), "seeds are inside"


@settings(max_examples=100)
@given(MAPS, LEVEL, st.floats(0, 12), st.floats(0, 12))
def test_merging_only_joins_and_loses_nothing(
    anomaly_map: Map, threshold: float, one: float, other: float
) -> None:
    height, width = anomaly_map.shape
    near, far = sorted((one, other))
    counts = []
    for distance in (0.0, near, far):
        pixels = PixelDecision(threshold=threshold, merge_distance=distance)
        regions = all_regions(anomaly_map, pixels, width, height)
        counts.append(len(regions))
        assert sum(region.share or 0 for region in regions) == pytest.approx((anomaly_map > threshold).mean())
    assert counts == sorted(counts, reverse=True)


def test_merging_is_transitive_and_keeps_to_its_distance() -> None:
    anomaly_map = np.zeros((20, 90), np.float32)
    for place in range(5):
        anomaly_map[8:12, 10 * place : 10 * place + 6] = 1 + place  # 4 apart, each from the next
    anomaly_map[8:12, 80:84] = 9  # 34 from the last
    apart = PixelDecision(threshold=0.5)
    together = apart.model_copy(update={"merge_distance": 5.0})
    assert len(find_regions(anomaly_map, apart, 90, 20)) == 6
    alone, chain = find_regions(anomaly_map, together, 90, 20)
    assert (chain.x, chain.width, chain.share) == (0, 46, 120 / 1800) and chain.score == 5
    assert (alone.x, alone.width) == (80, 4)
    assert len(find_regions(anomaly_map, together, 180, 40)) == 6, "the distance is of the photograph"
    assert len(find_regions(anomaly_map, apart.model_copy(update={"merge_distance": 40.0}), 90, 20)) == 1
    assert 3 <= len(chain.contour) <= MOST_POINTS


def test_smaller_regions_are_not_reported_unless_nothing_else_is_left() -> None:
    anomaly_map = np.zeros((40, 40), np.float32)
    anomaly_map[5:8, 5:8] = 9  # 9 pixels of the map, 36 of the photograph
    anomaly_map[20:30, 20:30] = 2
    pixels = PixelDecision(threshold=1.0, smallest_side=6.0)
    assert [region.score for region in find_regions(anomaly_map, pixels, 80, 80)] == [9, 2]
    larger = pixels.model_copy(update={"smallest_side": 6.1})
    assert [region.score for region in find_regions(anomaly_map, larger, 80, 80)] == [2]
    none_left = pixels.model_copy(update={"smallest_side": 60.0})
    assert [region.score for region in find_regions(anomaly_map, none_left, 80, 80)] == [9]


def test_an_overlay_outlines_what_is_reported() -> None:
    anomaly_map = np.zeros((40, 40), np.float32)
    anomaly_map[5:8, 5:8] = 2
    anomaly_map[20:30, 20:30] = 2

    def overlay(smallest_side: float) -> Map:
        pixels = PixelDecision(threshold=1.0, smallest_side=smallest_side)
        regions = find_regions(anomaly_map, pixels, 400, 400)
        return Inspection(
            Verdict.REJECT, 2.0, 1.0, 0.01, anomaly_map, regions, 400, 400,
            pixels=pixels, map_scale=(0.0, 4.0), photograph=np.full((400, 400, 3), 90, np.uint8),
        ).overlay_pixels()  # fmt: skip

    changed = np.argwhere((overlay(0.0) != overlay(50.0)).any(axis=2))
    assert len(changed) and np.ptp(changed, axis=0).max() < 60, (
        "the outline of the speck is gone, and no more"
    )


# ---------------------------------------------------------------- sizes beside those of good parts


def statistics_of(maps: list[Map], groups: Map | None = None) -> RegionStatistics:
    curves = [area_curve(one) for one in maps]
    maxima = np.float32([one.max() for one in maps])
    return RegionStatistics(
        maxima, np.stack([c[0] for c in curves]), np.stack([c[1] for c in curves]), groups
    )


def exact_largest(anomaly_map: Map, level: float) -> float:
    return max((area.mean() for area in components(anomaly_map > level)), default=0.0)


@settings(max_examples=100)
@given(st.lists(MAPS, min_size=1, max_size=5), LEVEL)
def test_the_largest_areas_of_good_parts_are_never_underrated(maps: list[Map], level: float) -> None:
    statistics = statistics_of(maps)
    found = statistics.largest_areas(level).scores
    exact = np.sort([exact_largest(one, level) for one in maps])
    assert (found >= exact - 1e-6).all()
    for anomaly_map, levels, areas in zip(maps, statistics.levels, statistics.areas, strict=True):
        assert [exact_largest(anomaly_map, value) for value in levels] == pytest.approx(
            areas.tolist(), abs=1e-6
        )
        assert len(levels) == LEVELS and (np.diff(levels) >= 0).all() and (np.diff(areas) <= 0).all()


def smooth(rng: np.random.Generator, side: int = 48) -> Map:
    return np.asarray(cv2.GaussianBlur(rng.normal(size=(side, side)).astype(np.float32), (0, 0), 3))


def test_p_values_of_good_parts_keep_their_rate_and_those_of_large_defects_are_small() -> None:
    rng = np.random.default_rng(0)
    statistics = statistics_of([smooth(rng) for _ in range(150)])
    pixels = PixelDecision(threshold=0.2, low=0.15)
    normal = statistics.largest_areas(pixels.growth)
    found = [find_regions(smooth(rng), pixels, 480, 480, normal_areas=normal) for _ in range(400)]
    lowest = np.array([min((one.p_value or 1 for one in regions), default=1) for regions in found])
    for rate in (0.05, 0.1, 0.2):
        assert (lowest <= rate).mean() <= rate + 2.5 * np.sqrt(rate * (1 - rate) / 400)
    assert (lowest <= 0.2).mean() > 0.02, "and they tell something"
    defective = smooth(rng)
    defective[5:35, 5:35] += 1
    assert find_regions(defective, pixels, 480, 480, normal_areas=normal)[0].p_value == 1 / 151


def test_groups_of_good_parts_count_as_one_each() -> None:
    rng = np.random.default_rng(1)
    maps = [smooth(rng) for _ in range(12)]
    statistics = statistics_of(maps, np.repeat(np.arange(4), 3))
    assert statistics.calibration.n == statistics.largest_areas(0.1).n == 4
    assert statistics.calibration.p_value(100.0) == 1 / 5


# ---------------------------------------------------------------- verdicts


def decision(**changes: Any) -> Decision:
    given: dict[str, Any] = {
        "threshold": 3.0, "review_threshold": 2.0, "false_reject_rate": 0.01, "review_rate": 0.05,
        "expected": 0.01, "at_most": 0.03, "review_expected": 0.05,
        "pixels": PixelDecision(threshold=2.0), "made": datetime(2025, 1, 2, tzinfo=UTC),
    }  # fmt: skip
    return Decision(**given | changes)


def test_regions_are_judged_by_their_peaks_where_the_score_is_one_else_by_their_sizes() -> None:
    regions = [
        Region(0, 0, 9, 9, score, area=50.0, p_value=p_value)
        for score, p_value in ((3.5, 0.5), (2.5, 0.005), (1.0, 0.04), (9.0, None))
    ]
    by_peak = judged_regions(regions, decision(), True, None)
    assert [one.verdict for one in by_peak] == ["reject", "review", "pass", "reject"]
    by_size = judged_regions(regions, decision(), False, 0.1)
    assert [one.verdict for one in by_size] == ["pass", "reject", "review", None]
    assert by_size[0].square_millimetres == pytest.approx(0.5)
    by_hand = decision(
        rule="threshold", false_reject_rate=None, review_rate=None, expected=0.1, review_expected=0.6
    )
    assert [one.verdict for one in judged_regions(regions, by_hand, False, None)] == [
        "review", "reject", "reject", None,
    ]  # fmt: skip


# ---------------------------------------------------------------- decisions on regions


MAXIMA = Calibration(np.arange(1.0, 100.0))
BEFORE = PixelDecision(threshold=99.0, rate=0.01, low=99.0 * 0.7)


def test_another_rate_keeps_the_growth_and_the_sizes() -> None:
    before = BEFORE.model_copy(update={"smallest_side": 4.0})
    changed = changed_pixels(before, PixelPolicy(pixel_rate=0.1), 0.0, MAXIMA)
    assert changed.threshold == 90.0 and changed.rate == 0.1
    assert changed.low == pytest.approx(63.0) and changed.smallest_side == 4.0
    by_hand = changed_pixels(before, PixelPolicy(pixel_threshold=95.0), 0.0, MAXIMA)
    assert by_hand.threshold == 95.0 and by_hand.rate == pytest.approx(0.05)


def test_hysteresis_and_lengths_are_set_alone() -> None:
    assert changed_pixels(BEFORE, PixelPolicy(hysteresis=1.0), 9.0, None).low is None
    assert changed_pixels(BEFORE, PixelPolicy(hysteresis=0.5), 9.0, None).low == pytest.approx(54.0)
    lengths = PixelPolicy(smallest_region="0.4mm", merge_distance="10px")
    changed = changed_pixels(BEFORE, lengths, 0.0, None, millimetres=0.05)
    assert (changed.smallest_side, changed.merge_distance) == (pytest.approx(8.0), 10.0)
    assert (changed.threshold, changed.rate, changed.low) == (99.0, 0.01, pytest.approx(BEFORE.low))


@pytest.mark.parametrize(
    ("policy", "maxima", "said"),
    [
        (PixelPolicy(pixel_rate=0.001), MAXIMA, "the smallest that they can is 0.0100"),
        (PixelPolicy(pixel_rate=0.05), None, "fit it anew"),
        (PixelPolicy(pixel_rate=0.05, pixel_threshold=3.0), MAXIMA, "give one"),
        (PixelPolicy(smallest_region="0.4mm"), MAXIMA, "needs the scale"),
        (PixelPolicy(merge_distance="wide"), MAXIMA, "no length"),
    ],
)
def test_what_cannot_be_promised_or_meant_is_refused(
    policy: PixelPolicy, maxima: Calibration | None, said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        changed_pixels(BEFORE, policy, 0.0, maxima)


# ---------------------------------------------------------------- from a fit to a verdict


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """An inspector of washers photographed at 0.1 mm for each pixel, and a photograph with a blot."""
    folder = tmp_path_factory.mktemp("fitted")
    (root,) = write_sample_line(folder / "line", ("washer",), train=24, good=2, per_defect_type=1, size=128)
    path = folder / "washer.blemish"
    detector = create_detector("padim", size=96, scale="0.1mm/px")
    build_inspector(open_catalog(root), path, detector, folds=3)
    image = cv2.imread(str(root / "test" / "good" / "000.png"))
    image[40:64, 40:64] = (250, 20, 20)
    assert cv2.imwrite(str(folder / "blot.png"), image)
    return path, folder / "blot.png"


def test_a_fit_keeps_the_areas_of_good_parts_and_an_inspection_compares_with_them(
    fitted: tuple[Path, Path],
) -> None:
    inspector = Inspector.load(fitted[0])
    statistics, pixels = inspector.region_statistics, inspector.decision.pixels
    assert statistics is not None and len(statistics.maxima) == len(inspector.calibration.scores)
    assert pixels.rate == pytest.approx(statistics.calibration.smallest_rate)
    assert pixels.threshold == statistics.maxima.max()
    assert (pixels.low, pixels.smallest_side, pixels.merge_distance) == (None, 0, 0), "off by default"
    inspection = inspector.inspect(fitted[1])
    assert inspection.verdict is Verdict.REJECT
    region = inspection.regions[0]
    assert region.p_value == 1 / (statistics.calibration.n + 1)
    assert region.area is not None and region.square_millimetres == pytest.approx(region.area * 0.01)
    document = inspection.to_json()["regions"][0]
    assert document["contour"] == [list(point) for point in region.contour]
    assert document["verdict"] == region.verdict and document["p_value"] == region.p_value


def test_a_decision_on_regions_is_in_effect_without_a_fit(fitted: tuple[Path, Path], tmp_path: Path) -> None:
    artifact = read_artifact(fitted[0])
    statistics = region_statistics(artifact)
    assert statistics is not None
    policy = PixelPolicy(pixel_rate=0.2, hysteresis=0.6, smallest_region="0.5mm")
    changed = decided_pixels(
        artifact.manifest, statistics.calibration, policy, by="anna", note="fewer specks"
    )
    before, after = artifact.manifest.decision, changed.decision
    assert (after.version, after.by, after.note) == (before.version + 1, "anna", "fewer specks")
    assert (after.threshold, after.review_threshold) == (before.threshold, before.review_threshold)
    assert after.pixels.low is not None and after.pixels.low < after.pixels.threshold
    assert after.pixels.smallest_side == pytest.approx(5.0)
    assert after.pixels.threshold < before.pixels.threshold
    path = tmp_path / "changed.blemish"
    write_artifact(path, changed, artifact.members)
    found = Inspector.load(path).inspect(fitted[1])
    assert found.pixels == after.pixels and all((one.area or 0) >= 25 for one in found.regions)
    assert np.count_nonzero(found.anomalous_pixels()) > np.count_nonzero(
        found.anomaly_map > after.pixels.threshold
    )
    with pytest.raises(UsageError, match="Nothing is asked for"):
        decided_pixels(artifact.manifest, statistics.calibration, PixelPolicy())


def test_regions_are_decided_on_by_command_and_in_python_alike(
    blemish: Callable[..., Any], fitted: tuple[Path, Path], tmp_path: Path
) -> None:
    path = tmp_path / "washer.blemish"
    asked = ("--pixel-rate", 0.2, "--smallest-region", "0.5mm", "--merge-distance", "6px")
    outcome = blemish("decide", fitted[0], *asked, "--false-reject-rate", 0.1, "--out", path, "--json")
    assert outcome.status == 0, outcome.stderr
    now, before = outcome.document["decision"], outcome.document["before"]
    assert (now["version"], before["version"]) == (2, 1) and now["false_reject_rate"] == 0.1
    assert now["pixels"]["rate"] == 0.2 and now["pixels"]["smallest_side"] == pytest.approx(5)
    lengths = {"smallest_region": "0.5mm", "merge_distance": "6px"}
    inspector = Inspector.load(fitted[0]).decide(pixel_rate=0.2, false_reject_rate=0.1, **lengths)
    assert inspector.decision.pixels.model_dump() == {"low": None, **now["pixels"]}
    shown = blemish("decide", path).stdout
    assert "20.00% of good parts" in shown and "5 x 5 pixels" in shown
    undone = blemish("decide", path, "--undo", "--json").document["decision"]
    assert undone["pixels"] == before["pixels"]
    refused = blemish("decide", path, "--pixel-rate", 0.001)
    assert refused.status == 2 and "the smallest that they can" in refused.stderr
    refused = blemish("decide", path, "--undo", "--pixel-rate", 0.2)
    assert refused.status == 2 and "nothing else" in refused.stderr
    with pytest.raises(UsageError, match="hysteresis 2"):
        inspector.decide(hysteresis=2)


def test_an_older_inspector_has_no_p_values_and_judges_as_before(
    fitted: tuple[Path, Path], tmp_path: Path
) -> None:
    artifact = read_artifact(fitted[0])
    kept = {name: one for name, one in artifact.members.items() if name not in (NORMAL_MAXIMA, NORMAL_AREAS)}
    path = tmp_path / "older.blemish"
    write_artifact(path, artifact.manifest, kept)
    older, newer = (Inspector.load(one).inspect(fitted[1]) for one in (path, fitted[0]))
    assert older.regions and all(one.p_value is None for one in older.regions)
    assert (older.score, older.verdict) == (newer.score, newer.verdict)
    assert [one.contour for one in older.regions] == [one.contour for one in newer.regions]


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        (NORMAL_MAXIMA, lambda array: array[:-1]),
        (NORMAL_MAXIMA, lambda array: array.astype(np.float64)),
        (NORMAL_MAXIMA, lambda array: np.full_like(array, np.nan)),
        (NORMAL_LEVELS, lambda array: array[:, ::-1]),
        (NORMAL_LEVELS, lambda array: array[:, 1:]),
        (NORMAL_AREAS, lambda array: array + 1),
        (NORMAL_AREAS, lambda array: array[:, ::-1]),
    ],
)
def test_damaged_areas_are_refused(fitted: tuple[Path, Path], tmp_path: Path, name: str, damage: Any) -> None:
    artifact = read_artifact(fitted[0])
    members = artifact.members | {name: array_content(damage(artifact.array(name)))}
    path = tmp_path / "damaged.blemish"
    write_artifact(path, artifact.manifest, members)
    with pytest.raises(ArtifactError, match=f"{name} is not"):
        region_statistics(read_artifact(path))


# ---------------------------------------------------------------- the log


FULL = Region(
    1, 2, 30, 40, 5.25, 88.5, 0.125, (7, 9), 3.5, ((1.0, 2.0), (31.0, 2.25), (31.0, 42.0)), 0.01, Verdict.REVIEW, 0.5
)  # fmt: skip


@pytest.mark.parametrize(
    "region",
    [
        Region(1, 2, 30, 40, 5.25),
        FULL,
        replace(FULL, p_value=None, square_millimetres=None),
        replace(FULL, contour=(), verdict=None, square_millimetres=None),
    ],
)
def test_the_log_gives_regions_back_as_they_were(region: Region) -> None:
    column: Any = Regions()
    stored = json.loads(json.dumps(column.process_bind_param((region,), None)))
    assert column.process_result_value(stored, None) == (region,)


def test_rows_of_older_and_of_newer_versions_are_read() -> None:
    column: Any = Regions()
    assert column.process_result_value([OLD_VALUES], None) == (Region(1, 2, 30, 40, 5.25),)
    assert column.process_bind_param((Region(1, 2, 30, 40, 5.25),), None) == [OLD_VALUES]
    newer = [*column.process_bind_param((FULL,), None)[0], "of another version"]
    assert column.process_result_value([newer], None) == (FULL,)
