"""Thresholds against scikit-learn and brute force, what they saw, and how they are drawn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn import metrics as reference

from blemish.core.calibration import deviation_threshold, quantile_threshold
from blemish.core.errors import BlemishError, UsageError
from blemish.evaluation.figures import threshold_figure
from blemish.evaluation.metrics import decide
from blemish.evaluation.thresholds import (
    RULES,
    choose_thresholds,
    f1_threshold,
    youden_threshold,
)

# A few levels only, so that scores tie often.
level = st.integers(-6, 6).map(lambda value: value / 4)
scored = st.lists(st.tuples(st.booleans(), level), min_size=2, max_size=40)


def arrays(drawn: list[tuple[bool, float]]) -> tuple[np.ndarray, np.ndarray]:
    labels, scores = np.array([one for one, _ in drawn]), np.array([score for _, score in drawn])
    assume(labels.any() and not labels.all())
    return labels, scores


def every_decision(scores: np.ndarray) -> list[float]:
    """One threshold for each decision that is possible, ascending."""
    return [float(scores.min()) - 1, *np.unique(scores).tolist()]


@settings(max_examples=200, deadline=None)
@given(drawn=scored)
def test_no_threshold_has_a_better_f1(drawn: list[tuple[bool, float]]) -> None:
    labels, scores = arrays(drawn)
    reached = reference.f1_score(labels, scores > f1_threshold(labels, scores))
    best = max(reference.f1_score(labels, scores > t, zero_division=0) for t in every_decision(scores))
    assert reached == pytest.approx(best)


@settings(max_examples=200, deadline=None)
@given(drawn=scored)
def test_no_threshold_has_a_larger_j(drawn: list[tuple[bool, float]]) -> None:
    labels, scores = arrays(drawn)
    false_rejects, recalls, _ = reference.roc_curve(labels, scores, drop_intermediate=False)
    decision = decide(labels, scores, youden_threshold(labels, scores))
    j = decision.recall - decision.false_positives / np.count_nonzero(~labels)
    # The corner that rejects nothing has a J of 0, which a threshold below an anomalous score may not reach.
    assert j == pytest.approx(np.max((recalls - false_rejects)[1:]))


@settings(max_examples=100, deadline=None)
@given(scores=st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=300), quantile=st.floats(0.01, 0.999))
def test_rules_of_good_images(scores: list[float], quantile: float) -> None:
    values = np.array(scores)
    assert quantile_threshold(values, quantile) == np.quantile(values, quantile, method="higher")
    assert np.mean(values > quantile_threshold(values, quantile)) <= 1 - quantile
    spread = np.sqrt(np.sum((values - values.mean()) ** 2) / max(1, len(values) - 1))
    assert deviation_threshold(values) == pytest.approx(values.mean() + 3 * spread, rel=1e-9, abs=1e-6)


def test_each_threshold_says_what_it_saw_and_is_judged_on_others() -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(60) >= 40
    scores = rng.normal(0, 1, 60) + 3 * labels
    chosen = choose_thresholds(labels, scores, "validation, seed 0")
    assert [threshold.rule for threshold in chosen] == list(RULES)
    seen = {threshold.rule: (threshold.seen.n_normal, threshold.seen.n_anomalous) for threshold in chosen}
    assert seen == {"f1": (40, 20), "youden": (40, 20), "deviations": (40, 0), "quantile": (40, 0)}
    by_rule = {threshold.rule: threshold.value for threshold in chosen}
    assert by_rule["quantile"] == scores[~labels].max()
    assert by_rule["deviations"] == pytest.approx(scores[:40].mean() + 3 * scores[:40].std(ddof=1))
    others, other_scores = np.arange(30) >= 20, rng.normal(0, 1, 30) + 3 * (np.arange(30) >= 20)
    for threshold in chosen:
        assert threshold.to_json()["seen"]["split"] == "validation, seed 0"
        assert "40 good" in threshold.seen.sentence()
        decision = threshold.judge(others, other_scores)
        rejected = other_scores > threshold.value
        assert decision.precision == pytest.approx(reference.precision_score(others, rejected))
        assert decision.recall == pytest.approx(reference.recall_score(others, rejected))
    alone = choose_thresholds(np.zeros(40, bool), scores[:40], "good images")
    assert [threshold.rule for threshold in alone] == ["deviations", "quantile"]


def test_what_gives_no_threshold_is_refused() -> None:
    normal, defective = np.zeros(4), np.ones(4)
    for of_both in (f1_threshold, youden_threshold):
        for labels in (normal, defective):
            with pytest.raises(UsageError, match="one class is absent"):
                of_both(labels, np.arange(4.0))
    for wrong in ([], [np.nan], [[1.0]]):
        with pytest.raises(UsageError, match="at least one of a good image"):
            deviation_threshold(np.array(wrong))
    with pytest.raises(UsageError, match="between 0 and 1"):
        quantile_threshold(np.arange(4.0), 1.0)
    with pytest.raises(BlemishError, match="not finite"):
        choose_thresholds(normal, np.array([1, 2, np.inf, 3]), "")
    with pytest.raises(UsageError, match="at least one of a good image"):
        choose_thresholds(defective, np.arange(4.0), "")
    assert deviation_threshold(np.array([2.5])) == 2.5, "a single score has no spread"


def test_the_figure_counts_every_score_and_marks_every_threshold() -> None:
    labels = np.arange(50) >= 30
    scores = np.random.default_rng(1).normal(0, 1, 50) + 2 * labels
    chosen = choose_thresholds(labels, scores, "validation")
    figure = threshold_figure(labels, scores, chosen)
    bars, lines = figure.data[:2], figure.data[2:]
    assert {bar.name: int(np.sum(bar.y)) for bar in bars} == {"good": 30, "defective": 20}
    assert [(line.name, *line.x) for line in lines] == [(one.title, one.value, one.value) for one in chosen]
    assert len({(line.line.color, line.line.dash) for line in lines}) == 4, "told apart"
    highest = max(max(bar.y) for bar in bars)
    assert all(line.y[1] >= highest for line in lines)
