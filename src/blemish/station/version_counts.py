"""What the history says of each version of an inspector: how much it judged, and what people corrected."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import func, select

from blemish.core.types import Verdict
from blemish.station.database import Database
from blemish.station.log import conditions
from blemish.station.records import InspectionFilter
from blemish.station.schema import INSPECTIONS

_ROW = INSPECTIONS.c


@dataclass(frozen=True)
class VersionCount:
    """Inspections by one version.

    Attributes:
        n, passed, reviewed, rejected, not_judged: all of them, and by verdict.
        corrected: those of which a person has said what they are.
        false_rejects: rejected, but found good; missed: passed, but found bad.
        first, last: when the first and the last of them were; None where there are none.
    """

    n: int = 0
    passed: int = 0
    reviewed: int = 0
    rejected: int = 0
    not_judged: int = 0
    corrected: int = 0
    false_rejects: int = 0
    missed: int = 0
    first: datetime | None = None
    last: datetime | None = None

    @property
    def judged(self) -> int:
        """All but those that were not judged."""
        return self.n - self.not_judged

    @property
    def reject_rate(self) -> float | None:
        """Rejected / judged; None where none was judged."""
        return self.rejected / self.judged if self.judged else None


class VersionCounts:
    """Counts of the log by versions of an inspector."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, name: str) -> dict[int, VersionCount]:
        """The inspections by each version of an inspector that has judged anything."""
        query = (
            select(
                _ROW.version, _ROW.verdict, _ROW.truth, func.count(), func.min(_ROW.time), func.max(_ROW.time)
            )
            .where(*conditions(InspectionFilter(inspector=name, void=False)))
            .group_by(_ROW.version, _ROW.verdict, _ROW.truth)
        )
        found: dict[int, VersionCount] = {}
        with self._database.session() as session:
            for version, verdict, truth, n, first, last in session.execute(query):
                known = found.get(version, VersionCount())
                found[version] = _with(known, Verdict(verdict), truth, int(n), first, last)
        return found


_COUNTED = {
    Verdict.PASS: "passed",
    Verdict.REVIEW: "reviewed",
    Verdict.REJECT: "rejected",
    Verdict.NOT_JUDGED: "not_judged",
}


def _with(
    known: VersionCount, verdict: Verdict, truth: str | None, n: int, first: datetime, last: datetime
) -> VersionCount:
    """The counts with `n` more of a verdict and a person's word."""
    counted = _COUNTED[verdict]
    return replace(
        known,
        n=known.n + n,
        corrected=known.corrected + (n if truth is not None else 0),
        false_rejects=known.false_rejects + (n if (verdict, truth) == (Verdict.REJECT, "good") else 0),
        missed=known.missed + (n if (verdict, truth) == (Verdict.PASS, "bad") else 0),
        first=min(known.first or first, first),
        last=max(known.last or last, last),
        **{counted: getattr(known, counted) + n},
    )
