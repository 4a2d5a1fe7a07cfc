"""The calibration: ranks without groups, parts as one each with them, and thresholds that keep what they promise."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ranks import p_value
from scipy import stats

from blemish.core.calibration import conformal_limit, false_reject_rate, quantile_threshold
from blemish.core.conformal import Calibration
from blemish.core.errors import UsageError

SCORES = st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=60)
# Few values, so that ties are frequent.
TIED = st.lists(st.integers(0, 8).map(float), min_size=1, max_size=60)
ANY = st.one_of(SCORES, TIED)
RATES = st.one_of(st.floats(0.005, 0.995), st.sampled_from([0.01, 0.02, 0.05, 0.1, 0.2, 0.5]))


def calibration(scores: list[float], groups: list[int] | None = None) -> Calibration:
    order = np.argsort(scores, kind="stable")
    return Calibration(np.asarray(scores)[order], None if groups is None else np.asarray(groups)[order])


@st.composite
def grouped(draw: st.DrawFn) -> Calibration:
    scores = draw(ANY)
    groups = draw(st.lists(st.integers(0, 12), min_size=len(scores), max_size=len(scores)))
    return calibration(scores, groups)


@settings(max_examples=120, deadline=None)
@given(ANY, st.floats(-1e6, 1e6))
def test_without_groups_the_p_value_is_the_rank(scores: list[float], score: float) -> None:
    own = calibration(scores)
    for value in (score, scores[0], np.nextafter(scores[0], np.inf)):
        assert own.p_value(value) == pytest.approx(p_value(scores, value), rel=1e-12)


@settings(max_examples=120, deadline=None)
@given(ANY, st.floats(-1e6, 1e6), RATES)
def test_groups_of_one_are_no_groups(scores: list[float], score: float, rate: float) -> None:
    alone, each = calibration(scores), calibration(scores, list(range(len(scores))))
    assert each.n == alone.n == len(scores)
    assert each.p_value(score) == alone.p_value(score)
    assert each.promise(score) == alone.promise(score)
    if rate >= alone.smallest_rate:
        assert each.threshold(rate) == alone.threshold(rate)


@settings(max_examples=150, deadline=None)
@given(st.one_of(ANY.map(calibration), grouped()), RATES)
def test_exactly_above_the_threshold_the_p_value_is_at_or_under_the_rate(
    own: Calibration, rate: float
) -> None:
    if rate < own.smallest_rate:
        return
    threshold = own.threshold(rate)
    assert threshold in own.scores
    assert own.p_value(threshold) > rate - 1e-9 or threshold == own.scores[0]
    assert own.p_value(np.nextafter(threshold, np.inf)) <= rate + 1e-8
    assert own.promise(threshold).expected <= rate + 1e-8
    lower = own.scores[own.scores < threshold]
    if lower.size:  # the next lower score would not do
        assert own.p_value(np.nextafter(lower[-1], np.inf)) > rate


@settings(max_examples=100, deadline=None)
@given(st.one_of(ANY.map(calibration), grouped()), st.floats(-1e6, 1e6), st.floats(-1e6, 1e6))
def test_a_higher_score_has_no_larger_p_value(own: Calibration, one: float, other: float) -> None:
    low, high = sorted((own.p_value(one), own.p_value(other)))
    assert own.p_value(max(one, other)) == low
    assert own.smallest_rate * (1 - 1e-12) <= low <= high <= 1 + 1e-12
    assert own.p_value(float(own.scores[0])) == pytest.approx(1)
    assert own.p_value(float(own.scores[-1]) + 1) == pytest.approx(own.smallest_rate)


@settings(max_examples=60, deadline=None)
@given(SCORES, RATES)
def test_the_threshold_is_split_conformals_order_statistic(scores: list[float], rate: float) -> None:
    own = calibration(scores)
    limit = conformal_limit(scores, rate)
    if rate >= own.smallest_rate:
        assert limit is not None
        assert own.threshold(rate) == limit


@pytest.mark.parametrize("n", [1, 19, 54, 200, 201, 320, 1000])
def test_without_groups_and_ties_the_promise_is_the_older_one_and_wilks(n: int) -> None:
    scores = np.random.default_rng(n).normal(size=n)
    threshold = quantile_threshold(scores)
    promise = calibration(scores.tolist()).promise(threshold)
    assert (promise.expected, promise.at_most) == pytest.approx(false_reject_rate(n), rel=1e-9)
    above = int((scores > threshold).sum())
    assert promise.at_most == pytest.approx(stats.beta(above + 1, n - above).ppf(0.95), rel=1e-7)
    assert (promise.n, promise.confidence) == (n, 0.95)


@settings(max_examples=60, deadline=None)
@given(grouped(), st.floats(-1, 9))
def test_each_group_weighs_one_whatever_its_size(own: Calibration, score: float) -> None:
    assert own.groups is not None
    names = np.unique(own.groups)
    shares = [
        Fraction(int((own.scores[own.groups == name] >= score).sum()), int((own.groups == name).sum()))
        for name in names
    ]
    assert own.n == len(names)
    assert own.p_value(score) == pytest.approx(float((1 + sum(shares)) / (1 + len(names))), rel=1e-9)


@pytest.mark.parametrize("alike", [0.0, 0.8, 1.0])
def test_photographs_of_new_parts_are_rejected_as_promised(alike: float) -> None:
    """Parts of 1 to 5 photographs that are more or less alike; promised of a photograph of a part nobody has seen."""
    rng, rate, parts = np.random.default_rng(6), 0.1, 39
    sizes = np.tile([1, 2, 5], 14)
    rejected, parts_over = [], []
    for _ in range(1500):
        order = rng.permutation(sizes)[: parts + 1]
        groups = np.repeat(np.arange(parts + 1), order)
        scores = alike * rng.normal(size=parts + 1)[groups] + (1 - alike) * rng.normal(size=len(groups))
        new = groups == parts
        own = calibration(scores[~new].tolist(), groups[~new].tolist())
        threshold = own.threshold(rate)
        rejected.append(np.mean(scores[new] > threshold))
        parts_over.append(np.any(scores[new] > threshold))
    assert np.mean(rejected) <= rate + 4 * np.std(rejected) / math.sqrt(len(rejected))
    assert np.mean(rejected) >= rate - 1 / (parts + 1) - 4 * np.std(rejected) / math.sqrt(len(rejected))
    assert np.mean(parts_over) >= np.mean(rejected)


@pytest.mark.parametrize("rate", [0.05, 0.1])
def test_the_bound_is_passed_no_oftener_than_it_says(rate: float) -> None:
    rng, n, trials = np.random.default_rng(2), 60, 2000
    over = 0
    for _ in range(trials):
        own = calibration(rng.exponential(size=n).tolist())
        threshold = own.threshold(rate)
        over += math.exp(-threshold) > own.promise(threshold).at_most
    assert stats.binomtest(over, trials, 0.05).pvalue > 1e-4


def test_ties_only_make_a_promise_safer() -> None:
    own = calibration([1.0] * 50 + [2.0] * 49)
    assert own.threshold(0.1) == 2.0
    assert own.promise(2.0).expected == pytest.approx(0.01)
    assert own.threshold(0.5) == 1.0
    assert own.p_value(2.0) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("rate", "n"), [(0.01, 99), (0.02, 49), (0.05, 19), (0.1, 9), (0.001, 999), (0.03, 33)]
)
def test_a_rate_needs_just_so_many_and_is_refused_with_one_less(rate: float, n: int) -> None:
    assert Calibration.needed(rate) == n
    enough = Calibration(np.arange(float(n)))
    assert enough.threshold(rate) == n - 1
    assert enough.smallest_rate <= rate + 1e-9
    with pytest.raises(UsageError, match=rf"{n - 1} good photographs cannot promise .*, or 1 more\."):
        Calibration(np.arange(float(n - 1))).threshold(rate)


def test_a_refusal_counts_groups_and_names_what_would_do() -> None:
    own = Calibration(np.arange(80.0), np.arange(80) // 4)
    with pytest.raises(
        UsageError,
        match=r"20 groups of good photographs cannot promise a rate of 0\.01.* 0\.0477.*or 79 more",
    ):
        own.threshold(0.01)
    assert own.threshold(0.05) == 79


@pytest.mark.parametrize("rate", [0.0, 1.0, -0.1, 5.0, float("nan")])
def test_a_rate_outside_0_to_1_is_refused(rate: float) -> None:
    with pytest.raises(UsageError, match="between 0 and 1"):
        Calibration(np.arange(30.0)).threshold(rate)


@pytest.mark.parametrize("scores", [[], [float("nan")], [1.0, float("inf")], [2.0, 1.0], [[1.0]]], ids=str)
def test_what_cannot_be_calibrated_on_is_refused(scores: object) -> None:
    with pytest.raises(UsageError, match="give at least one of a good image, all finite, sorted upwards"):
        Calibration(np.asarray(scores))


def test_other_impossible_values_are_refused() -> None:
    with pytest.raises(UsageError, match="3 scores cannot have 2 groups"):
        Calibration(np.arange(3.0), np.arange(2))
    with pytest.raises(UsageError, match="no p-value"):
        Calibration(np.arange(3.0)).p_value(float("nan"))
