"""Corrections of a station as they are learnt from: what people said of photographs, and the passes beside them.

Read alone: nothing here changes the history, and no photograph is touched.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import ColumnElement, func, select

from blemish.core.errors import ConflictError, NotFoundError
from blemish.core.image_formats import IMAGE_SUFFIXES
from blemish.core.types import Verdict
from blemish.line.correction import Correction, LinePhotograph
from blemish.station.audit import Action, Change, note_change
from blemish.station.database import Database
from blemish.station.home import Home
from blemish.station.schema import INSPECTIONS, AuditRow, FeedbackRow

_ROW = INSPECTIONS.c


@dataclass(frozen=True)
class CorrectionCounts:
    """What people said of an inspector's photographs since it was made.

    Attributes:
        good, bad: photographs that they found good and defective, each once.
        learnt: those of them that the active version has learnt from.
        new: the others.
    """

    good: int
    bad: int
    learnt: int
    new: int


class StationCorrections:
    """The corrections of one inspector, whichever version judged.

    Args:
        database: the history.
        home: where photographs are kept.
        inspector: its name.
    """

    def __init__(self, database: Database, home: Home, inspector: str) -> None:
        self._database, self._home, self._inspector = database, home, inspector

    def all(self) -> list[Correction]:
        """What people said last of each photograph that is not void, oldest first; each photograph counts once."""
        counted = self._counted(_ROW.truth.is_not(None))
        query = (
            select(_ROW.id, _ROW.image_digest, _ROW.image_suffix, _ROW.file_name, FeedbackRow)
            .join(FeedbackRow, FeedbackRow.inspection_id == _ROW.id)
            .where(*counted)
            .order_by(FeedbackRow.id)
        )
        confirmed = self._confirmed()
        last: dict[str, tuple[LinePhotograph, FeedbackRow]] = {}
        people: dict[tuple[str, str], set[str]] = {}
        sure: set[str] = set()
        with self._database.session() as session:
            for number, digest, suffix, name, said in session.execute(query):
                last[digest] = self._photograph(number, digest, suffix, name), said
                people.setdefault((digest, said.truth), set()).add(said.by)
                if number in confirmed:
                    sure.add(digest)
        found = []
        for digest, (photograph, said) in last.items():
            several = len(people[digest, said.truth]) > 1
            found.append(Correction(photograph, said.truth == "good", said.by, several or digest in sure))
        return sorted(found, key=lambda one: one.photograph.id or 0)

    def counts(self, learnt: frozenset[str]) -> CorrectionCounts:
        """How many there are.

        Args:
            learnt: SHA-256 of the photographs that the active version has learnt from.
        """
        latest = select(func.max(_ROW.id)).where(*self._counted(_ROW.truth.is_not(None)))
        query = select(_ROW.truth, _ROW.image_digest).where(_ROW.id.in_(latest.group_by(_ROW.image_digest)))
        with self._database.session() as session:
            rows = session.execute(query).all()
        known = sum(digest in learnt for _, digest in rows)
        bad = sum(truth == "bad" for truth, _ in rows)
        return CorrectionCounts(len(rows) - bad, bad, known, len(rows) - known)

    def passes(self, versions: Sequence[int], most: int) -> list[Correction]:
        """The latest photographs that passed by these versions and of which nobody has said anything, as good parts.

        Only where people look at what is rejected is what they call good as frequent among good parts as it seems: of
        the passes as large a share counts as of the rejects has a person's word, so that a false reject weighs what it
        weighs on the line.
        """
        judged = (*self._counted(), _ROW.version.in_(versions), _ROW.repeat_of.is_(None))
        unusual = (*judged, _ROW.verdict.in_([Verdict.REJECT, Verdict.REVIEW]))
        told = select(func.count(), func.count(_ROW.truth)).where(*unusual)
        passed = (*judged, _ROW.verdict == Verdict.PASS, _ROW.truth.is_(None))
        number = select(func.count()).where(*passed)
        newest = (
            select(_ROW.id, _ROW.image_digest, _ROW.image_suffix, _ROW.file_name)
            .where(*passed)
            .order_by(_ROW.time.desc(), _ROW.id.desc())
        )
        with self._database.session() as session:
            n, said = session.execute(told).one()
            wanted = int((session.scalar(number) or 0) * (said / n if n else 1.0))
            rows = session.execute(newest.limit(min(most, wanted))).all()
        return [Correction(self._photograph(*row), True) for row in rows if self._file(*row[1:3]) is not None]

    def recent(self, most: int) -> list[LinePhotograph]:
        """The latest photographs that are kept, newest first, each once."""
        query = (
            select(_ROW.id, _ROW.image_digest, _ROW.image_suffix, _ROW.file_name)
            .where(*self._counted(_ROW.image_suffix.is_not(None), _ROW.repeat_of.is_(None)))
            .order_by(_ROW.time.desc(), _ROW.id.desc())
            .limit(most)
        )
        with self._database.session() as session:
            return [self._photograph(*row) for row in session.execute(query)]

    def confirm(self, inspection_id: int, by: str = "local") -> None:
        """Confirm what was said of a photograph, so that it is learnt from although it is far from all good parts.

        Raises:
            NotFoundError: the inspector has no such inspection.
            ConflictError: nobody has found the part good, so that there is nothing to confirm.
        """
        with self._database.transaction() as session:
            mine = (_ROW.id == inspection_id, _ROW.inspector == self._inspector)
            found = session.execute(select(_ROW.truth).where(*mine)).one_or_none()
            if found is None:
                raise NotFoundError(
                    f"{self._inspector} has no inspection {str(inspection_id)[:20]}: check the number."
                )
            if found.truth != "good":
                raise ConflictError(
                    f"Nobody says that the part of inspection {inspection_id} is good: correct it first."
                )
            detail = {"inspection": inspection_id}
            note_change(
                session, Change(action=Action.CONFIRM, by=by, inspector=self._inspector, detail=detail)
            )

    def _counted(self, *more: ColumnElement[bool]) -> tuple[ColumnElement[bool], ...]:
        """Conditions of what counts: of this inspector, not void."""
        return (_ROW.inspector == self._inspector, _ROW.voided.is_(None), *more)

    def _confirmed(self) -> frozenset[int]:
        """Inspections that somebody has confirmed."""
        query = select(AuditRow.detail).where(
            AuditRow.inspector == self._inspector, AuditRow.action == str(Action.CONFIRM)
        )
        with self._database.session() as session:
            return frozenset(int(detail["inspection"]) for detail in session.scalars(query))

    def _photograph(self, number: int, digest: str, suffix: str | None, name: str) -> LinePhotograph:
        return LinePhotograph(
            name or f"inspection {number}", digest, lambda: self._read(digest, suffix), number
        )

    def _file(self, digest: str, suffix: str | None) -> Path | None:
        """Where a photograph is: kept, or held for a while among the latest passes; None where it is gone."""
        if suffix is not None:
            kept = self._home.images / digest[:2] / f"{digest}{suffix}"
            return kept if kept.is_file() else None
        held = (self._home.buffer / digest[:2] / f"{digest}{one}" for one in IMAGE_SUFFIXES)
        return next((path for path in held if path.is_file()), None)

    def _read(self, digest: str, suffix: str | None) -> bytes:
        path = self._file(digest, suffix)
        try:
            if path is not None:
                return path.read_bytes()
        except OSError:
            pass  # removed since
        raise NotFoundError("its photograph is not kept, or no longer (--keep).")
