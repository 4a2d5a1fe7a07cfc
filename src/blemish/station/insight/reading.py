"""Insight of a station as a whole: log, audit, drift and gallery together."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime, tzinfo

from blemish.core.errors import BlemishError, UsageError
from blemish.core.spans import moment_of, span_of
from blemish.gallery.clusters import Cluster
from blemish.station.audit import AuditLog
from blemish.station.database import Database
from blemish.station.drift import DriftWatch
from blemish.station.insight.changes import changes
from blemish.station.insight.insight import Bucket, Insight, insight
from blemish.station.insight.kinds import new_kinds
from blemish.station.records import InspectionFilter

LookForKinds = Callable[[str], Iterable[Cluster]]
"""Gives the clusters of the defects of a part; raises `BlemishError` or `ModuleNotFoundError` where nobody can look."""


def read_insight(
    database: Database,
    drift: DriftWatch,
    which: InspectionFilter,
    look: LookForKinds,
    *,
    bucket: Bucket | None = None,
    zone: tzinfo = UTC,
) -> Insight:
    """All that is known of a span.

    Args:
        database, which, bucket, zone: as of `insight`.
        drift: of the station.
        look: for new kinds of defects.

    Raises:
        UsageError, DatabaseError: as `insight`.
    """
    if which.inspector is None or which.since is None or which.until is None:
        raise UsageError("Insight is of one part and of a span: give both.")
    changed = changes(AuditLog(database), drift, which.inspector, which.since, which.until)
    found = insight(database, which, changed, bucket=bucket, zone=zone)
    try:
        kinds = tuple(new_kinds(look(which.inspector), which.since, which.until))
    except ModuleNotFoundError as error:
        return replace(
            found, kinds_trouble=f"Nobody has looked for new kinds of defects: {error.name} is missing."
        )
    except BlemishError as error:
        return replace(found, kinds_trouble=f"Nobody has looked for new kinds of defects: {error}")
    return replace(found, kinds=kinds)


def span(since: str, until: str | None, zone: tzinfo, now: datetime) -> tuple[datetime, datetime]:
    """When a span begins and ends, in UTC.

    Args:
        since: `12h`, `7d` or `4w` before its end, or a date or time.
        until: a date or time; `now` when None.
        zone: of the clock, where a time names none.
        now: aware.

    Raises:
        UsageError: one of them is none, or it ends before it begins.
    """
    end = moment_of(until, zone) if until else now.astimezone(UTC)
    length = span_of(since)
    begin = moment_of(since, zone) if length is None else max(end - length, datetime(1971, 1, 1, tzinfo=UTC))
    if begin >= end:
        raise UsageError(
            f"The span ends at {end:%Y-%m-%d %H:%M} UTC, before it begins: give an earlier beginning."
        )
    return begin, end
