"""Versions that judge beside the active one: begun, kept, told, and ended, with who did so in the audit log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, case, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from blemish.core.errors import ConflictError, DatabaseError, NotFoundError, UsageError
from blemish.core.types import Verdict
from blemish.line.artifact import read_artifact
from blemish.station.audit import Action, Change, note_change
from blemish.station.database import Database
from blemish.station.records import InspectionRecord
from blemish.station.schema import INSPECTIONS, ShadowRow, ShadowVerdictRow
from blemish.station.shadow_report import Ending, Met, Shadow, ShadowReport
from blemish.station.shelf import InspectorShelf

MOST_PARTS = 1_000_000
_ROW = INSPECTIONS.c
_SAID = ShadowVerdictRow


@dataclass(frozen=True)
class ShadowVerdict:
    """What a version beside the active one says of an inspected part."""

    inspection_id: int
    score: float
    threshold: float
    verdict: Verdict


@dataclass(frozen=True)
class Difference:
    """A part of which both versions say something else: as it is in the log, and what the version beside says."""

    record: InspectionRecord
    said: ShadowVerdict


@dataclass(frozen=True)
class Differences:
    """Some of them, newest first; `next_cursor` asks for those that follow, None at the end."""

    found: tuple[Difference, ...]
    next_cursor: str | None


class Shadows:
    """What is known of versions that judge beside the active one; several threads and processes may ask.

    Args:
        database: of the log.
        shelf: of the inspectors.
    """

    def __init__(self, database: Database, shelf: InspectorShelf) -> None:
        self._database, self._shelf = database, shelf

    def begin(
        self, name: str, version: int, parts: int, most_differences: int | None = None, by: str = "local"
    ) -> Shadow:
        """Let a version judge beside the active one from now on; whoever judges notices within a second.

        Args:
            name, version: which one.
            parts: after how many it ends, 1 to `MOST_PARTS`.
            most_differences: it takes over by itself if at most so many of the verdicts differ; never when None.
            by: who wants it.

        Raises:
            NotFoundError: there is no such version, or none is active.
            ConflictError: another one judges beside already.
            UsageError: it is the one that judges, or a number is out of range.
            ArtifactError: its file is damaged.
        """
        if not 1 <= parts <= MOST_PARTS:
            raise UsageError(f"A version cannot judge {parts} parts beside: give 1 to {MOST_PARTS:,}.")
        if most_differences is not None and not 0 <= most_differences < parts:
            raise UsageError(
                f"Taking over with {most_differences} differences in {parts} parts is not possible: give 0 to "
                f"{parts - 1}."
            )
        beside, wanted = self._shelf.active(name), self._shelf.get(name, version)
        if wanted.active:
            raise UsageError(f"{wanted.title} is the one that judges: name another version.")
        read_artifact(wanted.path, digest=wanted.digest)
        try:
            with self._database.transaction() as session:
                row = ShadowRow(
                    name=name, version=version, beside=beside.version, parts=parts, begun=datetime.now(UTC),
                    most_differences=most_differences, begun_after=_newest(session), by=by,
                )  # fmt: skip
                session.add(row)
                session.flush()
                asked = {"parts": parts, "most_differences": most_differences}
                _note(session, Action.BEGIN_SHADOW, by, row, asked)
                return _shadow(row)
        except DatabaseError as error:
            if not isinstance(error.__cause__, IntegrityError):
                raise
            raise ConflictError(
                f"A version of {name} judges beside the active one already: wait for its end, or stop it first."
            ) from error

    def end(
        self, shadow: Shadow, outcome: Ending, by: str = "local", trouble: str | None = None
    ) -> ShadowReport:
        """End it, unless somebody has done so before.

        Args:
            shadow: which one.
            outcome: how.
            by: who; whoever began it where it ends by itself.
            trouble: why it failed.
        """
        report = self.report(shadow)
        with self._database.transaction() as session:
            changed = (
                update(ShadowRow)
                .where(ShadowRow.id == shadow.id, ShadowRow.ended.is_(None))
                .values(
                    ended=datetime.now(UTC),
                    ended_after=_newest(session),
                    outcome=str(outcome),
                    trouble=trouble,
                )
            )
            row = session.scalar(changed.returning(ShadowRow))
            if row is not None:
                detail = {"outcome": str(outcome), "parts": report.n, "differences": report.differences}
                _note(session, Action.END_SHADOW, by, row, detail)
        return self.report(self.get(shadow.id))

    def stop(self, name: str, by: str = "local") -> ShadowReport:
        """End what judges beside an inspector's active version, by a person's word.

        Raises:
            NotFoundError: nothing does.
        """
        running = next((one for one in self.running() if one.name == name), None)
        if running is None:
            raise NotFoundError(
                f"No version of {name} judges beside the active one: nothing is to be stopped."
            )
        return self.end(running, Ending.STOPPED, by)

    def running(self) -> list[Shadow]:
        """All that judge beside an active version at present, by name."""
        query = select(ShadowRow).where(ShadowRow.ended.is_(None)).order_by(ShadowRow.name)
        with self._database.session() as session:
            return [_shadow(row) for row in session.scalars(query)]

    def get(self, number: int) -> Shadow:
        """One by its number.

        Raises:
            NotFoundError: there is none.
        """
        with self._database.session() as session:
            row = session.get(ShadowRow, number)
            if row is None:
                raise NotFoundError(f"Nothing was judged beside under the number {number}: check it.")
            return _shadow(row)

    def latest(self, name: str) -> Shadow | None:
        """What judges beside an inspector's active version, or did so last; None where nothing ever has."""
        query = select(ShadowRow).where(ShadowRow.name == name).order_by(ShadowRow.id.desc()).limit(1)
        with self._database.session() as session:
            row = session.scalar(query)
            return None if row is None else _shadow(row)

    def report_of(self, name: str) -> ShadowReport:
        """How far what judges beside an inspector's active version has come, or what judged so last.

        Raises:
            NotFoundError: nothing ever has.
        """
        latest = self.latest(name)
        if latest is None:
            self._shelf.versions(name)  # rather say that there is no such inspector
            raise NotFoundError(
                f"No version of {name} has judged beside the active one yet: begin with blemish shadow {name} "
                "--version N --parts 500."
            )
        return self.report(latest)

    def report(self, shadow: Shadow) -> ShadowReport:
        """How far it has come, and where both versions differ."""
        found = (
            select(
                _ROW.verdict,
                _SAID.verdict,
                func.count(),
                func.sum(case((_ROW.truth == "good", 1), else_=0)),
                func.sum(case((_ROW.truth == "bad", 1), else_=0)),
            )
            .select_from(_SAID)
            .join(INSPECTIONS, _ROW.id == _SAID.inspection_id)
            .where(_SAID.shadow_id == shadow.id, _ROW.voided.is_(None))
            .group_by(_ROW.verdict, _SAID.verdict)
        )
        last = select(func.max(_SAID.inspection_id)).where(_SAID.shadow_id == shadow.id)
        with self._database.session() as session:
            met = [
                Met(one, other, int(n), int(good), int(bad))
                for one, other, n, good, bad in session.execute(found)
            ]
            newest = session.scalar(last) or shadow.begun_after
            came = select(func.count()).select_from(INSPECTIONS).where(*_offered(shadow))
            up_to = session.scalar(came.where(_ROW.id <= newest)) or 0
            after = 0 if shadow.ended else session.scalar(came.where(_ROW.id > newest)) or 0
        met.sort(key=lambda one: (-one.n, str(one.active), str(one.shadow)))
        passed_over = max(0, up_to - sum(one.n for one in met))
        return ShadowReport(shadow, tuple(met), passed_over, after)

    def differences(self, shadow: Shadow, limit: int = 50, cursor: str | None = None) -> Differences:
        """Parts of which both say something else, newest first.

        Args:
            shadow: which one.
            limit: 1 to 1000.
            cursor: `next_cursor` of the page before.

        Raises:
            UsageError: the cursor is not one of ours, or `limit` is out of range.
        """
        if not 1 <= limit <= 1000:
            raise UsageError(f"A page of {limit} differences is not possible: ask for 1 to 1000.")
        said = [getattr(_SAID, one.name).label(f"said_{one.name}") for one in fields(ShadowVerdict)]
        query = (
            select(INSPECTIONS, _SAID.id.label("said_id"), *said)
            .join(_SAID, _ROW.id == _SAID.inspection_id)
            .where(_SAID.shadow_id == shadow.id, _SAID.verdict != _ROW.verdict, _ROW.voided.is_(None))
            .order_by(_SAID.id.desc())
            .limit(limit + 1)
        )
        if cursor is not None:
            query = query.where(_SAID.id < _number(cursor))
        with self._database.session() as session:
            rows = [dict(row._mapping) for row in session.execute(query)]
        shown = rows[:limit]
        more = str(shown[-1]["said_id"]) if len(rows) > limit else None
        return Differences(tuple(map(_difference, shown)), more)

    def count(self, shadow: Shadow) -> int:
        """How many verdicts of it are kept, those of void inspections among them."""
        query = select(func.count()).select_from(_SAID).where(_SAID.shadow_id == shadow.id)
        with self._database.session() as session:
            return session.scalar(query) or 0

    def keep(self, shadow: Shadow, said: Sequence[ShadowVerdict]) -> None:
        """Keep verdicts, in one transaction."""
        with self._database.transaction() as session:
            session.execute(insert(_SAID), [vars(one) | {"shadow_id": shadow.id} for one in said])


def _offered(shadow: Shadow) -> list[ColumnElement[bool]]:
    """Which inspections it was to judge."""
    return [
        # Not by the inspector's index, which holds all of its past: what came since is a short span of numbers.
        func.coalesce(_ROW.inspector, "") == shadow.name,
        _ROW.version == shadow.beside,
        _ROW.id > shadow.begun_after,
        _ROW.voided.is_(None),
        _ROW.repeat_of.is_(None),
    ]


def _newest(session: Session) -> int:
    return int(session.scalar(select(func.max(_ROW.id))) or 0)


def _note(session: Session, action: Action, by: str, row: ShadowRow, detail: dict[str, Any]) -> None:
    change = Change(
        action=action,
        by=by,
        inspector=row.name,
        version_before=row.beside,
        version_after=row.version,
        detail=detail,
    )
    note_change(session, change)


def _shadow(row: ShadowRow) -> Shadow:
    values = {one.name: getattr(row, one.name) for one in fields(Shadow)}
    return Shadow(**values | {"outcome": None if row.outcome is None else Ending(row.outcome)})


def _difference(row: dict[str, Any]) -> Difference:
    record = {one.name: row[one.name] for one in fields(InspectionRecord)}
    said = {one.name: row[f"said_{one.name}"] for one in fields(ShadowVerdict)}
    return Difference(InspectionRecord(**record), ShadowVerdict(**said))


def _number(cursor: str) -> int:
    if not (cursor.isascii() and cursor.isdecimal() and len(cursor) < 19):
        raise UsageError("The cursor is not one that a page has given: begin again without it.")
    return int(cursor)
