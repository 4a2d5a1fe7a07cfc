"""Signals that have still to reach their sinks, kept in the log's own transactions.

A transactional outbox: the group of inspections that is committed brings its notes along, so that each committed
verdict is sent at least once whatever falls over: a note goes only after its signal has arrived. What a sink refuses
for good is set aside with a sentence, and waits for a person.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote_to_bytes

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.orm import Session

from blemish.station.audit import Action, Change, note_change
from blemish.station.database import Database
from blemish.station.log import record_of
from blemish.station.schema import INSPECTIONS, OutboxRow
from blemish.station.signals.signal import Signal

_FORGOTTEN_AT_ONCE = 500  # parameters of one statement
_NOTES = OutboxRow.__table__.c


@dataclass(frozen=True)
class Waiting:
    """A signal that waits for a sink.

    Attributes:
        note: number of its note; they grow in the order of the inspections.
        refusals: how often the sink has refused it for good.
        signal: what is to be sent.
    """

    note: int
    refusals: int
    signal: Signal


@dataclass(frozen=True)
class SetAside:
    """A signal that a sink has refused for good: which, since when, and what the sink said."""

    note: int
    sink: str
    inspection_id: int
    since: datetime
    problem: str


@dataclass(frozen=True)
class OutboxCounts:
    """How many signals wait for a sink, since when the oldest of them does, and how many are set aside."""

    waiting: int = 0
    oldest: datetime | None = None
    set_aside: int = 0


class Outbox:
    """The notes of one station; may be used by many threads and processes at once.

    Args:
        database: of the log.
        station: whose notes; several stations may share a database.
    """

    def __init__(self, database: Database, station: str) -> None:
        self._database, self._station = database, station

    def note(
        self, session: Session, sinks: Sequence[str], inspections: Sequence[tuple[int, Path | None]]
    ) -> None:
        """Note within a transaction that inspections have to be told to sinks.

        Args:
            session: of the transaction that logs them.
            sinks: their names.
            inspections: numbers, with the files that the photographs came from.
        """
        rows = [
            {"station": self._station, "sink": sink, "inspection_id": number, "origin": _text(origin)}
            for number, origin in inspections
            for sink in sinks
        ]
        if rows:
            session.execute(insert(OutboxRow), rows)

    def newest(self, sink: str) -> int:
        """Number of the newest note for a sink; 0 where there is none. Those up to it were there before.

        Raises:
            DatabaseError: the database cannot be read.
        """
        query = select(func.max(_NOTES.id)).where(*self._of(sink))
        with self._database.session() as session:
            return int(session.scalar(query) or 0)

    def waiting(self, sink: str, limit: int, after: int = 0, repeated_to: int = 0) -> list[Waiting]:
        """At most `limit` signals for a sink, oldest first.

        Args:
            sink: its name.
            limit: 1 or more.
            after: number of a note that they come after.
            repeated_to: number of the last note whose signal may have been sent before.

        Raises:
            DatabaseError: the database cannot be read.
        """
        query = (
            select(_NOTES.id, _NOTES.attempts, _NOTES.origin, _NOTES.inspection_id)
            .where(*self._of(sink), _NOTES.id > after)
            .order_by(_NOTES.id)
            .limit(limit)
        )
        with self._database.session() as session:
            notes = session.execute(query).all()
            which = INSPECTIONS.c.id.in_({note.inspection_id for note in notes})
            rows = session.execute(select(INSPECTIONS).where(which)).all() if notes else []
        records = {row.id: record_of(row) for row in rows}
        return [
            Waiting(
                note.id,
                note.attempts,
                Signal.of(
                    records[note.inspection_id],
                    self._station,
                    _path(note.origin),
                    note.id <= repeated_to or note.attempts > 0,
                ),
            )
            for note in notes
        ]

    def forget(self, notes: Sequence[int]) -> None:
        """Delete notes by their numbers: their signals have arrived.

        Raises:
            DatabaseError: the database cannot be written.
        """
        for start in range(0, len(notes), _FORGOTTEN_AT_ONCE):
            some = notes[start : start + _FORGOTTEN_AT_ONCE]
            with self._database.transaction() as session:
                session.execute(delete(OutboxRow).where(_NOTES.id.in_(some)))

    def refused(self, note: int, problem: str, set_aside: bool) -> None:
        """Count that a sink has refused a signal for what it is; set it aside if it is not to be sent again.

        Raises:
            DatabaseError: the database cannot be written.
        """
        changes = {"attempts": _NOTES.attempts + 1, "problem": problem}
        if set_aside:
            changes["set_aside"] = datetime.now(UTC)
        with self._database.transaction() as session:
            session.execute(update(OutboxRow).where(_NOTES.id == note).values(changes))

    def set_aside(self, limit: int = 100) -> list[SetAside]:
        """At most `limit` signals that were set aside, oldest first.

        Raises:
            DatabaseError: the database cannot be read.
        """
        query = (
            select(_NOTES.id, _NOTES.sink, _NOTES.inspection_id, _NOTES.set_aside, _NOTES.problem)
            .where(_NOTES.station == self._station, _NOTES.set_aside.is_not(None))
            .order_by(_NOTES.id)
            .limit(limit)
        )
        with self._database.session() as session:
            return [SetAside(*row) for row in session.execute(query)]

    def send_again(self, sink: str, by: str = "local") -> int:
        """Let the signals that were set aside for a sink wait again, and return how many they are.

        Raises:
            DatabaseError: the database cannot be written.
        """
        which = (_NOTES.station == self._station, _NOTES.sink == sink, _NOTES.set_aside.is_not(None))
        with self._database.transaction() as session:
            count = _count(session, which)
            session.execute(update(OutboxRow).where(*which).values(set_aside=None, attempts=1))
            self._note_change(session, Action.SEND_AGAIN, sink, count, by)
        return count

    def drop(self, sink: str, by: str = "local") -> int:
        """Delete all notes for a sink that is no more, those set aside too, and return how many they were.

        Raises:
            DatabaseError: the database cannot be written.
        """
        which = (_NOTES.station == self._station, _NOTES.sink == sink)
        with self._database.transaction() as session:
            count = _count(session, which)
            session.execute(delete(OutboxRow).where(*which))
            self._note_change(session, Action.DROP_SIGNALS, sink, count, by)
        return count

    def counts(self) -> dict[str, OutboxCounts]:
        """What waits, by the names of the sinks; sinks for which nothing waits are absent.

        Raises:
            DatabaseError: the database cannot be read.
        """
        waits = _NOTES.set_aside.is_(None)
        found: dict[str, OutboxCounts] = {}
        query = (
            select(_NOTES.sink, waits, func.count(), func.min(_NOTES.id))
            .where(_NOTES.station == self._station)
            .group_by(_NOTES.sink, waits)
        )
        with self._database.session() as session:
            for sink, waiting, count, first in session.execute(query).all():
                before = found.get(sink, OutboxCounts())
                if not waiting:
                    found[sink] = OutboxCounts(before.waiting, before.oldest, count)
                    continue
                time = (
                    select(INSPECTIONS.c.time)
                    .join(OutboxRow, INSPECTIONS.c.id == _NOTES.inspection_id)
                    .where(_NOTES.id == first)
                )
                # None where its signal has arrived this very moment.
                found[sink] = OutboxCounts(count, session.scalar(time), before.set_aside)
        return found

    def _note_change(self, session: Session, action: Action, sink: str, count: int, by: str) -> None:
        if count:
            detail = {"station": self._station, "sink": sink, "signals": count}
            note_change(session, Change(action=action, by=by, detail=detail))

    def _of(self, sink: str) -> tuple[Any, ...]:
        return _NOTES.station == self._station, _NOTES.sink == sink, _NOTES.set_aside.is_(None)


def stations_in(database: Database) -> list[str]:
    """Names of the stations for whose sinks something waits or is set aside.

    Raises:
        DatabaseError: the database cannot be read.
    """
    with database.session() as session:
        return list(session.scalars(select(_NOTES.station).distinct().order_by(_NOTES.station)))


def _count(session: Session, which: tuple[Any, ...]) -> int:
    return int(session.scalar(select(func.count()).select_from(OutboxRow).where(*which)) or 0)


def _text(origin: Path | None) -> str | None:
    """A path as text for a database, with percent signs as in URLs: its bytes need not be UTF-8."""
    return None if origin is None else quote(os.fsencode(origin))


def _path(text: str | None) -> Path | None:
    return None if text is None else Path(os.fsdecode(unquote_to_bytes(text)))
