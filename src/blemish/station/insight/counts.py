"""What insight reads from the log: counts by hour and group, out of the index alone, and the rows of defects."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal, NamedTuple, TypeVar

from sqlalchemy import BigInteger, Integer, and_, case, func, literal_column, or_, select, type_coerce

from blemish.core.types import Region, Verdict
from blemish.station.database import Database
from blemish.station.insight.places import Point
from blemish.station.log import conditions
from blemish.station.records import InspectionFilter
from blemish.station.schema import INSPECTIONS

MOST_DEFECTS = 20_000
"""Defective parts at most, the latest, whose places and types are looked at."""

_ROW = INSPECTIONS.c
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_HOUR_MICROSECONDS = 3_600_000_000

Group = Literal["shift", "batch", "camera"]
Key = TypeVar("Key", bound=Hashable)


class HourCount(NamedTuple):
    """Judged parts of one hour that share shift, batch and camera, and how many of them were rejected."""

    start: datetime
    shift: str | None
    batch: str | None
    camera: str | None
    n: int
    rejected: int


@dataclass(frozen=True)
class DefectivePart:
    """A rejected part, or one that a person found bad; none that a person found good.

    Attributes:
        id, time: of the inspection.
        people, inspector: what people call its defect, and what the inspector does; None where they do not.
        place: of its most anomalous region; None where no place is shown.
    """

    id: int
    time: datetime
    people: str | None
    inspector: str | None
    place: Point | None


def hour_counts(database: Database, which: InspectionFilter) -> list[HourCount]:
    """Counts of judged parts, oldest first."""
    hour = (type_coerce(_ROW.time, BigInteger) // literal_column(str(_HOUR_MICROSECONDS), Integer)).label(
        "hour"
    )
    rejected = func.sum(case((_ROW.verdict == Verdict.REJECT.value, 1), else_=0))
    query = (
        select(hour, _ROW.shift, _ROW.batch, _ROW.camera, func.count(), rejected)
        .where(_ROW.verdict != Verdict.NOT_JUDGED.value, *conditions(which.scope))
        .group_by(hour, _ROW.shift, _ROW.batch, _ROW.camera)
    )
    with database.session() as session:
        rows = [
            HourCount(_EPOCH + timedelta(hours=int(number)), shift, batch, camera, int(n), int(hits))
            for number, shift, batch, camera, n, hits in session.execute(query)
        ]
    return sorted(rows, key=lambda one: one.start)


def defective_parts(database: Database, which: InspectionFilter) -> list[DefectivePart]:
    """The latest `MOST_DEFECTS` of the defective parts, oldest first."""
    defective = or_(_ROW.truth == "bad", and_(_ROW.verdict == Verdict.REJECT.value, _ROW.truth.is_(None)))
    query = (
        select(_ROW.id, _ROW.time, _ROW.defect_type, _ROW.type, _ROW.regions, _ROW.width, _ROW.height)
        .where(defective, *conditions(which.scope))
        .order_by(_ROW.time.desc(), _ROW.id.desc())
        .limit(MOST_DEFECTS)
    )
    with database.session() as session:
        return [
            DefectivePart(
                int(row.id), row.time, row.defect_type, row.type, _place(row.regions, row.width, row.height)
            )
            for row in session.execute(query)
        ][::-1]


def summed(counts: Iterable[HourCount], key: Callable[[HourCount], Key | None]) -> dict[Key, tuple[int, int]]:
    """Judged parts and rejects by a key, in the order in which keys first come; those whose key is None left out."""
    found: dict[Key, tuple[int, int]] = {}
    for one in counts:
        name = key(one)
        if name is not None:
            n, rejected = found.get(name, (0, 0))
            found[name] = n + one.n, rejected + one.rejected
    return found


def _place(regions: tuple[Region, ...], width: int, height: int) -> Point | None:
    """Where the most anomalous region is highest; its middle, where an older version has not said."""
    if not regions or not width or not height:
        return None
    worst = max(regions, key=lambda region: region.score)
    x, y = worst.peak or (worst.x + worst.width / 2, worst.y + worst.height / 2)
    return min(max(x / width, 0.0), 1.0), min(max(y / height, 0.0), 1.0)
