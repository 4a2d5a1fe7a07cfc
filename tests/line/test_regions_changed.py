"""What the log tells of regions under another decision is what the map tells; where it cannot tell, it says so."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blemish.core.conformal import Calibration
from blemish.core.types import FloatArray, Region, Verdict
from blemish.line.decision import Decision
from blemish.line.pixel_decision import PixelDecision
from blemish.line.region_verdicts import judged_regions
from blemish.line.regions import find_regions, peak_region
from blemish.line.regions_changed import NO_VERDICT, NOT_SHOWN, RegionsAfter, Unknown, regions_after

SIDE, SCALE = 24, 3
AREAS = Calibration(np.sort(np.random.default_rng(1).random(40).astype(np.float32) * 0.2))
PIXELS = st.builds(
    PixelDecision,
    threshold=st.sampled_from([1.0, 1.5, 2.0, 3.0]),
    low=st.sampled_from([None, None, 0.5, 1.0]),
    smallest_side=st.sampled_from([0.0, 6.0, 9.0, 13.0]),
    merge_distance=st.sampled_from([0.0, 0.0, 9.0]),
)


def decided(threshold: float, review: float, pixels: PixelDecision) -> Decision:
    return Decision(
        rule="threshold", threshold=threshold, review_threshold=min(threshold, review), expected=0.05, at_most=0.2,
        review_expected=0.3, pixels=pixels, made=datetime(2026, 1, 2, tzinfo=UTC),
    )  # fmt: skip


def drawn(seed: int, spots: int) -> FloatArray:
    """A map with some spots of different heights and sizes."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:SIDE, :SIDE]
    made = rng.random((SIDE, SIDE)) * 0.3
    for _ in range(spots):
        row, column = rng.integers(SIDE, size=2)
        height, width = rng.uniform(0.6, 4), rng.uniform(0.6, 3)
        made = np.maximum(
            made, height * np.exp(-((rows - row) ** 2 + (columns - column) ** 2) / (2 * width**2))
        )
    return made.astype(np.float32)


def found(anomaly_map: FloatArray, decision: Decision, by_peak: bool) -> tuple[Region, ...]:
    """The regions of a part that is shown some, as an inspector finds them."""
    size = SIDE * SCALE
    regions = find_regions(anomaly_map, decision.pixels, size, size, normal_areas=AREAS)
    regions = regions or (peak_region(anomaly_map, size, size),)
    return judged_regions(regions, decision, by_peak, None)


@settings(max_examples=300)
@given(
    seed=st.integers(0, 999), spots=st.integers(1, 6), before=PIXELS, after=PIXELS, by_peak=st.booleans(),
    thresholds=st.tuples(st.sampled_from([1.2, 2.5]), st.sampled_from([0.8, 2.0])),
)  # fmt: skip
def test_what_the_log_tells_is_what_the_map_tells(
    seed: int,
    spots: int,
    before: PixelDecision,
    after: PixelDecision,
    by_peak: bool,
    thresholds: tuple[float, float],
) -> None:
    anomaly_map = drawn(seed, spots)
    old, new = decided(2.0, 1.0, before), decided(*thresholds, after)
    score = float(anomaly_map.max()) if by_peak else 0.3
    logged, now = found(anomaly_map, old, by_peak), found(anomaly_map, new, by_peak)
    said = regions_after(logged, score, (True, True), old, new, by_peak)
    if isinstance(said, Unknown):
        assert before != after
        return
    assert [turn[0] for turn in said.turns] == [str(one.verdict or NO_VERDICT) for one in logged]
    assert said.peak_alone == (float(anomaly_map.max()) <= after.threshold)
    shown = [verdict for _, verdict in said.turns if verdict != NOT_SHOWN]
    assert shown == [str(one.verdict or NO_VERDICT) for one in now]
    if not said.peak_alone:
        kept = [one for one, (_, verdict) in zip(logged, said.turns, strict=True) if verdict != NOT_SHOWN]
        assert [(one.peak, one.area, one.p_value) for one in kept] == [
            (one.peak, one.area, one.p_value) for one in now
        ]


OLD = PixelDecision(threshold=2.0, low=1.0)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, [3, 2.5, 2.2]),
        ({"threshold": 2.4}, [3, 2.5]),
        ({"smallest_side": 5.0}, [3, 2.2]),
        ({"threshold": 9.0, "low": None}, [3]),
        ({"threshold": 1.5}, Unknown.LOWER),
        ({"threshold": 2.4, "low": None}, Unknown.CUT),
        ({"merge_distance": 4.0}, Unknown.MERGED),
    ],
)
def test_which_are_told_and_why_others_are_not(
    changes: dict[str, float | None], told: list[float] | Unknown
) -> None:
    heights = {3.0: 60.0, 2.5: 9.0, 2.2: 40.0}
    regions = [
        Region(0, 0, 9, 9, score, area, 0.1, verdict=Verdict.REJECT) for score, area in heights.items()
    ]
    before, after = decided(1.0, 1.0, OLD), decided(1.0, 1.0, OLD.model_copy(update=changes))
    said = regions_after(regions, 3.0, (True, True), before, after, True)
    if isinstance(told, Unknown):
        assert said is told
    else:
        assert isinstance(said, RegionsAfter)
        shown = [one.score for one, turn in zip(regions, said.turns, strict=True) if turn[1] != NOT_SHOWN]
        assert shown == told and said.peak_alone == (changes.get("threshold") == 9.0)


def test_of_a_part_that_passed_nothing_is_known_and_of_one_that_passes_all_is() -> None:
    decision = decided(1.0, 1.0, OLD)
    assert regions_after((), 0.5, (False, True), decision, decision, True) is Unknown.PASSED
    assert regions_after((), 0.5, (False, False), decision, decision, True) == RegionsAfter(())
    (region,) = judged_regions([Region(0, 0, 9, 9, 3.0)], decision, True, None)
    hidden = regions_after([region], 3.0, (True, False), decision, decided(9.0, 9.0, OLD), True)
    assert hidden == RegionsAfter((("reject", NOT_SHOWN),))
    older = regions_after([Region(0, 0, 9, 9, 3.0)], 3.0, (True, True), decision, decided(
        1.0, 1.0, OLD.model_copy(update={"smallest_side": 5.0})
    ), True)  # fmt: skip
    assert older is Unknown.OLDER
