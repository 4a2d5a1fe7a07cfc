"""Metrics against scikit-learn, slow direct definitions, and simulation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage, stats
from sklearn import metrics as reference

from blemish.core.errors import BlemishError, UsageError
from blemish.evaluation.intervals import auroc_interval, binomial_interval
from blemish.evaluation.metrics import (
    decide,
    image_auroc,
    pixel_metrics,
    rank,
)

Array = np.ndarray[Any, Any]

# Few distinct values make ties; wide ones reach far outside [0, 1], where a sigmoid would flatten them.
TIED = st.sampled_from([-3.0, -1.0, 0.0, 0.5, 1.0, 7.0])
WIDE = st.floats(-1e6, 1e6, width=32)


@st.composite
def scored_parts(draw: st.DrawFn) -> tuple[Array, Array]:
    parts = draw(st.lists(st.tuples(st.booleans(), TIED | WIDE), min_size=1, max_size=40))
    return np.array([label for label, _ in parts]), np.array([score for _, score in parts])


@st.composite
def scored_maps(draw: st.DrawFn) -> tuple[list[Array], list[Array]]:
    """Up to three maps with blocky masks (diagonal neighbours too) and values that tie often or never."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    share, levels = draw(st.sampled_from([0.0, 0.1, 0.4, 1.0])), draw(st.sampled_from([3, 12, 0]))
    masks, maps = [], []
    for _ in range(draw(st.integers(1, 3))):
        mask = random.random((9, 11)) < share
        anomaly_map = random.normal(size=mask.shape) + mask * draw(st.sampled_from([0.0, 1.5]))
        masks.append(mask)
        maps.append((np.round(anomaly_map * levels) / levels if levels else anomaly_map).astype(np.float32))
    return masks, maps


def slow_best_f1(labels: Array, scores: Array) -> float:
    """The best F1 by trying every score as a threshold, from counts."""
    return max(
        2 * np.sum(labels & (scores >= value)) / (np.sum(labels) + np.sum(scores >= value))
        for value in np.unique(scores)
    )


def slow_aupro(masks: Sequence[Array], maps: Sequence[Array], integral_to: float) -> float:
    """AUPRO as its definition says: threshold by threshold, region by region; then plain trapezoids."""
    normal = np.concatenate([m[~k] for k, m in zip(masks, maps, strict=True)])
    regions = []
    for mask, anomaly_map in zip(masks, maps, strict=True):
        labelled, count = ndimage.label(mask, structure=np.ones((3, 3)))
        regions += [anomaly_map[labelled == index + 1] for index in range(count)]
    if not regions or normal.size == 0:
        return math.nan
    points = [(0.0, 0.0)]
    for threshold in sorted({float(value) for m in maps for value in m.ravel()}, reverse=True):
        points.append((np.mean(normal >= threshold), np.mean([np.mean(r >= threshold) for r in regions])))
    area = 0.0
    for (left, low), (right, high) in pairwise(points):
        if left < integral_to and right > left:
            end = min(right, integral_to)
            at_end = low + (high - low) * (end - left) / (right - left)
            area += (end - left) * (low + at_end) / 2
    return area / integral_to


@settings(max_examples=80, deadline=None)
@given(scored_parts())
def test_ranking_metrics_agree_with_scikit_learn(parts: tuple[Array, Array]) -> None:
    labels, scores = parts
    if labels.all() or not labels.any():
        assert math.isnan(image_auroc(labels, scores))
        assert math.isnan(rank(labels, scores).average_precision())
        assert all(math.isnan(value) for value in rank(labels, scores).best_f1())
        return
    assert image_auroc(labels, scores) == pytest.approx(reference.roc_auc_score(labels, scores), abs=1e-12)
    assert rank(labels, scores).average_precision() == pytest.approx(
        reference.average_precision_score(labels, scores), abs=1e-12
    )
    assert rank(labels, scores).best_f1().f1 == pytest.approx(slow_best_f1(labels, scores), abs=1e-12)


@settings(max_examples=40, deadline=None)
@given(scored_parts(), st.sampled_from([np.float32, np.float64]))
def test_best_threshold_reproduces_its_f1_in_the_scores_own_precision(
    parts: tuple[Array, Array], dtype: type
) -> None:
    labels, scores = parts[0], parts[1].astype(dtype)
    best = rank(labels, scores).best_f1()
    if not math.isnan(best.f1):
        assert decide(labels, scores, best.threshold).f1 == pytest.approx(best.f1, abs=1e-12)


@settings(max_examples=40, deadline=None)
@given(scored_parts())
def test_auroc_is_the_chance_to_be_ordered_rightly_whatever_the_scale(parts: tuple[Array, Array]) -> None:
    labels, scores = parts
    if labels.all() or not labels.any():
        return
    pairs = scores[labels][:, None] - scores[~labels][None, :]
    chance = np.mean((pairs > 0) + 0.5 * (pairs == 0))
    assert image_auroc(labels, scores) == pytest.approx(chance, abs=1e-12)
    assert image_auroc(labels, 8 * scores) == image_auroc(labels, scores)
    assert image_auroc(~labels, scores) == pytest.approx(1 - chance, abs=1e-12)


@settings(max_examples=40, deadline=None)
@given(scored_parts())
def test_curves_enclose_the_areas_that_the_metrics_state(parts: tuple[Array, Array]) -> None:
    labels, scores = parts
    ranking = rank(labels, scores)
    rate, recall = ranking.roc_curve()
    if labels.all() or not labels.any():
        assert rate.size == 0
        assert ranking.precision_recall_curve()[0].size == 0
        return
    assert (np.diff(rate) >= 0).all()
    assert (np.diff(recall) >= 0).all()
    assert np.dot(np.diff(rate), (recall[1:] + recall[:-1]) / 2) == pytest.approx(ranking.auroc(), abs=1e-12)
    recall, precision = ranking.precision_recall_curve()
    assert np.dot(np.diff(recall, prepend=0), precision) == pytest.approx(
        ranking.average_precision(), abs=1e-12
    )


@settings(max_examples=60, deadline=None)
@given(scored_parts(), TIED)
def test_decision_agrees_with_scikit_learn(parts: tuple[Array, Array], threshold: float) -> None:
    labels, scores = parts
    decision, rejected = decide(labels, scores, threshold), scores > threshold
    expected = reference.confusion_matrix(labels, rejected, labels=[False, True]).ravel()
    assert [
        decision.true_negatives,
        decision.false_positives,
        decision.false_negatives,
        decision.true_positives,
    ] == expected.tolist()
    assert decision.accuracy == pytest.approx(reference.accuracy_score(labels, rejected))
    good_passed = reference.recall_score(~labels, ~rejected, zero_division=np.nan)
    assert decision.false_reject_rate == pytest.approx(1 - good_passed, nan_ok=True)
    for ours, theirs in [
        (decision.precision, reference.precision_score),
        (decision.recall, reference.recall_score),
        (decision.f1, reference.f1_score),
    ]:
        assert ours == pytest.approx(theirs(labels, rejected, zero_division=np.nan), nan_ok=True)


def test_a_score_equal_to_the_threshold_passes() -> None:
    decision = decide(np.array([0, 1]), np.array([2.0, 2.0]), 2.0)
    assert (decision.false_positives, decision.false_negatives) == (0, 1)


@settings(max_examples=60, deadline=None)
@given(scored_maps())
def test_pixel_metrics_agree_with_scikit_learn(sample: tuple[list[Array], list[Array]]) -> None:
    masks, maps = sample
    labels, scores = np.stack(masks).ravel(), np.stack(maps).ravel()
    pixels = pixel_metrics(masks, maps)
    assert pixels.n_pixels == labels.size
    assert pixels.n_anomalous == labels.sum()
    if labels.all() or not labels.any():
        assert all(math.isnan(v) for v in (pixels.auroc, pixels.average_precision, pixels.f1, pixels.aupro))
        return
    assert pixels.auroc == pytest.approx(reference.roc_auc_score(labels, scores), abs=1e-9)
    assert pixels.average_precision == pytest.approx(
        reference.average_precision_score(labels, scores), abs=1e-9
    )
    # In float32, as a user compares a map with the threshold.
    assert reference.f1_score(labels, scores > pixels.f1_threshold) == pytest.approx(pixels.f1, abs=1e-12)
    assert pixels.f1 == pytest.approx(slow_best_f1(labels, scores), abs=1e-12)


@settings(max_examples=60, deadline=None)
@given(scored_maps(), st.sampled_from([0.05, 0.3, 1.0]))
def test_aupro_agrees_with_its_slow_definition(
    sample: tuple[list[Array], list[Array]], integral_to: float
) -> None:
    assert pixel_metrics(*sample, integral_to).aupro == pytest.approx(
        slow_aupro(*sample, integral_to), abs=1e-9, nan_ok=True
    )


@pytest.mark.parametrize("strength", [0.5, 1.5, 4.0])
def test_the_curve_that_is_drawn_has_the_area_of_aupro(strength: float) -> None:
    random, masks = np.random.default_rng(1), []
    for _ in range(6):
        mask = np.zeros((64, 64), np.bool_)
        row, column = random.integers(0, 48, 2)
        mask[row : row + 12, column : column + 12] = True
        masks.append(mask)
    pixels = pixel_metrics(masks, [random.normal(size=mask.shape) + strength * mask for mask in masks])
    rate, overlap = pixels.region_overlap
    assert (rate[0], rate[-1]) == (0, 0.3)
    assert (np.diff(overlap) >= 0).all() and 0 <= overlap[0] <= overlap[-1] <= 1
    assert np.trapezoid(overlap, rate) / 0.3 == pytest.approx(pixels.aupro, abs=0.003)


def test_aupro_counts_a_small_region_as_much_as_a_large_one() -> None:
    mask = np.zeros((40, 40), bool)
    mask[2:22, 2:22], mask[30:32, 30:32] = True, True
    found_large = np.where(np.arange(40)[:, None] < 25, mask, 0).astype(np.float32)
    pixels = pixel_metrics([mask], [found_large])
    assert pixels.n_regions == 2
    # Half of the regions at no false positive, then the tie of all other pixels: 0.5 + 0.3 * 0.5 / 2.
    assert pixels.aupro == pytest.approx(0.575)
    assert pixels.auroc > 0.99


def test_diagonal_neighbours_are_one_region() -> None:
    assert pixel_metrics([np.eye(5, dtype=bool)], [np.zeros((5, 5), np.float32)]).n_regions == 1


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_scores_that_are_not_finite_are_refused_with_their_position(value: float) -> None:
    scores = np.array([0.1, value, 0.3])
    for function in (image_auroc, rank):
        with pytest.raises(BlemishError, match=r"1 of 3 anomaly scores .*position 1"):
            function(np.array([0, 1, 1]), scores)
    with pytest.raises(BlemishError, match="Anomaly map 0"):
        pixel_metrics([np.zeros((1, 3), bool)], [scores[None].astype(np.float32)])


def test_arrays_that_do_not_match_are_refused() -> None:
    with pytest.raises(UsageError, match="one label for each score"):
        image_auroc(np.array([0, 1]), np.array([1.0]))
    with pytest.raises(UsageError, match="values other than 0 and 1"):
        image_auroc(np.array([0, 2]), np.array([1.0, 2.0]))
    with pytest.raises(UsageError, match="one mask for each map"):
        pixel_metrics([], [np.zeros((2, 2), np.float32)])
    with pytest.raises(UsageError, match="one H x W grid"):
        pixel_metrics([np.zeros((3, 2), bool)], [np.zeros((2, 2), np.float32)])
    with pytest.raises(UsageError, match=r"in \(0, 1\]"):
        pixel_metrics([], [], integral_to=30)


def test_metrics_leave_their_input_as_it_was() -> None:
    random = np.random.default_rng(0)
    masks, maps = [random.random((8, 8)) < 0.3], [random.random((8, 8)).astype(np.float32)]
    scores = random.random(9)
    before = maps[0].copy(), scores.copy()
    pixel_metrics(masks, maps)
    image_auroc(np.arange(9) < 4, scores)
    assert (maps[0] == before[0]).all()
    assert (scores == before[1]).all()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 60), st.integers(0, 60), st.sampled_from([0.9, 0.95]))
def test_binomial_interval_agrees_with_scipy(count: int, others: int, confidence: float) -> None:
    n = count + others
    if n == 0:
        assert all(math.isnan(edge) for edge in binomial_interval(0, 0))
        return
    exact = stats.binomtest(count, n).proportion_ci(confidence, method="exact")
    assert binomial_interval(count, n, confidence) == pytest.approx((exact.low, exact.high), abs=1e-9)


def test_auroc_interval_covers_the_truth_as_often_as_it_says() -> None:
    """Binormal parts of a known AUROC, as few and as unbalanced as test sets are."""
    random, trials = np.random.default_rng(0), 1500
    for true_auroc, n_anomalous, n_normal in [(0.95, 119, 41), (0.8, 30, 20), (0.99, 60, 26)]:
        shift = math.sqrt(2) * stats.norm.ppf(true_auroc)
        labels = np.arange(n_anomalous + n_normal) < n_anomalous
        covered = 0
        for _ in range(trials):
            measured = image_auroc(labels, random.normal(size=labels.size) + shift * labels)
            low, high = auroc_interval(measured, n_anomalous, n_normal)
            assert low <= measured <= high
            covered += low <= true_auroc <= high
        assert 0.93 <= covered / trials <= 0.99


def test_auroc_interval_keeps_its_width_at_a_perfect_score_and_narrows_with_more_parts() -> None:
    few, many = auroc_interval(1.0, 20, 10), auroc_interval(1.0, 2000, 1000)
    assert few[1] == many[1] == 1.0
    assert few[0] < 0.9 < 0.99 < many[0] < 1.0
    low, high = auroc_interval(0.3, 50, 40)
    assert auroc_interval(0.7, 50, 40) == pytest.approx((1 - high, 1 - low), abs=1e-9)
    assert all(math.isnan(edge) for edge in auroc_interval(math.nan, 0, 5))
