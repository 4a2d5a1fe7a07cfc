"""What the log says of the process in a span, as numbers and as sentences."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Literal

import numpy as np
import numpy.typing as npt

from blemish.core.binomial import wilson_interval
from blemish.core.errors import UsageError
from blemish.station.database import Database
from blemish.station.insight.changes import ProcessChange, near
from blemish.station.insight.comparison import GroupRate, compared
from blemish.station.insight.control_charts import Cusum, PChart, control_charts
from blemish.station.insight.counts import (
    DefectivePart,
    HourCount,
    defective_parts,
    hour_counts,
    summed,
)
from blemish.station.insight.kinds import NewKind
from blemish.station.insight.pareto import ParetoBar, pareto
from blemish.station.insight.places import Gathering, gatherings, place_map
from blemish.station.part_counts import FEWEST_EARLIER
from blemish.station.records import InspectionFilter
from blemish.station.statistics import FirstPass, HistoryStatistics

By = Literal["shift", "batch", "camera", "hour"]
Bucket = Literal["hour", "day"]

_HOURS_UP_TO = timedelta(days=4)
"""Longer spans are charted by days."""

_WEEK = timedelta(days=7)
_MOST_WEEKS = 12


@dataclass(frozen=True)
class RatePoint:
    """One sample of the control charts: its start, counts and rate, and what the charts say of it."""

    start: datetime
    n: int
    rejected: int
    rate: float
    lower: float
    upper: float
    out: bool
    risen: float
    fallen: float


@dataclass(frozen=True)
class RateStep:
    """A change of the reject rate that the CUSUM has told.

    Attributes:
        since, told, until: starts of the first sample, of that at which it was told, and of the last; `until` is None
            while it holds.
        rising: whether the rate is higher than usual.
        usual, rate: the usual rate, and that of the samples of the change.
        near: what else changed at about that time, the nearest first.
    """

    since: datetime
    told: datetime
    until: datetime | None
    rising: bool
    usual: float
    rate: float
    near: tuple[ProcessChange, ...] = ()


@dataclass(frozen=True)
class WeekMap:
    """Where defects of a week sit: the start of the week, how many, and the map, cells x cells from the top left."""

    start: datetime
    n: int
    cells: npt.NDArray[np.int64]
    gatherings: tuple[Gathering, ...]


@dataclass(frozen=True)
class Insight:
    """What the log says of the process.

    Attributes:
        inspector, since, until, bucket: of what; times are of `zone`.
        which: the filter.
        n, rejected: judged parts and rejects; rate: of rejects, with low and high of its interval.
        before: rate of the span before, equally long; NaN where less than `FEWEST_EARLIER` were judged then.
        first_pass: parts at their first inspection, and before: of the span before.
        points, chart, steps: the control charts of the reject rate.
        types: Pareto of the defects; named: how many have a name.
        groups: by what parts are compared: the groups that there are.
        weeks: where defects sit, week by week.
        changes: what changed when.
        kinds: new kinds of defects; None where nobody has looked, and `kinds_trouble` says why.
    """

    inspector: str
    since: datetime
    until: datetime
    zone: tzinfo
    bucket: Bucket
    which: InspectionFilter
    n: int
    rejected: int
    rate: float
    low: float
    high: float
    before: float
    first_pass: FirstPass
    first_pass_before: FirstPass
    points: tuple[RatePoint, ...]
    chart: PChart
    limit: float
    steps: tuple[RateStep, ...]
    types: tuple[ParetoBar, ...]
    groups: dict[By, tuple[GroupRate, ...]]
    weeks: tuple[WeekMap, ...]
    changes: tuple[ProcessChange, ...]
    kinds: tuple[NewKind, ...] | None = None
    kinds_trouble: str | None = None

    @property
    def first_pass_yield(self) -> float:
        """Share of parts that passed at their first inspection; NaN where there are none."""
        return self.first_pass.passed / self.first_pass.n if self.first_pass.n else math.nan

    @property
    def first_pass_yield_before(self) -> float:
        """The same of the span before."""
        before = self.first_pass_before
        return before.passed / before.n if before.n >= FEWEST_EARLIER else math.nan


def insight(
    database: Database,
    which: InspectionFilter,
    changes: Sequence[ProcessChange] = (),
    *,
    bucket: Bucket | None = None,
    zone: tzinfo = UTC,
) -> Insight:
    """Read a span of the log of one inspector.

    Args:
        database: of the log.
        which: inspector, since and until have to be given; batch, shift, camera, version and repeats may be.
        changes: of the span, drawn into the charts and named beside changes of the rate.
        bucket: samples of the charts; None for hours in up to four days, and days in more.
        zone: of the clock that days and hours are of.

    Raises:
        UsageError: what has to be given is not, or the span is empty.
        DatabaseError: the log cannot be read.
    """
    inspector, since, until = which.inspector, which.since, which.until
    if inspector is None or since is None or until is None or since >= until:
        raise UsageError("Insight is of one part and of a span that ends after it begins: give both.")
    bucket = bucket or ("hour" if until - since <= _HOURS_UP_TO else "day")
    earlier = replace(
        which, since=max(since - (until - since), datetime(1970, 1, 1, tzinfo=UTC)), until=since
    )
    counts, statistics = hour_counts(database, which), HistoryStatistics(database)
    before = hour_counts(database, earlier)
    n, rejected = sum(one.n for one in counts), sum(one.rejected for one in counts)
    n_before = sum(one.n for one in before)
    by_sample = summed(counts, lambda one: _start(one.start, bucket, zone))
    chart, points, evidence = _charts(by_sample)
    parts = defective_parts(database, which)
    low, high = wilson_interval(rejected, n)
    return Insight(
        inspector=inspector,
        since=since,
        until=until,
        zone=zone,
        bucket=bucket,
        which=which,
        n=n,
        rejected=rejected,
        rate=rejected / n if n else math.nan,
        low=low,
        high=high,
        before=sum(one.rejected for one in before) / n_before if n_before >= FEWEST_EARLIER else math.nan,
        first_pass=statistics.first_pass(which.scope),
        first_pass_before=statistics.first_pass(earlier.scope),
        points=points,
        chart=chart,
        limit=evidence.limit,
        steps=_steps(points, chart, evidence, changes, bucket),
        types=tuple(pareto((one.people, one.inspector) for one in parts)),
        groups=_groups(counts, chart.spread, zone),
        weeks=_weeks(parts, since, until),
        changes=tuple(changes),
    )


def _start(hour: datetime, bucket: Bucket, zone: tzinfo) -> datetime:
    """When the sample began that an hour belongs to, by the clock of a place."""
    there = hour.astimezone(zone)
    return there if bucket == "hour" else there.replace(hour=0, minute=0)


def _charts(by_sample: dict[datetime, tuple[int, int]]) -> tuple[PChart, tuple[RatePoint, ...], Cusum]:
    counts, hits = [n for n, _ in by_sample.values()], [hit for _, hit in by_sample.values()]
    chart, evidence = control_charts(counts, hits)
    points = tuple(
        RatePoint(start, n, hit, hit / n, float(lower), float(upper), bool(out), float(risen), float(fallen))
        for (start, (n, hit)), lower, upper, out, risen, fallen in zip(
            by_sample.items(),
            chart.lower,
            chart.upper,
            chart.out,
            evidence.risen,
            evidence.fallen,
            strict=True,
        )
    )
    return chart, points, evidence


def _steps(
    points: Sequence[RatePoint],
    chart: PChart,
    evidence: Cusum,
    changes: Sequence[ProcessChange],
    bucket: Bucket,
) -> tuple[RateStep, ...]:
    within = timedelta(hours=3) if bucket == "hour" else timedelta(days=1, hours=12)
    middle = timedelta(hours=0.5) if bucket == "hour" else timedelta(hours=12)
    found = []
    for one in evidence.changes:
        last = len(points) - 1 if one.until is None else one.until
        some = points[one.since : last + 1]
        rate = sum(point.rejected for point in some) / sum(point.n for point in some)
        since, until = points[one.since].start, None if one.until is None else points[one.until].start
        close = tuple(near(changes, since + middle, within)[:2])
        found.append(RateStep(since, points[one.told].start, until, one.rising, chart.mean, rate, close))
    return tuple(found)


def _groups(counts: Sequence[HourCount], spread: float, zone: tzinfo) -> dict[By, tuple[GroupRate, ...]]:
    """Groups by shift, batch, camera and hour of the day, of those that are told apart at all."""
    hours = summed(counts, lambda one: one.start.astimezone(zone).hour)
    clock = {f"{hour:02}:00": hours[hour] for hour in sorted(hours)}
    by: dict[By, dict[str, tuple[int, int]]] = {
        "shift": summed(counts, lambda one: one.shift),
        "batch": summed(counts, lambda one: one.batch),
        "camera": summed(counts, lambda one: one.camera),
        "hour": clock,
    }
    return {name: tuple(compared(groups, spread)) for name, groups in by.items() if len(groups) > 1}


def _weeks(parts: Sequence[DefectivePart], since: datetime, until: datetime) -> tuple[WeekMap, ...]:
    """Weeks back from the end of the span, the first of them cut where it begins; the latest twelve, oldest first."""
    count = min(_MOST_WEEKS, math.ceil((until - since) / _WEEK))
    starts = [max(since, until - (count - number) * _WEEK) for number in range(count)]
    found = []
    for start, end in zip(starts, [*starts[1:], until], strict=True):
        now = [one.place for one in parts if start <= one.time < end and one.place is not None]
        before = [one.place for one in parts if one.time < start and one.place is not None]
        found.append(WeekMap(start, len(now), place_map(now), tuple(gatherings(before, now))))
    return tuple(found)
