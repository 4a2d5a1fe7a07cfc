"""Statistics of the history: counts, control chart, Pareto and trend of the scores. What is void is in none of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Literal, NamedTuple

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Integer,
    and_,
    case,
    func,
    literal_column,
    not_,
    or_,
    select,
    type_coerce,
)

from blemish.core.errors import UsageError
from blemish.core.types import Verdict
from blemish.station.database import Database
from blemish.station.log import conditions
from blemish.station.records import InspectionFilter
from blemish.station.schema import INSPECTIONS

Bucket = Literal["hour", "day"]

_ROW = INSPECTIONS.c
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_BUCKETS: dict[Bucket, timedelta] = {"hour": timedelta(hours=1), "day": timedelta(days=1)}
_MOST_BUCKETS = 5000


@dataclass(frozen=True)
class Summary:
    """Counts of inspections.

    Attributes:
        n: all; passed, reviewed, rejected, not_judged: by verdict.
        reject_rate: rejected / those judged; NaN where there are none.
        confirmed: passed and found good, or rejected and found bad.
        false_rejects: rejected, but found good; missed: passed, but found bad.
        without_feedback: of which nobody has said anything.
        without_defect_type: rejected or found bad, not found good, and without a defect type.
    """

    n: int
    passed: int
    reviewed: int
    rejected: int
    reject_rate: float
    confirmed: int
    false_rejects: int
    missed: int
    without_feedback: int
    without_defect_type: int
    not_judged: int

    @property
    def contradicted(self) -> int:
        """Verdicts that people found wrong."""
        return self.false_rejects + self.missed


class RateBucket(NamedTuple):
    """One hour or day of a control chart: its start in UTC, counts, reject rate, control limits, and if it is out.

    Photographs that were not judged are left out.
    """

    start: datetime
    n: int
    rejected: int
    rate: float
    lower: float
    upper: float
    out_of_control: bool


class DefectShare(NamedTuple):
    """One bar of a Pareto chart; shares are of all parts with a defect type, 0 to 1."""

    defect_type: str
    count: int  # type: ignore[assignment]  # hides tuple.count, which nobody needs here
    share: float
    cumulative_share: float


class ScoreBucket(NamedTuple):
    """Scores of one hour or day: its start in UTC, how many parts, and the 5 %, 50 % and 95 % point of their scores.

    Points are scores of parts (nearest rank), never between two; `threshold` is the highest of that time. Photographs
    that were not judged are left out.
    """

    start: datetime
    n: int
    low: float
    median: float
    high: float
    threshold: float


class FirstPass(NamedTuple):
    """Parts at their first inspection: how many, and with which verdict.

    Those of one serial number are one part; without one, those of one and the same file.
    """

    n: int
    passed: int
    reviewed: int
    rejected: int
    not_judged: int


class ScorePoint(NamedTuple):
    """One point of the trend."""

    time: datetime
    score: float
    threshold: float


class HistoryStatistics:
    """What the history says as numbers; each question is one or two queries that use the filters' indexes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def summary(self, which: InspectionFilter | None = None) -> Summary:
        """Counts by verdict and by feedback."""
        untyped = func.sum(case((_ROW.defect_type.is_(None), 1), else_=0))
        query = (
            select(_ROW.verdict, _ROW.truth, func.count(), untyped)
            .where(*_counted(which))
            .group_by(_ROW.verdict, _ROW.truth)
        )
        with self._database.session() as session:
            counted = [tuple(found) for found in session.execute(query)]

        def count(verdict: Verdict | None = None, *truths: str | None) -> int:
            return sum(
                int(n)
                for found, truth, n, _ in counted
                if verdict in (None, found) and (not truths or truth in truths)
            )

        n, rejected, not_judged = count(), count(Verdict.REJECT), count(Verdict.NOT_JUDGED)
        judged = n - not_judged
        return Summary(
            n=n,
            passed=count(Verdict.PASS),
            reviewed=count(Verdict.REVIEW),
            rejected=rejected,
            reject_rate=rejected / judged if judged else math.nan,
            confirmed=count(Verdict.PASS, "good") + count(Verdict.REJECT, "bad"),
            false_rejects=count(Verdict.REJECT, "good"),
            missed=count(Verdict.PASS, "bad"),
            without_feedback=count(None, None),
            without_defect_type=sum(
                int(n)
                for found, truth, _, n in counted
                if truth == "bad" or (found == Verdict.REJECT and truth is None)
            ),
            not_judged=not_judged,
        )

    def reject_rates(
        self, which: InspectionFilter | None = None, bucket: Bucket = "hour"
    ) -> list[RateBucket]:
        """A p chart of the reject rate by hours or days of UTC, oldest first, empty ones left out, the latest 5,000.

        Raises:
            UsageError: `bucket` is neither "hour" nor "day".
        """
        _check_bucket(bucket)
        span, number = _BUCKETS[bucket], _bucket_number(bucket)
        query = (
            select(
                number.label("number"),
                func.count(),
                func.sum(case((_ROW.verdict == Verdict.REJECT.value, 1), else_=0)),
            )
            .where(_ROW.verdict != Verdict.NOT_JUDGED.value, *_counted(which))
            .group_by("number")
            .order_by(number.desc())
            .limit(_MOST_BUCKETS)
        )
        with self._database.session() as session:
            rows = [(int(found[0]), int(found[1]), int(found[2])) for found in session.execute(query)][::-1]
        limits = control_limits([n for _, n, _ in rows], [rejected for *_, rejected in rows])
        return [
            RateBucket(
                _EPOCH + position * span,
                n,
                rejected,
                rejected / n,
                lower,
                upper,
                not lower <= rejected / n <= upper,
            )
            for (position, n, rejected), (lower, upper) in zip(rows, limits, strict=True)
        ]

    def pareto(self, which: InspectionFilter | None = None) -> list[DefectShare]:
        """Defect types that people gave, the most frequent first."""
        query = (
            select(_ROW.defect_type, func.count())
            .where(_ROW.defect_type.is_not(None), *_counted(which))
            .group_by(_ROW.defect_type)
            .order_by(func.count().desc(), _ROW.defect_type)
        )
        with self._database.session() as session:
            counted = [(str(name), int(count)) for name, count in session.execute(query)]
        total, reached, shares = sum(count for _, count in counted), 0, []
        for name, count in counted:
            reached += count
            shares.append(DefectShare(name, count, count / total, reached / total))
        return shares

    def score_trend(
        self, which: InspectionFilter | None = None, bucket: Bucket = "hour"
    ) -> list[ScoreBucket]:
        """How scores lie by hours or days of UTC, oldest first, empty ones left out, the latest 5,000.

        Raises:
            UsageError: `bucket` is neither "hour" nor "day".
        """
        _check_bucket(bucket)
        number = _bucket_number(bucket).label("number")
        ranked = (
            select(
                number,
                _ROW.score,
                _ROW.threshold,
                func.row_number().over(partition_by=number, order_by=_ROW.score).label("rank"),
                func.count().over(partition_by=number).label("n"),
            )
            .where(_ROW.verdict != Verdict.NOT_JUDGED.value, *_counted(which))
            .subquery()
        )

        def point(percent: int) -> ColumnElement[float]:
            """The score whose rank is the smallest that is at least so much of all."""
            nearest = (ranked.c.n * percent + 99) // literal_column("100", Integer)
            return func.max(case((ranked.c.rank == nearest, ranked.c.score)))

        query = (
            select(
                ranked.c.number,
                func.max(ranked.c.n),
                point(5),
                point(50),
                point(95),
                func.max(ranked.c.threshold),
            )
            .group_by(ranked.c.number)
            .order_by(ranked.c.number.desc())
            .limit(_MOST_BUCKETS)
        )
        with self._database.session() as session:
            rows = [tuple(found) for found in session.execute(query)][::-1]
        return [ScoreBucket(_EPOCH + int(at) * _BUCKETS[bucket], int(n), *points) for at, n, *points in rows]

    def first_pass(self, which: InspectionFilter | None = None) -> FirstPass:
        """How parts came out at their first inspection, of those that had it within the time that is asked for."""
        earlier = INSPECTIONS.alias("earlier")
        seen = select(earlier.c.id).where(
            earlier.c.serial_number == _ROW.serial_number,
            # Said so that no planner takes the index of inspectors, in which it would read all of them for each row.
            func.coalesce(earlier.c.inspector, "") == _ROW.inspector,
            earlier.c.id < _ROW.id,
            earlier.c.voided.is_(None),
        )
        again = or_(_ROW.repeat_of.is_not(None), and_(_ROW.serial_number.is_not(None), seen.exists()))
        query = select(_ROW.verdict, func.count()).where(not_(again), *_counted(which)).group_by(_ROW.verdict)
        with self._database.session() as session:
            found = {verdict: int(n) for verdict, n in session.execute(query)}
        by_verdict = [
            found.get(one, 0) for one in (Verdict.PASS, Verdict.REVIEW, Verdict.REJECT, Verdict.NOT_JUDGED)
        ]
        return FirstPass(sum(by_verdict), *by_verdict)

    def scores(self, which: InspectionFilter | None = None, limit: int = 1000) -> list[ScorePoint]:
        """The latest `limit` scores with their thresholds, oldest first."""
        query = (
            select(_ROW.time, _ROW.score, _ROW.threshold)
            .where(*_counted(which))
            .order_by(_ROW.time.desc(), _ROW.id.desc())
            .limit(limit)
        )
        with self._database.session() as session:
            return [ScorePoint(*found) for found in session.execute(query)][::-1]


def _counted(which: InspectionFilter | None) -> list[ColumnElement[bool]]:
    """A filter as conditions; what is void is left out unless it is asked for."""
    which = which or InspectionFilter()
    return conditions(replace(which, void=False) if which.void is None else which)


def _check_bucket(bucket: str) -> None:
    if bucket not in _BUCKETS:
        raise UsageError(f"Rates by {str(bucket)[:40]!a} are not possible: choose hour or day.")


def _bucket_number(bucket: Bucket) -> ColumnElement[int]:
    """Hours or days since 1970: times are whole microseconds in every database, so that a division tells them."""
    return type_coerce(_ROW.time, BigInteger) // literal_column(
        str(_BUCKETS[bucket] // _MICROSECOND), Integer
    )


def control_limits(counts: Sequence[int], rejected: Sequence[int]) -> list[tuple[float, float]]:
    """Limits of a p chart: three standard errors around the mean rate, by the size of each sample, within 0 and 1.

    Follows NIST/SEMATECH, e-Handbook of Statistical Methods, 6.3.3.2 "Proportions Control Charts".

    Args:
        counts: inspected parts of each sample, each at least 1.
        rejected: how many of them were rejected.
    """
    total = sum(counts)
    mean = sum(rejected) / total if total else 0.0
    spreads = [3 * math.sqrt(mean * (1 - mean) / n) for n in counts]
    return [(max(0.0, mean - spread), min(1.0, mean + spread)) for spread in spreads]
