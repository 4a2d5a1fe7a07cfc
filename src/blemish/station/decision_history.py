"""What the history says of a decision: what it would have made of past inspections, and which known defects it misses.

Every question is one query that counts in the database; no record is loaded, however many there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sqlalchemy import ColumnElement, Select, case, func, literal, select

from blemish.core.errors import UsageError
from blemish.core.types import Verdict
from blemish.line.decision import Decision
from blemish.station.database import Database
from blemish.station.schema import INSPECTIONS

MOST_INSPECTIONS = 100_000
MOST_IDS = 100

_ROW = INSPECTIONS.c


@dataclass(frozen=True)
class CorrectedScores:
    """Scores of photographs that a person found good or bad; each photograph counts once.

    Attributes:
        good, bad: float64 N, sorted upwards.
    """

    good: npt.NDArray[np.float64]
    bad: npt.NDArray[np.float64]


@dataclass(frozen=True)
class Turn:
    """How many inspections had one verdict, and would have had another, or the same."""

    before: Verdict
    after: Verdict
    n: int


@dataclass(frozen=True)
class CorrectedParts:
    """What becomes of photographs of which a person has said what they show; each counts once.

    Attributes:
        n: all of them, but those not judged.
        rejected_before, rejected_after: those that were and would be rejected.
        passed_before, passed_after: those that passed and would pass; the others are to be reviewed, or not judged.
    """

    n: int
    rejected_before: int
    rejected_after: int
    passed_before: int
    passed_after: int


@dataclass(frozen=True)
class Preview:
    """What a decision would have made of past inspections.

    Attributes:
        n: the latest inspections that were looked at.
        turns: their verdicts before and after.
        changed: how many would have had another verdict, and `changed_ids`, the numbers of the newest 100 of them.
        good, bad: all parts with corrections, among the latest or not.
    """

    n: int
    turns: tuple[Turn, ...]
    changed: int
    changed_ids: tuple[int, ...]
    good: CorrectedParts
    bad: CorrectedParts


class DecisionHistory:
    """The inspections that scored as an inspector does now and are not void, seen by another decision.

    Args:
        database: the history.
        inspector: its name.
        versions: numbers of the versions that score alike; others' scores mean something else.
    """

    def __init__(self, database: Database, inspector: str, versions: Sequence[int]) -> None:
        self._database = database
        self._mine = (_ROW.inspector == inspector, _ROW.version.in_(versions), _ROW.voided.is_(None))

    def corrected(self) -> CorrectedScores:
        """Scores of all photographs of which a person has said what they show."""
        query = select(_ROW.truth, _ROW.score).where(_ROW.id.in_(self._corrected_ids()))
        with self._database.session() as session:
            found = [(str(truth), float(score)) for truth, score in session.execute(query)]
        good, bad = (
            np.sort(np.array([score for said, score in found if said == truth], np.float64))
            for truth in ("good", "bad")
        )
        return CorrectedScores(good, bad)

    def preview(self, decision: Decision, last: int = 1000) -> Preview:
        """What a decision would have made of the latest inspections, and of all that people have corrected.

        Args:
            decision: which.
            last: 1 to 100,000.

        Raises:
            UsageError: `last` is out of range.
        """
        if not 1 <= last <= MOST_INSPECTIONS:
            raise UsageError(
                f"A preview of {last} inspections is not possible: ask for 1 to {MOST_INSPECTIONS:,}."
            )
        latest = self._judged_by(decision).order_by(_ROW.time.desc(), _ROW.id.desc()).limit(last).subquery()
        other = latest.c.verdict != latest.c.after
        turns = select(latest.c.verdict, latest.c.after, func.count()).group_by(
            latest.c.verdict, latest.c.after
        )
        ids = (
            select(latest.c.id)
            .where(other)
            .order_by(latest.c.time.desc(), latest.c.id.desc())
            .limit(MOST_IDS)
        )
        with self._database.session() as session:
            counted = [
                Turn(Verdict(before), Verdict(after), int(n)) for before, after, n in session.execute(turns)
            ]
            changed = tuple(session.scalars(ids))
            by_truth = self._corrected_parts(decision)
            parts = {str(row[0]): CorrectedParts(*map(int, row[1:])) for row in session.execute(by_truth)}
        none = CorrectedParts(0, 0, 0, 0, 0)
        return Preview(
            n=sum(turn.n for turn in counted),
            turns=tuple(sorted(counted, key=lambda turn: (turn.before, turn.after))),
            changed=sum(turn.n for turn in counted if turn.before != turn.after),
            changed_ids=changed,
            good=parts.get("good", none),
            bad=parts.get("bad", none),
        )

    def _judged_by(self, decision: Decision) -> Select[tuple[object, ...]]:
        """Number, time, truth and both verdicts of the inspections."""
        after = _verdict(decision).label("after")
        return select(_ROW.id, _ROW.time, _ROW.truth, _ROW.verdict, after).where(*self._mine)

    def _corrected_ids(self) -> Select[tuple[int]]:
        """The latest inspection of each photograph of which a person has said what it shows."""
        judged = _ROW.verdict != Verdict.NOT_JUDGED.value
        corrected = select(func.max(_ROW.id)).where(*self._mine, judged, _ROW.truth.is_not(None))
        return corrected.group_by(_ROW.image_digest)

    def _corrected_parts(self, decision: Decision) -> Select[tuple[object, ...]]:
        corrected = self._judged_by(decision).where(_ROW.id.in_(self._corrected_ids())).subquery()
        counts = [
            func.sum(case((column == verdict.value, 1), else_=0))
            for verdict in (Verdict.REJECT, Verdict.PASS)
            for column in (corrected.c.verdict, corrected.c.after)
        ]
        return select(corrected.c.truth, func.count(), *counts).group_by(corrected.c.truth)


def _verdict(decision: Decision) -> ColumnElement[str]:
    """`Decision.verdict` as an expression; what is not judged could only be rejected."""
    return case(
        (_ROW.score > decision.threshold, literal(Verdict.REJECT.value)),
        (_ROW.reason.is_not(None), literal(Verdict.NOT_JUDGED.value)),
        (_ROW.score > decision.review_threshold, literal(Verdict.REVIEW.value)),
        else_=literal(Verdict.PASS.value),
    )
