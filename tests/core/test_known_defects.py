"""Known defects beside a calibration: exact intervals, and thresholds that no search over all others beats."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from blemish.core.conformal import Calibration
from blemish.core.errors import UsageError
from blemish.core.known_defects import Costs, Thresholds, escapes

GRID = st.integers(0, 30).map(float)  # so coarse that ties are common
SCORES = st.lists(GRID, min_size=1, max_size=25)
RECALLS = st.sampled_from([0.2, 0.5, 0.8, 0.9, 1.0])


def calibration_of(scores: list[float], groups: int = 0) -> Calibration:
    ordered = np.sort(np.asarray(scores, np.float32))
    return Calibration(ordered, np.arange(len(ordered)) % groups if groups else None)


def candidates(good: list[float], defects: list[float]) -> np.ndarray:
    """Every threshold that can differ from another, but those that reject all good parts."""
    return np.unique([score for score in [*good, *defects] if score >= min(good)])


@given(st.integers(1, 60), st.data())
def test_the_interval_is_scipys(n: int, data: st.DataObject) -> None:
    missed = data.draw(st.integers(0, n))
    seen = escapes(np.repeat([0.0, 1.0], [missed, n - missed]), 0.5)
    expected = binomtest(missed, n).proportion_ci(0.95, "exact")
    assert (seen.n, seen.missed) == (n, missed)
    assert (seen.low, seen.high) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_the_interval_holds_in_simulated_lots() -> None:
    rng = np.random.default_rng(0)
    held = 0
    for _ in range(400):
        seen = escapes(rng.random(12), 0.3)  # three in ten such defects are missed
        held += seen.low <= 0.3 <= seen.high
    assert held >= 0.95 * 400


@pytest.mark.parametrize(("n", "recall"), [(1, 1.0), (9, 0.9), (20, 0.9), (40, 0.6)])
def test_others_are_missed_as_often_as_is_expected(n: int, recall: float) -> None:
    rng = np.random.default_rng(n)
    calibration = calibration_of(list(np.linspace(0, 1, 400)))  # so fine that no room is given away
    shares, expected = [], []
    for _ in range(600):
        chosen = Thresholds.of(calibration, 0.01 + 0.98 * rng.random(n)).by_recall(recall)
        shares.append((chosen.threshold - 0.01) / 0.98)  # of uniform defects: the chance that one is missed
        expected.append(chosen.escapes.expected)
    error = 4 * np.std(shares) / np.sqrt(len(shares))
    assert np.mean(expected) - error - 0.01 <= np.mean(shares) <= np.mean(expected) + error


def test_a_score_on_the_threshold_is_missed() -> None:
    assert escapes([2.0, 3.0], 2.0).missed == 1


@given(SCORES, SCORES, RECALLS, st.sampled_from([0, 3]))
def test_no_threshold_with_the_recall_rejects_fewer(
    good: list[float], defects: list[float], recall: float, groups: int
) -> None:
    calibration = calibration_of(good, groups)
    reach = [at for at in candidates(good, defects) if escapes(defects, at).recall >= recall - 1e-9]
    if not reach:
        with pytest.raises(UsageError, match=f"A recall of {recall:g} cannot be had"):
            Thresholds.of(calibration, defects).by_recall(recall)
        return
    chosen = Thresholds.of(calibration, defects).by_recall(recall)
    assert chosen.escapes == escapes(defects, chosen.threshold)
    assert chosen.escapes.recall >= recall - 1e-9
    assert chosen.gave_way is None
    fewest = min(calibration.promise(at).expected for at in reach)
    assert calibration.promise(chosen.threshold).expected == pytest.approx(fewest)


@given(
    st.lists(GRID, min_size=19, max_size=40),
    st.lists(GRID.map(lambda score: score + 0.5), min_size=1, max_size=25),
    RECALLS,
    st.sampled_from([0.05, 0.1, 0.3]),
)
def test_the_recall_wins_over_the_rate_and_says_so(
    good: list[float], defects: list[float], recall: float, rate: float
) -> None:
    good = [0.0, *good]  # every defect scores above some good part
    calibration = calibration_of(good)
    chosen = Thresholds.of(calibration, defects).by_recall(recall, rate)
    expected = calibration.promise(chosen.threshold).expected
    assert chosen.escapes.recall >= recall - 1e-9
    if escapes(defects, calibration.threshold(rate)).recall >= recall - 1e-9:
        assert chosen.gave_way is None
        assert expected <= rate + 1e-9
        assert chosen.threshold == calibration.threshold(rate)  # all of the rate is used
    else:
        assert expected > rate
        assert chosen.gave_way == (
            f"The false-reject rate of {rate:g} gave way to a recall of {recall:g}: it becomes {expected:.4f}."
        )


@given(SCORES, SCORES, st.sampled_from([(50.0, 1.0, 0.01), (1.0, 1.0, 0.5), (1.0, 0.0, 0.1)]))
def test_no_threshold_costs_less(
    good: list[float], defects: list[float], costs: tuple[float, float, float]
) -> None:
    calibration = calibration_of(good)
    missed, false_reject, share = costs

    def cost(at: float) -> float:
        good_share = (1 - share) * false_reject * calibration.promise(at).expected
        return share * missed * float(np.mean(np.asarray(defects) <= at)) + good_share

    chosen = Thresholds.of(calibration, defects).by_cost(Costs(*costs))
    assert chosen.value == pytest.approx(cost(chosen.threshold))
    assert chosen.value <= min(map(cost, candidates(good, defects))) + 1e-9


@given(SCORES, SCORES)
def test_no_threshold_has_a_better_f1(good: list[float], defects: list[float]) -> None:
    calibration = calibration_of(good)

    def f1(at: float) -> float:  # of counts, one good part more above as nobody knows better
        found = np.count_nonzero(np.asarray(defects) > at)
        false = calibration.promise(at).expected * calibration.n
        return 2 * found / (len(defects) + found + false)

    chosen = Thresholds.of(calibration, defects).by_f1()
    assert chosen.value == pytest.approx(f1(chosen.threshold))
    assert chosen.value >= max(map(f1, candidates(good, defects))) - 1e-9


def test_the_dearer_a_miss_the_lower_the_threshold() -> None:
    rng = np.random.default_rng(3)
    calibration = calibration_of(list(rng.normal(10, 1, 200)))
    thresholds = Thresholds.of(calibration, rng.normal(12, 1.5, 40))
    at = [thresholds.by_cost(Costs(missed, 1.0)).threshold for missed in (1, 10, 100, 1000)]
    assert at == sorted(at, reverse=True)
    assert at[0] > at[-1]


def test_what_limits_the_cheapest_is_said() -> None:
    thresholds = Thresholds.of(calibration_of(list(range(1, 100))), [40.5, 60.5, 99.5])
    free = thresholds.by_cost(Costs(1000, 1, 0.5))
    assert (free.threshold, free.escapes.missed, free.gave_way) == (40.0, 0, None)
    limited = thresholds.by_cost(Costs(1000, 1, 0.5), rate=0.05)
    assert (limited.threshold, limited.escapes.missed) == (99.0, 2)
    assert limited.gave_way is not None
    assert "gave way to a false-reject rate of 0.05" in limited.gave_way
    assert "reject 60.00% of good parts" in limited.gave_way
    lazy = thresholds.by_cost(Costs(1, 1000, 0.5), recall=0.6)
    assert lazy.threshold == 60.0
    assert lazy.gave_way is not None
    assert "gave way to a recall of 0.6: it would miss 2 of 3" in lazy.gave_way


def test_what_cannot_be_meant_is_refused() -> None:
    thresholds = Thresholds.of(calibration_of([1.0, 2.0, 3.0]), [4.0])
    with pytest.raises(UsageError, match=r"smallest that they can is 0\.2500"):
        thresholds.by_recall(1.0, 0.1)
    with pytest.raises(UsageError, match=r"A recall of 1\.5 is not possible"):
        thresholds.by_recall(1.5)
    with pytest.raises(UsageError, match="decide nothing"):
        thresholds.by_cost(Costs(0, 0))
    with pytest.raises(UsageError, match="decide nothing"):
        thresholds.by_cost(Costs(float("nan"), 1))
    with pytest.raises(UsageError, match="A share of 1 of defective parts"):
        thresholds.by_f1(1.0)
    for scores in ([], [float("nan")], [[1.0]]):
        with pytest.raises(UsageError, match="none of known defects"):
            escapes(scores, 1.0)
    with pytest.raises(UsageError, match=r"give a recall of at most 0\.5"):
        Thresholds.of(calibration_of([1.0, 2.0]), [0.5, 3.0]).by_recall(1.0)
