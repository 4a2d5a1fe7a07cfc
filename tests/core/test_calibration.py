"""Calibration: thresholds are real scores, p-values keep their promise, and so do the stated rates."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from blemish.core.calibration import (
    false_reject_rate,
    heatmap_scale,
    quantile_threshold,
)
from blemish.core.conformal import Calibration
from blemish.core.errors import UsageError


def p_value(scores: npt.ArrayLike, score: float) -> float:
    """Of a calibration on scores in any order."""
    return Calibration(np.sort(np.asarray(scores, np.float64))).p_value(score)


SCORES = st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=60)
QUANTILES = st.one_of(st.floats(0.001, 0.999), st.sampled_from([0.5, 0.9, 0.95, 0.99, 0.995, 0.999]))


@settings(max_examples=150, deadline=None)
@given(SCORES, QUANTILES)
def test_the_threshold_is_numpys_higher_quantile_and_one_of_the_scores(
    scores: list[float], quantile: float
) -> None:
    threshold = quantile_threshold(np.array(scores, np.float32), quantile)
    assert threshold == np.quantile(scores, quantile, method="higher")
    assert threshold in scores
    assert np.mean(np.array(scores) <= threshold) >= quantile or threshold == max(scores)


def test_the_documented_sizes_are_where_the_default_threshold_leaves_the_maximum() -> None:
    assert quantile_threshold(np.arange(200.0)) == 199
    assert quantile_threshold(np.arange(201.0)) == 199
    assert quantile_threshold(np.arange(320.0)) == 318


@settings(max_examples=80, deadline=None)
@given(SCORES, st.floats(-1e6, 1e6))
def test_the_p_value_is_the_rank_among_all_scores(scores: list[float], score: float) -> None:
    p = p_value(scores, score)
    assert 1 / (len(scores) + 1) <= p <= 1
    together = np.append(scores, score)
    assert p == np.mean(together >= score)
    assert p_value(scores[::-1], score) == p
    assert p_value(scores, np.nextafter(score, np.inf)) <= p
    assert p_value(scores, max(scores) + 1) == 1 / (len(scores) + 1)
    assert p_value(scores, min(scores)) == 1


@settings(max_examples=60, deadline=None)
@given(SCORES, QUANTILES)
def test_p_value_and_threshold_tell_the_same_story(scores: list[float], quantile: float) -> None:
    """What is rejected has a smaller p-value than everything that is not."""
    threshold = quantile_threshold(scores, quantile)
    assert p_value(scores, np.nextafter(threshold, np.inf)) < p_value(scores, threshold)


@pytest.mark.parametrize("n", [9, 99])
@pytest.mark.parametrize("level", [0.1, 0.2, 0.5])
def test_good_parts_fall_under_a_p_value_no_more_often_than_it_says(n: int, level: float) -> None:
    rng = np.random.default_rng(n)
    trials = 4000
    scores = rng.gamma(2, 1, (trials, n + 1))
    hits = sum(p_value(row[1:], row[0]) <= level for row in scores)
    # With (n + 1) * level whole the promise is exact for continuous scores, so it is tested from both sides.
    assert stats.binomtest(int(hits), trials, level).pvalue > 1e-4


@pytest.mark.parametrize(
    ("n", "quantile"), [(1, 0.5), (20, 0.9), (54, 0.995), (200, 0.995), (320, 0.995), (721, 0.99)]
)
def test_the_promised_false_reject_rate_is_the_beta_distributions(n: int, quantile: float) -> None:
    mean, bound = false_reject_rate(n, quantile)
    rank = int(np.searchsorted(np.arange(n), quantile_threshold(np.arange(n), quantile))) + 1
    beta = stats.beta(n + 1 - rank, rank)
    assert math.isclose(mean, beta.mean(), rel_tol=1e-12)
    assert math.isclose(bound, beta.ppf(0.95), rel_tol=1e-7)
    assert math.isclose(false_reject_rate(n, quantile, 0.5)[1], beta.median(), rel_tol=1e-7)


def test_the_promised_false_reject_rate_is_what_happens() -> None:
    n, quantile, trials = 60, 0.95, 3000
    rng = np.random.default_rng(3)
    thresholds = [quantile_threshold(rng.exponential(size=n), quantile) for _ in range(trials)]
    rates = np.exp(-np.array(thresholds))  # the exact share of an exponential above each threshold
    mean, bound = false_reject_rate(n, quantile)
    assert abs(rates.mean() - mean) < 4 * rates.std() / math.sqrt(trials)
    assert stats.binomtest(int((rates <= bound).sum()), trials, 0.95).pvalue > 1e-4


@settings(max_examples=60, deadline=None)
@given(SCORES, st.floats(-1e6, 1e6))
def test_a_heatmaps_scale_begins_at_the_usual_and_has_the_threshold_in_the_middle(
    medians: list[float], level: float
) -> None:
    low, high = heatmap_scale(medians, level)
    assert low == np.median(np.array(medians, np.float64))
    assert low < high
    if level > low + 1e-3 * max(abs(low), 1e-3):
        assert math.isclose((low + high) / 2, level, rel_tol=1e-9, abs_tol=1e-9)


@pytest.mark.parametrize("scores", [[], [float("nan")], [1.0, float("inf")], [[1.0]], 1.0])
def test_what_is_no_list_of_scores_is_refused(scores: object) -> None:
    for refuse in (
        lambda: quantile_threshold(scores),  # type: ignore[arg-type]
        lambda: heatmap_scale(scores, 1.0),  # type: ignore[arg-type]
    ):
        with pytest.raises(UsageError, match="give at least one"):
            refuse()


@pytest.mark.parametrize("quantile", [0, 1, -0.1, 99.5, float("nan")])
def test_a_quantile_outside_0_to_1_is_refused(quantile: float) -> None:
    with pytest.raises(UsageError, match="quantile"):
        quantile_threshold([1.0, 2.0], quantile)
    with pytest.raises(UsageError, match="quantile"):
        false_reject_rate(10, quantile)


def test_other_impossible_numbers_are_refused() -> None:
    with pytest.raises(UsageError, match="no p-value"):
        p_value([1.0], float("nan"))
    with pytest.raises(UsageError, match="none"):
        false_reject_rate(0)
    with pytest.raises(UsageError, match="confidence"):
        false_reject_rate(10, 0.9, 1.0)
