"""What the history says of a decision: what it would have made of past inspections, and which known defects it misses.

Every question is one query that counts in the database; no record is loaded, however many there are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sqlalchemy import ColumnElement, Select, case, func, literal, select

from blemish.core.errors import UsageError
from blemish.core.types import Verdict
from blemish.line.decision import Decision
from blemish.station.database import Database
from blemish.station.region_preview import SHOWN, LoggedRegions
from blemish.station.schema import INSPECTIONS

MOST_INSPECTIONS = 100_000
MOST_IDS = 100

_ROW = INSPECTIONS.c


@dataclass(frozen=True)
class CorrectedScores:
    """Scores of photographs that a person found good or bad; each photograph counts once.

    Attributes:
        good, bad: float64 N, sorted upwards.
        bad_digests: SHA-256 of the files of the latter, in their order.
        elsewhere: scores of those bad ones that no person at the station has found.
    """

    good: npt.NDArray[np.float64]
    bad: npt.NDArray[np.float64]
    bad_digests: tuple[str, ...] = ()
    elsewhere: tuple[float, ...] = ()

    def with_defects(self, scores: npt.ArrayLike, digests: Sequence[str | None]) -> CorrectedScores:
        """With known defects of elsewhere among the bad ones; a file that is among them already counts once.

        Args:
            scores: N, of photographs of defects.
            digests: SHA-256 of their files; None of what is no file.
        """
        known = set(self.bad_digests)
        pairs = zip(np.asarray(scores, np.float64).tolist(), digests, strict=True)
        more = [(score, digest or "") for score, digest in pairs if digest is None or digest not in known]
        bad = sorted([*zip(self.bad.tolist(), self.bad_digests, strict=True), *more])
        return CorrectedScores(
            self.good,
            np.array([score for score, _ in bad], np.float64),
            tuple(digest for _, digest in bad),
            (*self.elsewhere, *(score for score, _ in more)),
        )


@dataclass(frozen=True)
class Turn:
    """How many inspections had one verdict, and would have had another, or the same."""

    before: Verdict
    after: Verdict
    n: int


@dataclass(frozen=True)
class ChangedVerdict:
    """An inspection that would have had another verdict.

    Attributes:
        id: its number.
        before, after: the verdicts.
        score: of the photograph.
        image_digest, image_suffix: of its photograph, as of `InspectionRecord`.
    """

    id: int
    before: Verdict
    after: Verdict
    score: float
    image_digest: str
    image_suffix: str | None


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
        changed: how many would have had another verdict, and `newest`, the newest 100 of them.
        good, bad: all parts with corrections, among the latest or not.
    """

    n: int
    turns: tuple[Turn, ...]
    changed: int
    newest: tuple[ChangedVerdict, ...]
    good: CorrectedParts
    bad: CorrectedParts

    @property
    def changed_ids(self) -> tuple[int, ...]:
        """Numbers of the newest."""
        return tuple(one.id for one in self.newest)


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
        columns = (_ROW.truth, _ROW.score, _ROW.image_digest)
        query = select(*columns).where(_ROW.id.in_(self._corrected_ids()))
        with self._database.session() as session:
            found = sorted(
                (float(score), str(digest), truth) for truth, score, digest in session.execute(query)
            )
        good, bad = (
            np.array([score for score, _, said in found if said == truth], np.float64)
            for truth in ("good", "bad")
        )
        return CorrectedScores(good, bad, tuple(digest for _, digest, said in found if said == "bad"))

    def preview(self, decision: Decision, last: int = 1000) -> Preview:
        """What a decision would have made of the latest inspections, and of all that people have corrected.

        Args:
            decision: which.
            last: 1 to 100,000.

        Raises:
            UsageError: `last` is out of range.
        """
        latest = self._latest(decision, last).subquery()
        other = latest.c.verdict != latest.c.after
        turns = select(latest.c.verdict, latest.c.after, func.count()).group_by(
            latest.c.verdict, latest.c.after
        )
        row = latest.c
        newest = (
            select(row.id, row.verdict, row.after, row.score, row.image_digest, row.image_suffix)
            .where(other)
            .order_by(row.time.desc(), row.id.desc())
            .limit(MOST_IDS)
        )
        with self._database.session() as session:
            counted = [
                Turn(Verdict(before), Verdict(after), int(n)) for before, after, n in session.execute(turns)
            ]
            changed = tuple(
                ChangedVerdict(int(number), Verdict(before), Verdict(after), float(score), digest, suffix)
                for number, before, after, score, digest, suffix in session.execute(newest)
            )
            by_truth = self._corrected_parts(decision)
            parts = {str(row[0]): CorrectedParts(*map(int, row[1:])) for row in session.execute(by_truth)}
        none = CorrectedParts(0, 0, 0, 0, 0)
        return Preview(
            n=sum(turn.n for turn in counted),
            turns=tuple(sorted(counted, key=lambda turn: (turn.before, turn.after))),
            changed=sum(turn.n for turn in counted if turn.before != turn.after),
            newest=changed,
            good=parts.get("good", none),
            bad=parts.get("bad", none),
        )

    def regions(self, decision: Decision, last: int = 1000) -> Iterator[LoggedRegions]:
        """What is logged of the regions of those among the latest inspections that show some, before or after.

        Raises:
            UsageError: `last` is out of range.
        """
        latest = self._latest(decision, last).subquery()
        shown = [verdict.value for verdict in SHOWN]
        row = latest.c
        query = (
            select(
                row.id,
                _ROW.version,
                row.verdict,
                row.after,
                _ROW.score,
                _ROW.regions,
                _ROW.image_suffix.is_not(None),
            )
            .join(INSPECTIONS, _ROW.id == row.id)
            .where(row.verdict.in_(shown) | row.after.in_(shown))
            .order_by(_ROW.time.desc(), _ROW.id.desc())
        )
        with self._database.session() as session:
            for found in session.execute(query).yield_per(1000):
                number, version, before, after, score, regions, kept = found
                verdicts = Verdict(before), Verdict(after)
                yield LoggedRegions(int(number), int(version), *verdicts, float(score), regions, bool(kept))

    def _latest(self, decision: Decision, last: int) -> Select[tuple[object, ...]]:
        """The latest inspections, with both verdicts.

        Raises:
            UsageError: `last` is out of range.
        """
        if not 1 <= last <= MOST_INSPECTIONS:
            raise UsageError(
                f"A preview of {last} inspections is not possible: ask for 1 to {MOST_INSPECTIONS:,}."
            )
        return self._judged_by(decision).order_by(_ROW.time.desc(), _ROW.id.desc()).limit(last)

    def _judged_by(self, decision: Decision) -> Select[tuple[object, ...]]:
        """Number, time, truth, score, both verdicts and where the photographs of the inspections are."""
        after = _verdict(decision).label("after")
        photograph = (_ROW.image_digest, _ROW.image_suffix)
        columns = (_ROW.id, _ROW.time, _ROW.truth, _ROW.score, *photograph, _ROW.verdict)
        return select(*columns, after).where(*self._mine)

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
