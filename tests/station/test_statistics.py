"""Statistics: counts by hand, and the limits of the control chart."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Callable
from datetime import timedelta

import pytest

from blemish.core.errors import UsageError
from blemish.core.types import Verdict
from blemish.station.database import Database
from blemish.station.log import InspectionLog
from blemish.station.records import InspectionFilter, NewFeedback, NewInspection
from blemish.station.statistics import (
    HistoryStatistics,
    control_limits,
)

Make = Callable[..., NewInspection]


@pytest.fixture
def statistics(database: Database) -> HistoryStatistics:
    return HistoryStatistics(database)


def fill(log: InspectionLog, inspection: Make) -> None:
    chance = random.Random(1)
    numbers = log.add(
        [
            inspection(
                n,
                time=inspection(0).time + timedelta(minutes=13 * n),
                verdict=chance.choices(list(Verdict), [8, 1, 2, 1])[0],
                inspector=chance.choice(["screw", "nut"]),
            )
            for n in range(400)
        ]
    )
    for number in numbers:
        said = chance.choice([None, None, "good", "bad"])
        if said:
            kind = chance.choice([None, "crack", "crack", "stain", "dent"]) if said == "bad" else None
            log.give_feedback(number, NewFeedback(said, kind))


def test_an_empty_history_has_statistics(statistics: HistoryStatistics) -> None:
    summary = statistics.summary()
    assert (summary.n, summary.contradicted) == (0, 0)
    assert math.isnan(summary.reject_rate)
    assert statistics.reject_rates() == statistics.pareto() == statistics.scores() == []


@pytest.mark.parametrize(
    "which", [InspectionFilter(), InspectionFilter(inspector="nut"), InspectionFilter(verdict=Verdict.REJECT)]
)
def test_counts_agree_with_counting_by_hand(
    log: InspectionLog, statistics: HistoryStatistics, inspection: Make, which: InspectionFilter
) -> None:
    fill(log, inspection)
    records = list(log.records(which))
    pairs = Counter((record.verdict, record.truth) for record in records)
    summary = statistics.summary(which)
    assert summary.n == len(records)
    by_verdict = Counter(record.verdict for record in records)
    assert summary.passed == by_verdict[Verdict.PASS]
    assert (summary.reviewed, summary.rejected) == (by_verdict[Verdict.REVIEW], by_verdict[Verdict.REJECT])
    assert summary.not_judged == by_verdict[Verdict.NOT_JUDGED]
    assert summary.reject_rate == by_verdict[Verdict.REJECT] / (len(records) - summary.not_judged)
    assert summary.confirmed == pairs[Verdict.PASS, "good"] + pairs[Verdict.REJECT, "bad"]
    assert (summary.false_rejects, summary.missed) == (
        pairs[Verdict.REJECT, "good"],
        pairs[Verdict.PASS, "bad"],
    )
    assert summary.contradicted == summary.false_rejects + summary.missed
    assert summary.without_feedback == sum(record.truth is None for record in records)
    assert summary.without_defect_type == sum(
        record.defect_type is None
        and (record.truth == "bad" or (record.truth is None and record.verdict == "reject"))
        for record in records
    )
    types = Counter(record.defect_type for record in records if record.defect_type)
    shares = statistics.pareto(which)
    assert {share.defect_type: share[1] for share in shares} == types
    assert [share[1] for share in shares] == sorted(types.values(), reverse=True)
    assert math.isclose(math.fsum(share.share for share in shares), 1)
    assert shares[-1].cumulative_share == 1
    points = statistics.scores(which, 10)
    assert points == [(record.time, record.score, record.threshold) for record in records[-10:]]


@pytest.mark.parametrize(("bucket", "zeroed"), [("hour", {}), ("day", {"hour": 0})])
def test_rates_agree_with_counting_by_hand(
    log: InspectionLog, statistics: HistoryStatistics, inspection: Make, bucket: str, zeroed: dict[str, int]
) -> None:
    fill(log, inspection)
    seen: dict[object, list[bool]] = {}
    for record in log.records():
        start = record.time.replace(minute=0, second=0, microsecond=0, **zeroed)
        if record.verdict is not Verdict.NOT_JUDGED:
            seen.setdefault(start, []).append(record.verdict is Verdict.REJECT)
    rates = statistics.reject_rates(bucket=bucket)
    assert [(rate.start, rate.n, rate.rejected) for rate in rates] == [
        (start, len(found), sum(found)) for start, found in seen.items()
    ]
    mean = sum(map(sum, seen.values())) / sum(map(len, seen.values()))
    for rate in rates:
        spread = 3 * math.sqrt(mean * (1 - mean) / rate.n)
        assert rate.lower == pytest.approx(max(0, mean - spread))
        assert rate.upper == pytest.approx(min(1, mean + spread))
        assert rate.out_of_control == (not rate.lower <= rate.rate <= rate.upper)


def test_a_bad_hour_is_out_of_control(
    log: InspectionLog, statistics: HistoryStatistics, inspection: Make
) -> None:
    log.add(
        [
            inspection(
                time=inspection(0).time + timedelta(hours=hour, seconds=n),
                verdict=Verdict.REJECT if n % 100 < (12 if hour == 17 else 2) else Verdict.PASS,
            )
            for hour in range(24)
            for n in range(100)
        ]
    )
    out = [rate for rate in statistics.reject_rates() if rate.out_of_control]
    assert [(rate.start - inspection(0).time) / timedelta(hours=1) for rate in out] == [17]


def test_other_buckets_are_refused(statistics: HistoryStatistics) -> None:
    with pytest.raises(UsageError, match="choose hour or day"):
        statistics.reject_rates(bucket="week; DROP TABLE")  # type: ignore[arg-type]


def test_limits_are_three_standard_errors_around_the_mean() -> None:
    rejected = [12, 15, 8, 10, 4, 7, 16, 9, 14, 10, 5, 6, 17, 12, 22, 8, 10, 5, 13, 11, 20, 18, 24, 15, 9, 12]
    limits = control_limits([50] * len(rejected), rejected)
    mean = sum(rejected) / 1300
    spread = 3 * math.sqrt(mean * (1 - mean) / 50)
    assert limits == [(pytest.approx(mean - spread), pytest.approx(mean + spread))] * len(rejected)
    assert control_limits([4], [1]) == [(0.0, pytest.approx(0.25 + 3 * math.sqrt(0.1875 / 4)))]
    assert control_limits([10, 1], [0, 0]) == [(0.0, 0.0)] * 2
