"""The extrapolated tail: SciPy's distribution, its maximum likelihood, honest goodness of fit, and refusals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy import stats

from blemish.core.conformal import Calibration
from blemish.core.errors import UsageError
from blemish.core.tail import SHAPES, Tail, anderson_darling, fit_tail, fitted, highest_of_groups


def calibration(scores: np.ndarray) -> Calibration:
    return Calibration(np.sort(scores))


def tail(shape: float, scale: float = 2.0) -> Tail:
    return Tail(location=5, scale=scale, shape=shape, share=0.2, exceedances=60, n=304, goodness=0.5)


@settings(max_examples=80, deadline=None)
@given(st.one_of(st.just(0.0), st.floats(*SHAPES)), st.floats(0.01, 100), st.floats(0.0004, 0.2))
def test_rate_and_threshold_are_scipys_distribution(shape: float, scale: float, rate: float) -> None:
    one, distribution = tail(shape, scale), stats.genpareto(shape, loc=5, scale=scale)
    threshold = one.threshold(rate)
    assert threshold == pytest.approx(distribution.isf(rate / 0.2), rel=1e-6)
    assert one.rate(threshold) == pytest.approx(rate, rel=1e-6)
    assert one.rate(5 + 3 * scale) == pytest.approx(0.2 * distribution.sf(5 + 3 * scale), rel=1e-6, abs=1e-12)


@pytest.mark.parametrize("shape", [-0.4, -0.1, 0.0, 0.2, 0.4])
def test_the_fit_is_near_maximum_likelihood_and_the_truth(shape: float) -> None:
    for seed in range(3):
        sample = np.sort(stats.genpareto.rvs(shape, scale=3, size=2000, random_state=seed))
        (own,), (scale,) = fitted(sample[None])
        likeliest, _, its_scale = stats.genpareto.fit(sample, floc=0)
        assert own == pytest.approx(likeliest, abs=0.02)
        assert scale == pytest.approx(its_scale, rel=0.03)
        assert own == pytest.approx(shape, abs=4 * (1 + shape) / np.sqrt(2000))


def test_the_fit_is_better_than_maximum_likelihood_where_exceedances_are_few() -> None:
    samples = np.sort(stats.genpareto.rvs(0.1, size=(60, 20), random_state=1), 1)
    own, _ = fitted(samples)
    likeliest = np.clip([stats.genpareto.fit(sample, floc=0)[0] for sample in samples], *SHAPES)
    assert np.sqrt(np.mean((own - 0.1) ** 2)) < np.sqrt(np.mean((likeliest - 0.1) ** 2))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.floats(1e-3, 1e6), st.floats(-1e6, 1e6))
def test_a_tail_follows_shift_and_scale_of_the_scores(seed: int, scale: float, shift: float) -> None:
    scores = np.random.default_rng(seed).gamma(3, 1, 120)
    one, other = fit_tail(calibration(scores)), fit_tail(calibration(scale * scores + shift))
    # Where the shift is much larger than the scores their last digits are lost.
    exact = 1e-6 + 1e-12 * abs(shift) / scale
    assert other.shape == pytest.approx(one.shape, abs=1e3 * exact)
    assert (other.threshold(0.002) - shift) / scale == pytest.approx(one.threshold(0.002), rel=1e3 * exact)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(50, 400))
def test_smaller_rates_have_higher_thresholds_above_where_the_tail_begins(seed: int, n: int) -> None:
    one = fit_tail(calibration(np.random.default_rng(seed).lognormal(size=n)))
    rates = np.geomspace(one.smallest_rate, one.share, 12)
    thresholds = [one.threshold(rate) for rate in rates]
    assert np.all(np.diff(thresholds) < 0)
    assert thresholds[-1] == pytest.approx(one.location)
    assert one.promise(thresholds[0]).expected < one.promise(thresholds[6]).expected
    assert SHAPES[0] <= one.shape <= SHAPES[1]
    assert 0 < one.goodness <= 1


def test_its_share_is_what_the_calibration_promises_there() -> None:
    scores = calibration(np.random.default_rng(3).normal(size=250))
    one = fit_tail(scores)
    assert one.share == pytest.approx(scores.promise(one.location).expected)
    assert one.exceedances == np.count_nonzero(scores.scores > one.location)
    assert one.promise(one.location).expected == pytest.approx(one.share, rel=0.05)


def test_what_it_promises_is_what_happens_where_the_model_holds() -> None:
    """Of scores whose tail is exactly so: the mean share above the threshold, and how often the bound is passed."""
    rng, rate = np.random.default_rng(5), 0.002
    above, promised, over = [], [], []
    for _ in range(150):
        one = fit_tail(calibration(rng.exponential(size=200)))
        threshold = one.threshold(rate)
        promise = one.promise(threshold)
        above.append(np.exp(-threshold))
        promised.append(promise.expected)
        over.append(above[-1] > promise.at_most)
    assert abs(np.mean(above) - np.mean(promised)) < 4 * np.std(above) / np.sqrt(len(above))
    assert np.mean(above) < 2 * rate
    assert np.mean(over) <= 0.12


def test_anderson_and_darlings_distance_is_scipys() -> None:
    sample = np.sort(stats.genpareto.rvs(0.2, scale=2, size=40, random_state=2))
    # SciPy's own statistic is of a normal distribution, to which the sample can be brought by its shares.
    normal = stats.norm.ppf(stats.genpareto(0.2, scale=2).cdf(sample))
    reference = stats.goodness_of_fit(
        stats.norm, normal, known_params={"loc": 0, "scale": 1}, statistic="ad", n_mc_samples=9
    )
    (own,) = anderson_darling(sample[None], np.array([0.2]), np.array([2.0]))
    assert own == pytest.approx(reference.statistic, rel=1e-6)


def test_a_fit_is_seldom_doubted_where_it_is_right_and_mostly_where_scores_come_in_two_heaps() -> None:
    rng = np.random.default_rng(8)
    right = [fit_tail(calibration(rng.exponential(size=200))).goodness for _ in range(120)]
    assert stats.kstest(right, "uniform").pvalue > 1e-3
    heaps = [
        fit_tail(calibration(np.r_[rng.normal(0, 1, 270), rng.normal(9, 0.1, 30)])).doubtful
        for _ in range(20)
    ]
    assert np.mean(heaps) >= 0.9


def test_a_doubtful_fit_says_so_and_a_good_one_says_what_it_is() -> None:
    rng = np.random.default_rng(8)
    good = fit_tail(calibration(rng.exponential(size=200)))
    assert not good.doubtful
    assert "40 highest of 200" in good.sentence()
    assert "no promise" in good.sentence()
    bad = fit_tail(calibration(np.r_[rng.normal(0, 1, 270), rng.normal(9, 0.1, 30)]))
    assert bad.doubtful
    assert bad.sentence().endswith("it does not fit, so do not rely on it")


def test_groups_count_as_one_each_with_their_highest_score() -> None:
    rng = np.random.default_rng(4)
    scores, groups = np.sort(rng.gamma(3, 1, 300)), rng.permutation(np.repeat(np.arange(100), 3))
    grouped = Calibration(scores, groups)
    highest = np.sort([scores[groups == group].max() for group in range(100)])
    assert np.array_equal(highest_of_groups(grouped), highest)
    assert fit_tail(grouped) == fit_tail(Calibration(highest))
    assert fit_tail(grouped).n == 100
    assert fit_tail(Calibration(scores, np.arange(300))) == fit_tail(Calibration(scores))


def test_it_is_the_same_every_time_and_survives_json() -> None:
    scores = calibration(np.random.default_rng(9).normal(size=80))
    one = fit_tail(scores)
    assert fit_tail(scores) == one
    assert Tail.model_validate_json(one.model_dump_json()) == one
    for wrong in (
        {"scale": 0.0},
        {"shape": 2.0},
        {"goodness": 0.0},
        {"location": float("nan")},
        {"other": 1},
    ):
        with pytest.raises(ValidationError):
            Tail.model_validate(one.model_dump() | wrong)


def test_too_few_too_equal_and_too_far_are_refused_with_the_way_out() -> None:
    with pytest.raises(UsageError, match=r"49 good photographs are too few .*: give 1 more"):
        fit_tail(calibration(np.arange(49.0)))
    with pytest.raises(UsageError, match=r"30 groups of good photographs .*: give 20 more"):
        fit_tail(Calibration(np.arange(120.0), np.arange(120) // 4))
    with pytest.raises(UsageError, match="Too many good scores equal 7"):
        fit_tail(calibration(np.r_[np.arange(7.0), np.full(93, 7.0)]))
    one = fit_tail(calibration(np.random.default_rng(0).normal(size=100)))
    for rate in (0.0, 1e-5, 0.3, 1.0, float("nan")):
        with pytest.raises(UsageError, match="tail of 100 good scores reaches"):
            one.threshold(rate)
    for score in (one.location - 1, float("nan")):
        with pytest.raises(UsageError, match="ask the calibration"):
            one.rate(score)
