"""Control charts: limits against a second implementation, and how often they are wrong."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blemish.station.insight.control_charts import FALSE_ALARM, control_charts, cusum, p_chart
from blemish.station.insight.levels import levels, typical_rate

SAMPLES = st.lists(
    st.integers(1, 300).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n))), min_size=1, max_size=40
)


def drawn(chance: np.random.Generator, rates: list[float], n: int = 400) -> tuple[list[int], list[int]]:
    counts = chance.integers(n // 2, 2 * n, len(rates)).tolist()
    return counts, chance.binomial(counts, rates).tolist()


def test_limits_of_an_even_process_are_those_of_the_handbook() -> None:
    counts, hits = drawn(np.random.default_rng(1), [0.04] * 30)
    chart = p_chart(counts, hits)
    mean = sum(hits) / sum(counts)
    assert chart.mean == pytest.approx(mean) and not chart.out.any() and chart.left_out == 0
    for n, lower, upper in zip(counts, chart.lower, chart.upper, strict=True):
        error = math.sqrt(mean * (1 - mean) / n)
        assert (lower, upper) == pytest.approx((max(0, mean - 3 * error), mean + 3 * error))


def test_a_sample_beyond_the_trial_limits_does_not_move_them() -> None:
    counts, hits = [500] * 20, [10, 9, 11, 10, 12, 8, 10, 11, 9, 10] * 2
    hits[7] = 60
    chart = p_chart(counts, hits)
    assert np.flatnonzero(chart.out).tolist() == [7] and chart.left_out == 1
    assert chart.mean == pytest.approx((sum(hits) - 60) / (500 * 19))


def test_one_reject_among_few_parts_is_not_out_of_control() -> None:
    counts, hits = [2000] * 20 + [10], [4] * 20 + [1]
    assert not p_chart(counts, hits).out.any()


def test_limits_widen_where_rates_scatter_further_than_by_chance() -> None:
    chance = np.random.default_rng(2)
    rates = np.clip(chance.normal(0.05, 0.02, 60), 0.001, 1)
    counts, hits = drawn(chance, rates.tolist(), 2000)
    chart = p_chart(counts, hits)
    assert chart.overdispersed
    between = np.std(rates) / math.sqrt(0.05 * 0.95 / np.mean(counts))
    assert chart.spread == pytest.approx(math.hypot(1, between), rel=0.3)
    assert chart.out.sum() <= 2
    assert (chart.upper - chart.mean)[0] == pytest.approx(
        3 * chart.spread * math.sqrt(chart.mean * (1 - chart.mean) / counts[0])
    )


@given(SAMPLES)
def test_limits_hold_the_usual_rate_and_charts_have_a_point_a_sample(samples: list[tuple[int, int]]) -> None:
    counts, hits = [n for n, _ in samples], [hit for _, hit in samples]
    chart, evidence = control_charts(counts, hits)
    assert len(chart.out) == len(evidence.risen) == len(evidence.fallen) == len(samples)
    assert (chart.lower >= 0).all() and (chart.upper <= 1).all() and chart.spread >= 1
    assert (chart.lower <= chart.mean + 1e-12).all() and (chart.mean <= chart.upper + 1e-12).all()
    for one in evidence.changes:
        assert 0 <= one.since <= one.told <= (len(samples) - 1 if one.until is None else one.until)


@given(SAMPLES.filter(lambda some: 0 < sum(hit for _, hit in some) < sum(n for n, _ in some)))
@settings(max_examples=40)
def test_evidence_is_the_largest_likelihood_ratio_of_the_latest_samples(
    samples: list[tuple[int, int]],
) -> None:
    counts, hits = [n for n, _ in samples], [hit for _, hit in samples]
    usual = sum(hits) / sum(counts)
    found = cusum(counts, hits, usual)
    if found.changes:
        return  # after a change that has ended the evidence begins anew
    for path, odds in ((found.risen, 2 * usual / (1 - usual)), (found.fallen, usual / (1 - usual) / 2)):
        other = odds / (1 + odds)
        gains = [
            x * math.log(other / usual) + (n - x) * math.log((1 - other) / (1 - usual)) for n, x in samples
        ]
        for place, value in enumerate(path):
            largest = max(0.0, *(math.fsum(gains[start : place + 1]) for start in range(place + 1)))
            assert value == pytest.approx(largest, abs=1e-9)


def test_false_alarms_are_as_rare_as_promised() -> None:
    chance = np.random.default_rng(3)
    alarms = 0
    for _ in range(400):
        counts, hits = drawn(chance, [0.02] * 60, 300)
        alarms += bool(cusum(counts, hits, 0.02).changes)
    assert alarms / 400 <= FALSE_ALARM


def test_changes_are_found_where_they_are_also_if_they_last_for_half_of_the_time() -> None:
    chance = np.random.default_rng(4)
    rates = [0.012] * 14 + [0.04] * 7 + [0.012] * 9 + [0.03] * 10
    counts, hits = drawn(chance, rates, 900)
    chart, evidence = control_charts(counts, hits)
    risen = [one for one in evidence.changes if one.rising]
    assert len(risen) == len(evidence.changes) == 2
    assert abs(risen[0].since - 14) <= 1 and risen[0].until is not None and abs(risen[0].until - 20) <= 1
    assert abs(risen[1].since - 30) <= 1 and risen[1].until is None
    assert chart.mean == pytest.approx(0.012, rel=0.15)


def test_nothing_judged_and_nothing_rejected_are_charts_too() -> None:
    empty, evidence = control_charts([], [])
    assert math.isnan(empty.mean) and evidence.changes == ()
    chart, evidence = control_charts([50, 60], [0, 0])
    assert chart.mean == 0 and not chart.out.any() and evidence.changes == ()


def likelihood(n: int, x: int) -> float:
    return sum(count * math.log(count / n) for count in (x, n - x) if count)


@given(SAMPLES.filter(lambda some: len(some) <= 7))
@settings(max_examples=40)
def test_no_other_way_to_cut_is_better(samples: list[tuple[int, int]]) -> None:
    counts, hits = [n for n, _ in samples], [hit for _, hit in samples]

    def worth(pieces: list[tuple[int, int]]) -> float:
        told = sum(likelihood(sum(counts[one:end]), sum(hits[one:end])) for one, end in pieces)
        return told - 2 * math.log(max(len(counts), 2)) * (len(pieces) - 1)

    ways = []
    for mask in range(2 ** (len(counts) - 1)):
        edges = [0, *(place + 1 for place in range(len(counts) - 1) if mask >> place & 1), len(counts)]
        ways.append(list(pairwise(edges)))
    found = levels(counts, hits)
    assert [one for one, _ in found] == [0, *(end for _, end in found[:-1])] and found[-1][1] == len(counts)
    assert worth(found) == pytest.approx(max(map(worth, ways)), abs=1e-9)


def test_the_usual_rate_is_a_level_and_no_mixture() -> None:
    counts, hits = drawn(np.random.default_rng(8), [0.01] * 20 + [0.05] * 15, 900)
    assert typical_rate(counts, hits) == pytest.approx(0.01, rel=0.2)
    assert typical_rate(counts[::-1], hits[::-1]) == pytest.approx(typical_rate(counts, hits))
    counts, hits = drawn(np.random.default_rng(9), [0.02] * 3000, 30)
    assert typical_rate(counts, hits) == pytest.approx(sum(hits) / sum(counts))
    assert typical_rate([], []) == 0


def test_steps_of_the_rate_are_no_scatter() -> None:
    counts, hits = drawn(np.random.default_rng(10), [0.01] * 12 + [0.04] * 9 + [0.01] * 9, 900)
    assert not p_chart(counts, hits).overdispersed
