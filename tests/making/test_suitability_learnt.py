"""Limits that are learnt of good photographs: they hold on these, and in as many others as is stated."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from blemish.core.types import FloatArray
from blemish.data.catalog import open_catalog
from blemish.detectors.registry import create_detector
from blemish.line.photograph_measures import COLUMNS, DESCRIPTIONS, FIGURES, measures_of
from blemish.line.runtime import Inspector
from blemish.line.suitability import KnownPhotographs, are_known_photographs
from blemish.making.build import build_inspector
from blemish.making.reading import read_for_learning
from blemish.making.suitability import FEWEST, RATE, learn_suitability, suitability_of, upper_limit


def drawn(random: np.random.Generator, n: int) -> FloatArray:
    """Measures of n photographs whose figures and descriptions are all independent and normal."""
    return random.normal(0, 1, (n, COLUMNS)).astype(np.float32)


@given(
    arrays.arrays(
        np.float32,
        st.tuples(st.integers(FEWEST, 40), st.just(COLUMNS)),
        elements=st.floats(-100, 100, width=32),
    )
)
@settings(max_examples=40)
def test_limits_hold_on_the_photographs_that_they_were_learnt_from(measures: FloatArray) -> None:
    learnt = learn_suitability(measures)

    assert learnt is not None and are_known_photographs(learnt.known)
    for one in measures:
        assert learnt.record.reason(one, KnownPhotographs(learnt.known)) is None
    by_check = {limit.check: limit for limit in learnt.record.limits}
    for figure in FIGURES:
        values = measures[:, FIGURES.index(figure)]
        assert (by_check[figure].least, by_check[figure].most) == (values.min(), values.max())


def test_equal_photographs_of_large_measures_are_like_each_other() -> None:
    measures = np.full((FEWEST, COLUMNS), 58.09375, np.float32)
    learnt = learn_suitability(measures)
    assert learnt is not None
    assert learnt.record.reason(measures[0], KnownPhotographs(learnt.known)) is None


@pytest.mark.parametrize("n", [20, 60, 300])
def test_as_many_good_photographs_are_outside_as_is_stated_and_no_more(n: int) -> None:
    random, outside, asked = np.random.default_rng(n), 0, 0
    for _ in range(20):
        learnt = learn_suitability(drawn(random, n), rate=0.05)
        assert learnt is not None
        others, known = drawn(random, 100), KnownPhotographs(learnt.known)
        outside += sum(learnt.record.reason(one, known) is not None for one in others)
        asked += len(others)
    assert outside / asked <= 0.05


def test_the_tail_is_exact_where_it_is_exponential() -> None:
    """The rate is met on average over what was learnt, not for one sample of it."""
    random = np.random.default_rng(0)
    for n, rate in ((25, 0.02), (200, 0.005)):
        beyond = [np.exp(-upper_limit(random.exponential(1, n), rate)) for _ in range(4000)]
        assert np.mean(beyond) == pytest.approx(rate, rel=0.15)


def test_few_photographs_give_wider_limits() -> None:
    random = np.random.default_rng(0)
    widths = [
        np.mean([upper_limit(random.normal(0, 1, n), 0.001) for _ in range(100)]) for n in (12, 50, 400)
    ]
    assert widths[0] > widths[1] > widths[2] > 3.09  # where a normal's own is


def test_what_cannot_be_told_of_most_is_not_checked() -> None:
    measures = drawn(np.random.default_rng(0), 40)
    part = [FIGURES.index(name) for name in ("part", "left", "top")]
    measures[:10, part] = np.nan

    learnt = learn_suitability(measures)

    assert learnt is not None
    assert {limit.check for limit in learnt.record.limits}.isdisjoint({"part", "left", "top"})


def test_photographs_of_one_part_are_not_its_neighbours() -> None:
    random = np.random.default_rng(0)
    parts = drawn(random, 20)
    twice = np.repeat(parts, 2, axis=0) + random.normal(0, 1e-3, (40, COLUMNS)).astype(np.float32)
    groups = [str(number // 2) for number in range(40)]

    alone, grouped = learn_suitability(twice), learn_suitability(twice, groups)

    assert alone is not None and grouped is not None
    of_alone, of_grouped = ({one.check: one for one in learnt.record.limits} for learnt in (alone, grouped))
    for check in DESCRIPTIONS:
        assert (of_alone[check].most or 0) < 0.1 < 1 < (of_grouped[check].most or 0)  # type: ignore[index]
    assert learn_suitability(twice[: 2 * FEWEST - 2], groups[: 2 * FEWEST - 2]) is None


def test_what_was_read_for_learning_is_measured_as_the_line_measures_it(
    washers: Path, fitted: Path, tmp_path: Path
) -> None:
    rows = tmp_path / "rows.blemish"
    build_inspector(open_catalog(washers), rows, create_detector("one-class-svm", features="direct"), folds=2)
    for path, detector in (
        (fitted, create_detector("patchcore", size=128)),
        (rows, create_detector("one-class-svm", features="direct")),
    ):
        readable = read_for_learning(open_catalog(washers), detector, measure=True)
        learnt, inspector = suitability_of(readable), Inspector.load(path)
        assert learnt is not None and learnt.record.rate == RATE
        assert inspector.manifest.suitability == learnt.record
        for number, photographed in enumerate(readable.catalog.train_normal()):
            photograph = inspector.open_photograph(photographed.read_bytes(), str(photographed))
            look = getattr(inspector.input_of(photograph.pixels), "look", None)
            assert (look is None) == (path == rows)
            picture, counted = (photograph.pixels, None) if look is None else (look.picture, look.counted)
            np.testing.assert_array_equal(
                measures_of(picture, counted, photograph.width, photograph.height), learnt.known[number]
            )


def test_a_fit_may_leave_the_checks_out(washers: Path, tmp_path: Path) -> None:
    out = tmp_path / "unchecked.blemish"
    detector = create_detector("one-class-svm", features="direct")
    build_inspector(open_catalog(washers), out, detector, folds=2, check_photographs=False)

    inspector = Inspector.load(out)

    assert inspector.manifest.suitability is None
    assert inspector.inspect(np.zeros((128, 128, 3), np.uint8)).reason is None


def test_too_few_photographs_say_nothing() -> None:
    assert learn_suitability(drawn(np.random.default_rng(0), FEWEST - 1)) is None
