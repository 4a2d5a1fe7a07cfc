"""Counts among so many: against SciPy, and properties."""

from __future__ import annotations

import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from blemish.core.binomial import binomial_tail, fisher_exact, holm, weakened, wilson_interval

stats = pytest.importorskip("scipy.stats")

COUNTS = st.tuples(st.integers(0, 60), st.integers(1, 60)).map(lambda pair: (min(pair), max(max(pair), 1)))


@given(COUNTS, st.floats(0.001, 0.999))
def test_tails_are_those_of_scipy(counted: tuple[int, int], share: float) -> None:
    count, n = counted
    expected = stats.binom.sf(count - 1, n, share) if count > n * share else stats.binom.cdf(count, n, share)
    assert binomial_tail(count, n, share) == pytest.approx(float(expected), rel=1e-9, abs=1e-300)


@given(COUNTS, st.sampled_from([0.8, 0.95, 0.998]))
def test_intervals_are_those_of_scipy(counted: tuple[int, int], confidence: float) -> None:
    count, n = counted
    expected = stats.binomtest(count, n).proportion_ci(confidence, method="wilson")
    assert wilson_interval(count, n, confidence) == pytest.approx(tuple(expected), abs=1e-9)


def test_nothing_has_no_interval_and_differs_from_nothing() -> None:
    assert all(map(math.isnan, wilson_interval(0, 0)))
    assert fisher_exact(0, 0, 0, 0) == fisher_exact(0, 0, 3, 9) == 1


@given(COUNTS, COUNTS)
def test_two_rates_are_compared_as_by_scipy(one: tuple[int, int], other: tuple[int, int]) -> None:
    table = [[one[0], one[1] - one[0]], [other[0], other[1] - other[0]]]
    assert fisher_exact(*one, *other) == pytest.approx(float(stats.fisher_exact(table).pvalue), rel=1e-6)


@given(st.lists(st.floats(0, 1), max_size=12))
def test_corrected_p_values_say_the_same_as_step_down_by_hand(p_values: list[float]) -> None:
    found = holm(p_values)
    for level in (0.01, 0.05, 0.3):
        rejected, order = set(), sorted(range(len(p_values)), key=lambda place: p_values[place])
        for rank, place in enumerate(order):
            if p_values[place] * (len(p_values) - rank) > level:
                break
            rejected.add(place)
        assert {place for place, p_value in enumerate(found) if p_value <= level} == rejected


@given(st.floats(1e-12, 1), st.floats(1, 5))
@example(1e-12, 1.0000000000000002)
def test_scatter_takes_certainty_away(p_value: float, spread: float) -> None:
    found = weakened(p_value, spread)
    expected = 2 * stats.norm.sf(stats.norm.isf(p_value / 2) / spread)
    assert found == pytest.approx(float(expected), rel=1e-6) and found >= p_value * (1 - 1e-9)
