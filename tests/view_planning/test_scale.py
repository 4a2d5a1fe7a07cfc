"""The input planned from the smallest defect and from a budget: what is seen, what is refused, what is said."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blemish.core.errors import UsageError
from blemish.detectors.memory.patchcore import PatchCore
from blemish.detectors.registry import create_detector
from blemish.view.quantities import budget_seconds, defect_pixels, in_pixels, millimetres_per_pixel
from blemish.view_planning.plan import ViewOptions, plan_view
from blemish.view_planning.scale import MOST_ENLARGED, MOST_TILED, MOST_WHOLE, Reading, plan_scale
from blemish.view_planning.sides import LONGEST_SIDE, Sides, input_shape

READING = Reading("patchcore", 448, tiles=True)
photographs = st.tuples(st.integers(64, 12000), st.integers(64, 12000)).filter(lambda s: s[0] * s[1] <= 10**8)


@given(photographs, st.floats(8, 60), st.sampled_from([4, 8, 16]), st.booleans())
def test_a_defect_covers_two_patches_or_the_plan_says_that_it_does_not(
    photograph: tuple[int, int], defect: float, stride: int, tiles: bool
) -> None:
    reading = replace(READING, stride=stride, tiles=tiles)
    plan = plan_scale(photograph, reading, defect)
    sides = plan.sides
    covered = min(defect * sides.width / photograph[0], defect * sides.height / photograph[1])
    said = "not surely seen" in plan.reasons[0]
    assert said == (covered < 2 * stride * 0.999)
    assert plan.smallest_defect == pytest.approx(2 * stride * defect / covered)
    if said:  # and then why
        assert len(plan.reasons) == 2
    assert sides.height % 32 == sides.width % 32 == 0
    assert max(sides.height, sides.width) <= LONGEST_SIDE
    # Of a sliver the shortest side that a network reads may pass a limit a little.
    assert sides.height * sides.width <= max(MOST_TILED if tiles else MOST_WHOLE, 64 * LONGEST_SIDE)
    assert bool(sides.tile) == (tiles and sides.height * sides.width > MOST_WHOLE)


@given(photographs, st.integers(4, 32))
def test_the_usual_input_keeps_the_shape_of_the_photograph(photograph: tuple[int, int], units: int) -> None:
    sides = input_shape(photograph, 32 * units)
    stretched = (sides.width / sides.height) / (photograph[0] / photograph[1])
    long = max(sides.width, sides.height)
    if min(sides.width, sides.height) > 64 and long < LONGEST_SIDE:
        assert abs(np.log(stretched)) <= 16.5 / (long - 16)


@given(photographs, st.floats(1, 200), st.floats(1, 200))
def test_a_smaller_defect_never_asks_for_fewer_pixels(
    photograph: tuple[int, int], one: float, other: float
) -> None:
    small, large = sorted((min(one, *photograph), min(other, *photograph)))
    areas = [
        plan.sides.height * plan.sides.width
        for plan in (plan_scale(photograph, READING, small), plan_scale(photograph, READING, large))
    ]
    assert areas[0] >= areas[1]


def test_photographs_are_not_enlarged_without_end() -> None:
    plan = plan_scale((512, 512), READING, 3)
    assert plan.sides == Sides(1024, 1024)
    assert plan.smallest_defect == 16 / MOST_ENLARGED
    assert "8 pixels" in plan.reasons[0] and "enlarged 2 times at most" in plan.reasons[1]


def test_a_line_scan_is_not_distorted() -> None:
    plan = plan_scale((8192, 300), READING, 14)
    assert plan.sides.width / plan.sides.height == pytest.approx(8192 / 300, rel=0.03)
    assert plan.smallest_defect <= 14


def test_a_detector_that_reads_squares_says_which_size_would_do() -> None:
    plan = plan_scale((4000, 3000), replace(READING, name="autoencoder", size=256, any_shape=False), 100)
    assert plan.sides == Sides(256, 256)
    assert "size=640" in plan.reasons[1]
    larger = replace(READING, size=640, any_shape=False)
    assert "as asked" in plan_scale((4000, 3000), larger, 100).reasons[0]


@given(st.floats(0.02, 3), st.floats(1e-8, 1e-6), st.floats(0, 0.015), st.floats(-0.1, 0.3))
def test_a_budget_is_kept_and_made_use_of(budget: float, each: float, fixed: float, bend: float) -> None:
    def seconds(sides: Sides) -> float:
        area = sides.height * sides.width
        return fixed + each * area * (area / 150_000) ** bend

    try:
        plan = plan_scale((4000, 3000), READING, 14, budget, seconds)
    except UsageError as error:
        assert "cannot be kept" in str(error) and seconds(Sides(96, 128)) > budget
        return
    assert seconds(plan.sides) <= budget
    most = plan_scale((4000, 3000), READING, 14).sides
    if plan.sides != most:
        assert "which a larger input would pass" in plan.reasons[-1]
        assert in_pixels(plan.smallest_defect) in plan.reasons[0]
        # Steps of an input are 32 pixels, so a small one uses its budget less well.
        wider = Sides(int(plan.sides.height * 1.5) + 64, int(plan.sides.width * 1.5) + 64)
        assert seconds(wider) > budget


def test_without_a_budget_nothing_is_measured() -> None:
    def never(sides: Sides) -> float:
        raise AssertionError(sides)

    assert plan_scale((4000, 3000), READING, None, None, never).sides == Sides(384, 512)


@pytest.mark.parametrize(
    ("defect", "scale", "pixels"),
    [
        ("12px", "", 12),
        (" 12.5 PX ", "", 12.5),
        ("0.4mm", "0.05mm/px", 8),
        ("400um", "50µm/px", 8),
        ("400µm", "20px/mm", 8),
        ("12px", "0.05mm/px", 12),
    ],
)
def test_lengths_are_read_as_people_write_them(defect: str, scale: str, pixels: float) -> None:
    assert defect_pixels(defect, scale) == pytest.approx(pixels)


@pytest.mark.parametrize(
    ("defect", "scale", "way_out"),
    [
        ("0.4mm", "", "scale=0.05mm/px"),
        ("14", "", "12px, 0.4mm"),
        ("many px", "", "12px, 0.4mm"),
        ("-3px", "", "12px, 0.4mm"),
        ("3 inch", "0.05mm/px", "12px, 0.4mm"),
        ("0.4px", "", "under one"),
        ("12px", "0.05", "0.05mm/px"),
        ("12px", "0mm/px", "0.05mm/px"),
    ],
)
def test_what_is_no_length_is_refused_with_the_way_out(defect: str, scale: str, way_out: str) -> None:
    with pytest.raises(UsageError, match=r"smallest_defect=|scale=") as refused:
        defect_pixels(defect, scale)
    assert way_out in str(refused.value)


def test_times_are_read_as_people_write_them() -> None:
    assert (budget_seconds("60ms"), budget_seconds("0.5 s"), budget_seconds("")) == (0.06, 0.5, None)
    assert millimetres_per_pixel("") is None
    for wrong in ("60", "0ms", "fast", "1h"):
        with pytest.raises(UsageError, match=r"60ms or 0\.5s"):
            budget_seconds(wrong)


def test_a_defect_larger_than_the_photograph_is_refused() -> None:
    with pytest.raises(UsageError, match="larger than the photographs"):
        plan_scale((400, 300), READING, 301)


@pytest.fixture(scope="module")
def plates(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """JPEG photographs of 1280 x 960 pixels."""
    folder, rng = tmp_path_factory.mktemp("plates"), np.random.default_rng(3)
    paths = [folder / f"{number}.jpg" for number in range(4)]
    for path in paths:
        cv2.imwrite(str(path), cv2.resize(rng.integers(0, 255, (60, 80, 3), np.uint8), (1280, 960)))
    return paths


def test_what_was_planned_stands_in_the_view(plates: list[Path]) -> None:
    detector = PatchCore(size=128, smallest_defect="1.6mm", scale="0.05mm/px", taps=(8,))
    planned = detector.plan_view(plates)
    assert (planned.width, planned.height) == (640, 480)
    view = planned.view
    assert view is not None and not view.reduced and view.tile == 0
    assert (view.scale, view.stride, view.smallest_defect) == (2, 8, 32)
    assert view.reasons[0].startswith("1280 x 960 pixels are looked at as 640 x 480")
    assert PatchCore(size=128, smallest_defect="32px", taps=(16,)).plan_view(plates).width == 1280
    assert view.key == ""  # nothing of this changes a pixel


def test_the_planned_budget_is_measured_on_this_machine(plates: list[Path]) -> None:
    few = [plates[0].parent / f"small{number}.png" for number in range(2)]
    for number, path in enumerate(few):
        cv2.imwrite(str(path), cv2.resize(cv2.imread(str(plates[number])), (200, 150)))
    detector = PatchCore(size=128, weights="random", coreset_size=20, taps=(8,), budget="5s")
    view = detector.plan_view(few).view
    assert view is not None and "of the 5 s allowed are taken on this machine" in view.reasons[-1]
    with pytest.raises(UsageError, match="cannot be kept: even 128 x 96 pixels take"):
        detector.set_params(budget="0.01ms").plan_view(few)


def test_a_square_network_says_what_it_sees(plates: list[Path]) -> None:
    planned = create_detector("cae", size=128, smallest_defect="40px").plan_view(plates)
    assert (planned.height, planned.width) == (128, 128)
    assert planned.view is not None and "squares of its size alone: size=512" in planned.view.reasons[1]
    assert plan_view(plates, Reading("autoencoder", 352, any_shape=False), ViewOptions()).view is None
