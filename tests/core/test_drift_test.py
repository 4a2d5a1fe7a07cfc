"""The test for drift: its stated rate of false alarms, what it tells, and that it calms down again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blemish.core.conformal import Calibration
from blemish.core.drift import (
    LEARNT,
    RECENT,
    SLOPES,
    CalibrationTest,
    ChangeTest,
    Evidence,
    Reference,
    calibration_margin,
    chances,
    limit_of,
)

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
LIMIT = 1e6
Numbers = np.ndarray[tuple[int, ...], np.dtype[np.float64]]


def moment(number: int) -> datetime:
    return NOON + timedelta(seconds=number)


def watched(values: Numbers, seed: int = 0, limit: float = LIMIT) -> tuple[ChangeTest, list[int]]:
    """The test after these parts, and which of them it spoke at."""
    test, rng = ChangeTest(limit), np.random.default_rng(seed)
    chance = rng.random(len(values))
    said = [n for n, value in enumerate(values) if test.observe(float(value), moment(n), chance[n])]
    return test, said


DISTRIBUTIONS: dict[str, Callable[[np.random.Generator, int], Numbers]] = {
    "normal": lambda rng, n: rng.normal(100, 5, n),
    "heavy tails": lambda rng, n: rng.standard_cauchy(n),
    "a few values": lambda rng, n: rng.integers(3, size=n).astype(float),
    "always the same": lambda rng, n: np.zeros(n),
    "cut off where parts do not pass": lambda rng, n: np.sort(rng.gamma(4, 1, 2 * n))[:n][rng.permutation(n)],
}


@pytest.mark.parametrize("kind", DISTRIBUTIONS)
def test_false_alarms_are_as_rare_as_stated(kind: str) -> None:
    """Within N parts there is one with probability N / limit at most: 300 / 3000 here."""
    runs, n, limit = 60, 300, 3000.0
    alarms = 0
    for seed in range(runs):
        _, said = watched(DISTRIBUTIONS[kind](np.random.default_rng((7, seed)), n), seed, limit)
        alarms += bool(said)
    stated = n / limit
    assert alarms <= runs * stated + 3 * np.sqrt(runs * stated * (1 - stated))


def test_the_mean_run_to_a_false_alarm_is_the_limit_or_a_little_more() -> None:
    """Of Shiryaev-Roberts on uniform p-values: an alarm that never came would be no test."""
    rng, runs, limit = np.random.default_rng(3), 400, 200.0
    lengths = []
    for _ in range(runs):
        evidence, n = Evidence(), 0
        while evidence.total < limit:
            evidence.bet(rng.random(), n, NOON)
            n += 1
        lengths.append(n)
    error = np.std(lengths) / np.sqrt(runs)
    assert limit - 3 * error <= np.mean(lengths) <= 2 * limit


@given(st.lists(st.floats(0, 1), min_size=1, max_size=60))
def test_fair_bets_lose_in_the_mean_over_all_p_values(p_values: list[float]) -> None:
    evidence = Evidence()
    for n, p_value in enumerate(p_values):
        evidence.bet(p_value, n, NOON)
    assert (evidence.shiryaev_roberts >= 0).all() and (evidence.cusum >= 0).all()
    grid = (np.arange(1000) + 0.5) / 1000
    assert np.mean([1 + SLOPES * (p - 0.5) for p in grid], axis=0) == pytest.approx(np.ones(len(SLOPES)))


@settings(max_examples=25)
@given(
    st.integers(0, 2**32), st.sampled_from([-3.0, -1.5, 1.5, 3.0]), st.floats(0.01, 100), st.floats(-1e3, 1e3)
)
def test_a_shift_is_told_with_its_direction_and_its_beginning(
    seed: int, shift: float, spread: float, middle: float
) -> None:
    rng = np.random.default_rng(seed)
    values = rng.standard_normal(500)
    values[300:] += shift
    test, said = watched(middle + spread * values, seed)
    assert test.change is not None and 300 < said[0] < 420
    assert test.change.rising == (shift > 0)
    # One seed in some thousands dates it two and a half minutes early.
    assert abs((test.change.since - moment(300)).total_seconds()) < 180
    assert test.change.told == moment(said[0])
    # What came since then does not count as before.
    assert abs(test.reference.median - middle) < 0.35 * spread
    assert abs(test.now - (middle + shift * spread)) < 0.7 * spread


def test_a_slow_fall_is_told_too() -> None:
    values = np.random.default_rng(1).normal(100, 5, 2200)
    values[200:] *= np.linspace(1, 0.8, 2000)
    test, said = watched(values)
    assert test.change is not None and not test.change.rising and said[0] < 1000


def test_a_change_that_matters_to_nobody_is_not_told() -> None:
    values = np.random.default_rng(2).standard_normal(6000)
    values[3000:] += 0.1
    assert watched(values)[1] == []


def test_it_ends_where_all_is_as_before_and_begins_again() -> None:
    rng = np.random.default_rng(4)
    values = rng.standard_normal(1200)
    values[300:500] -= 3
    values[900:] += 3
    test, said = watched(values)
    told, ended, again = said
    assert 300 < told < 400 and 500 < ended < 500 + 6 * RECENT and 900 < again < 1000
    assert test.change is not None and test.change.rising


def test_nothing_is_told_before_enough_is_learnt() -> None:
    values = np.arange(LEARNT, dtype=float)
    assert watched(values)[1] == []
    assert watched(np.arange(2.0 * LEARNT))[1] != []


@given(st.lists(st.floats(-1e6, 1e6), max_size=50), st.floats(-1e6, 1e6), st.floats(0, 1, exclude_max=True))
def test_ranks_are_those_of_a_sorted_list(values: list[float], value: float, chance: float) -> None:
    reference = Reference()
    for one in values:
        reference.add(one)
    below, same = sum(one < value for one in values), sum(one == value for one in values)
    assert reference.rank(value, chance) == pytest.approx((below + chance * (same + 1)) / (len(values) + 1))
    reference.cut(3)
    assert reference.values == values[:3]


def calibrated(seed: int, worse: float, n: int = 300) -> list[float]:
    """p-values of parts of which each scores `worse` more than those of a calibration of `n`."""
    rng = np.random.default_rng(seed)
    calibration = Calibration(np.sort(rng.standard_normal(n)))
    return [calibration.p_value(score) for score in rng.standard_normal(3000) + worse]


@pytest.mark.parametrize(("worse", "told"), [(0.0, False), (-0.7, False), (1.0, True)])
def test_a_calibration_that_does_not_hold_is_told(worse: float, told: bool) -> None:
    for seed in range(6):
        test = CalibrationTest(LIMIT, 300)
        for n, p_value in enumerate(p for p in calibrated(seed, worse) if p > 0.05):  # of passed parts
            test.observe(p_value, moment(n))
        assert (test.change is not None) == told


def test_a_calibration_that_holds_again_is_no_longer_told() -> None:
    test, rng = CalibrationTest(LIMIT, 300), np.random.default_rng(0)
    said = [test.observe(p_value, moment(n)) for n, p_value in enumerate(0.2 * rng.random(300))]
    assert any(said) and test.change is not None
    for n, p_value in enumerate(rng.random(3 * RECENT)):
        test.observe(p_value, moment(300 + n))
    assert test.change is None


def test_a_small_calibration_claims_little() -> None:
    assert calibration_margin(20) > 0.2 and calibration_margin(5000) < 0.02


def test_ties_are_broken_alike_whenever_a_part_is_read() -> None:
    assert chances(17, 8) == chances(17, 8) != chances(18, 8)
    drawn = np.array([chances(number, 8) for number in range(1, 1000)])
    assert abs(drawn.mean() - 0.5) < 0.02 and abs(np.corrcoef(drawn.T) - np.eye(8)).max() < 0.15


def test_several_tests_share_one_rate() -> None:
    assert limit_of(1000, 9) == 9000
