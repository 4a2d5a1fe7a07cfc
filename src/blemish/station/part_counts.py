"""What the history says of all parts at a glance: verdicts of a span, how usual their reject rate is.

However long the history is, each question reads an index, or besides it the rows of what did not pass.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import func, select

from blemish.core.binomial import binomial_tail
from blemish.core.types import Verdict
from blemish.station.database import Database
from blemish.station.log import conditions
from blemish.station.records import InspectionFilter
from blemish.station.schema import INSPECTIONS

FEWEST_EARLIER = 100
"""Photographs judged earlier that it takes to say what reject rate is usual."""

SIDE_PROBABILITY = 0.00135
"""Of a normal variable beyond three standard deviations, on one side: what a control limit rests on."""

_ROW = INSPECTIONS.c
_LOOKED_AT = 500  # of the latest inspections of a part, for one whose photograph is kept
_NOT_PASSED = (Verdict.REVIEW, Verdict.REJECT, Verdict.NOT_JUDGED)

Usual = Literal["usual", "above", "below", "unknown"]


@dataclass(frozen=True)
class VerdictCounts:
    """Photographs by verdict."""

    passed: int = 0
    reviewed: int = 0
    rejected: int = 0
    not_judged: int = 0

    @property
    def judged(self) -> int:
        """All but those that were not judged."""
        return self.passed + self.reviewed + self.rejected

    @property
    def reject_rate(self) -> float | None:
        """Rejected / judged; None where none was judged."""
        return self.rejected / self.judged if self.judged else None


@dataclass(frozen=True)
class UsualRate:
    """What reject rate is usual, and whether that of a sample is.

    Attributes:
        state: whether the sample's rate is beyond the control limits; "unknown" where too little was judged before.
        rate: mean rate of before; None where nothing was judged.
        lower, upper: control limits of a p chart for a sample of this size, three standard errors around it.
    """

    state: Usual
    rate: float | None = None
    lower: float | None = None
    upper: float | None = None


@dataclass(frozen=True)
class LatestInspection:
    """The latest inspection of a part, and the latest kept photograph among its last ones, by digest and suffix."""

    time: datetime
    kept: tuple[str, str] | None


class PartCounts:
    """Counts of the log for each of several inspectors at once."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def verdicts(
        self, names: Sequence[str], since: datetime, until: datetime | None = None
    ) -> dict[str, VerdictCounts]:
        """Photographs by verdict, of each inspector that had any in the span."""
        span = conditions(InspectionFilter(since=since, until=until, void=False))
        # How many there were is in the index of the inspectors, and what did not pass is found by that of the
        # verdicts: no row of a passed part is read.
        all_of_them = (
            select(_ROW.inspector, func.count())
            .where(_ROW.inspector.in_(names), *span)
            .group_by(_ROW.inspector)
        )
        by_verdict = (
            select(_ROW.inspector, _ROW.verdict, func.count())
            .where(_ROW.verdict.in_([str(one) for one in _NOT_PASSED]), *span)
            .group_by(_ROW.inspector, _ROW.verdict)
        )
        with self._database.session() as session:
            totals = {str(name): int(n) for name, n in session.execute(all_of_them)}
            told: dict[tuple[str, Verdict], int] = {
                (str(name), Verdict(verdict)): int(n) for name, verdict, n in session.execute(by_verdict)
            }
        found = {}
        for name, total in totals.items():
            reviewed, rejected, not_judged = (told.get((name, verdict), 0) for verdict in _NOT_PASSED)
            passed = max(0, total - reviewed - rejected - not_judged)
            found[name] = VerdictCounts(passed, reviewed, rejected, not_judged)
        return found

    def latest(self, names: Sequence[str]) -> dict[str, LatestInspection]:
        """The latest inspection of each inspector that has any."""
        found = {}
        with self._database.session() as session:
            for name in names:
                mine = (
                    select(_ROW.time, _ROW.image_digest, _ROW.image_suffix, _ROW.id)
                    .where(_ROW.inspector == name, *conditions(None))
                    .order_by(_ROW.time.desc(), _ROW.id.desc())
                )
                newest = session.execute(mine.limit(1)).one_or_none()
                if newest is None:
                    continue
                last = mine.limit(_LOOKED_AT).subquery()
                kept = (
                    newest
                    if newest.image_suffix is not None
                    else session.execute(
                        select(last)
                        .where(last.c.image_suffix.is_not(None))
                        .order_by(last.c.time.desc(), last.c.id.desc())
                        .limit(1)
                    ).one_or_none()
                )
                found[name] = LatestInspection(
                    newest.time, kept and (str(kept.image_digest), str(kept.image_suffix))
                )
        return found


def usual_rate(sample: VerdictCounts, earlier: VerdictCounts) -> UsualRate:
    """Whether a sample's reject rate is within the control limits that follow from what was judged earlier.

    Besides the limits of the p chart the binomial distribution itself has to say that so many are as rare as that: for
    few parts and small rates the chart's normal approximation would call a single reject unusual.

    References:
        NIST/SEMATECH, e-Handbook of Statistical Methods, 6.3.3.2 "Proportions Control Charts".
    """
    if earlier.judged < FEWEST_EARLIER or earlier.reject_rate is None or not sample.judged:
        return UsualRate("unknown", earlier.reject_rate)
    # The chart's mean is that of the earlier ones alone: what is looked at must not move its own limits.
    rate, n, rejected = earlier.reject_rate, sample.judged, sample.rejected
    spread = 3 * math.sqrt(rate * (1 - rate) / n)
    lower, upper = max(0.0, rate - spread), min(1.0, rate + spread)
    state: Usual = "usual"
    if not lower <= rejected / n <= upper and binomial_tail(rejected, n, rate) <= SIDE_PROBABILITY:
        state = "above" if rejected / n > upper else "below"
    return UsualRate(state, rate, lower, upper)
