"""What needs a person first: inspections of which nobody has said anything, the most pressing first, and why.

What a person has judged, and what is void, is in it no longer. Each question is one bounded query.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from sqlalchemy import ColumnElement, and_, func, or_, select

from blemish.core.errors import NotFoundError, UsageError
from blemish.core.types import Verdict
from blemish.station.database import Database
from blemish.station.drift import DriftWatch
from blemish.station.drift_words import Moved
from blemish.station.log import record_of
from blemish.station.records import InspectionRecord, Truth
from blemish.station.schema import INSPECTIONS, InspectorVersionRow

Kind = Literal["review", "contradiction", "not judged", "reject", "near threshold", "after drift"]
"""Why an inspection waits; the first are the most pressing."""

NEAR = 0.1
"""How near a pass is to what does not pass: the last tenth of the way there from the middle of good parts."""

LATEST_PASSES = 10_000
"""Among so many of the latest passes those near the threshold are looked for."""

AFTER_DRIFT = 5
"""Passes to be looked at after a drift was told."""

LATEST_REPEATS = 1000
"""Among so many of the latest repeats of a file, contradictions are looked for."""

_OPPOSITE: dict[Verdict, Truth] = {Verdict.PASS: "bad", Verdict.REJECT: "good"}
_CONTRADICTED: dict[Truth, tuple[str, str]] = {
    "bad": ("defective", "passes"),
    "good": ("good", "is rejected"),
}
_ROW = INSPECTIONS.c
_UNSAID = _ROW.truth.is_(None), _ROW.voided.is_(None)


@dataclass(frozen=True)
class Waiting:
    """An inspection that waits for a person: which, of what kind, and why in one sentence."""

    record: InspectionRecord
    kind: Kind
    reason: str


@dataclass(frozen=True)
class WaitingPage:
    """The most pressing, in their order, and how many wait of each kind in all."""

    waiting: tuple[Waiting, ...]
    counts: Mapping[Kind, int]


class ReviewQueue:
    """The queue of each inspector; may be used by many threads.

    Args:
        database: of the log.
        drift: what is known of changes.
    """

    def __init__(self, database: Database, drift: DriftWatch) -> None:
        self._database, self._drift = database, drift

    def page(self, inspector: str, limit: int = 50) -> WaitingPage:
        """At most so many inspections, the most pressing first, each once.

        Args:
            inspector: name of the inspector.
            limit: 1 to 200.

        Raises:
            UsageError: `limit` is out of range.
        """
        if not 1 <= limit <= 200:
            raise UsageError(f"A queue of {limit} inspections is not possible: ask for 1 to 200.")
        by_verdict = self._counts(inspector)
        contradicted = self._contradicted(inspector, limit)
        near = self._near(inspector)
        drifted = self._after_drift(inspector)
        found = {
            "review": self._of_verdict(inspector, Verdict.REVIEW, limit),
            "contradiction": contradicted,
            "not judged": self._of_verdict(inspector, Verdict.NOT_JUDGED, limit),
            "reject": self._of_verdict(inspector, Verdict.REJECT, limit),
            "near threshold": near,
            "after drift": drifted,
        }
        seen: set[int] = set()
        waiting: list[Waiting] = []
        for kind in get_args(Kind):
            for one in found[kind]:
                if one.record.id not in seen and len(waiting) < limit:
                    seen.add(one.record.id)
                    waiting.append(one)
        counts: dict[Kind, int] = {
            "review": by_verdict.get(Verdict.REVIEW, 0),
            "contradiction": len(contradicted),
            "not judged": by_verdict.get(Verdict.NOT_JUDGED, 0),
            "reject": by_verdict.get(Verdict.REJECT, 0),
            "near threshold": len(near),
            "after drift": len(drifted),
        }
        return WaitingPage(tuple(waiting), counts)

    def for_review(self) -> dict[str, int]:
        """How many parts the verdict `review` has left to a person, of each inspector that has any: those of `page`."""
        wanted = (_ROW.verdict == Verdict.REVIEW.value, *_UNSAID)
        query = select(_ROW.inspector, func.count()).where(*wanted).group_by(_ROW.inspector)
        with self._database.session() as session:
            return {str(name): int(n) for name, n in session.execute(query)}

    def _counts(self, inspector: str) -> dict[Verdict, int]:
        query = select(_ROW.verdict, func.count()).where(*_open(inspector)).group_by(_ROW.verdict)
        with self._database.session() as session:
            return {verdict: int(n) for verdict, n in session.execute(query)}

    def _of_verdict(self, inspector: str, verdict: Verdict, limit: int) -> list[Waiting]:
        wanted = (*_open(inspector), _ROW.verdict == verdict.value)
        kind: Kind = {Verdict.REVIEW: "review", Verdict.NOT_JUDGED: "not judged"}.get(verdict, "reject")  # type: ignore[assignment]
        return [Waiting(one, kind, _said(one)) for one in self._records(wanted, limit)]

    def _contradicted(self, inspector: str, limit: int) -> list[Waiting]:
        """Photographs of which a person has said something else in another inspection of the very same file."""
        latest = (
            select(_ROW.id, _ROW.repeat_of)
            .where(_ROW.inspector == inspector, _ROW.repeat_of.is_not(None), _ROW.voided.is_(None))
            .order_by(_ROW.time.desc(), _ROW.id.desc())
            .limit(LATEST_REPEATS)
        )
        with self._database.session() as session:
            numbers = {int(number) for pair in session.execute(latest) for number in pair}
            if not numbers:
                return []
            rows = session.execute(select(INSPECTIONS).where(_ROW.id.in_(numbers), _ROW.voided.is_(None)))
            records = [record_of(row) for row in rows]
        said = {
            (record.image_digest, record.truth): record.id
            for record in sorted(records, key=lambda record: record.id)
            if record.truth is not None
        }
        found = []
        for record in sorted(records, key=lambda record: (record.time, record.id), reverse=True):
            opposite = _OPPOSITE.get(record.verdict)
            if opposite is None or record.truth is not None:
                continue
            other = said.get((record.image_digest, opposite))
            if other is not None:
                word, now = _CONTRADICTED[opposite]
                reason = f"This very photograph was found {word} (inspection {other}), and {now} here."
                found.append(Waiting(record, "contradiction", reason))
        return found[:limit]

    def _near(self, inspector: str) -> list[Waiting]:
        """Passes that all but did not pass, the nearest first."""
        latest = (
            select(_ROW.id)
            .where(*_open(inspector), _ROW.verdict == Verdict.PASS.value)
            .order_by(_ROW.time.desc(), _ROW.id.desc())
            .limit(LATEST_PASSES)
        )
        medians = self._medians(inspector)
        if not medians:
            return []
        limit = func.coalesce(_ROW.review_threshold, _ROW.threshold)
        near = or_(
            *(
                and_(_ROW.version == version, _ROW.score > limit - NEAR * (limit - median), limit > median)
                for version, median in medians.items()
            )
        )
        query = (
            select(INSPECTIONS)
            .where(_ROW.id.in_(latest), near)
            .order_by((limit - _ROW.score), _ROW.id)
            .limit(50)
        )
        with self._database.session() as session:
            records = [record_of(row) for row in session.execute(query)]
        return [Waiting(one, "near threshold", _near_words(one, medians[one.version])) for one in records]

    def _medians(self, inspector: str) -> dict[int, float]:
        """The middle of good parts' scores, by version."""
        query = select(InspectorVersionRow.version, InspectorVersionRow.normal_scores).where(
            InspectorVersionRow.name == inspector
        )
        with self._database.session() as session:
            return {int(one): float(np.median(scores)) for one, scores in session.execute(query) if scores}

    def _after_drift(self, inspector: str) -> list[Waiting]:
        """Some of the passes since something has changed, until a person has looked at so many."""
        try:
            drift = self._drift.drift(inspector)
        except NotFoundError:  # no version judges
            return []
        if not drift.moved:
            return []
        since = min(one.since for one in drift.moved)
        passes = (_ROW.inspector == inspector, _ROW.version == drift.version, _ROW.time >= since,
                  _ROW.verdict == Verdict.PASS.value, _ROW.voided.is_(None))  # fmt: skip
        with self._database.session() as session:
            reviewed = session.scalar(select(func.count()).where(*passes, _ROW.truth.is_not(None))) or 0
        if reviewed >= AFTER_DRIFT:
            return []
        records = self._records((*passes, _ROW.truth.is_(None)), AFTER_DRIFT - reviewed)
        return [Waiting(one, "after drift", _drift_words(drift.moved)) for one in records]

    def _records(self, wanted: Sequence[ColumnElement[bool]], limit: int) -> list[InspectionRecord]:
        query = select(INSPECTIONS).where(*wanted).order_by(_ROW.time.desc(), _ROW.id.desc()).limit(limit)
        with self._database.session() as session:
            return [record_of(row) for row in session.execute(query)]


def _open(inspector: str) -> tuple[ColumnElement[bool], ...]:
    """Of the inspector, without a person's word, and not void."""
    return _ROW.inspector == inspector, *_UNSAID


def _said(record: InspectionRecord) -> str:
    if record.verdict is Verdict.NOT_JUDGED:
        return f"Not judged: {record.reason}." if record.reason else "Not judged."
    if record.verdict is Verdict.REVIEW:
        return (
            f"The inspector asks for a person: score {record.score:.3g} lies between where review begins and the "
            f"threshold {record.threshold:.3g}."
        )
    score, threshold = f"{record.score:.3g}", f"{record.threshold:.3g}"
    return f"Rejected (score {score}, threshold {threshold}), and nobody has said whether rightly."


def _near_words(record: InspectionRecord, median: float) -> str:
    limit = record.threshold if record.review_threshold is None else record.review_threshold
    return (
        f"Passed by little: score {record.score:.3g}, and at {limit:.3g} it would not have passed; good parts have "
        f"{median:.3g} in the middle."
    )


def _drift_words(moved: Sequence[Moved]) -> str:
    first = moved[0]
    name = {"score": "scores", "calibration": "p-values"}.get(first.statistic, first.statistic)
    since = f"{first.since:%Y-%m-%d %H:%M} UTC"
    return f"Passed after the {name} had changed (since {since}): see whether verdicts still hold."
