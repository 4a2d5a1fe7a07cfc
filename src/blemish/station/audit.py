"""The audit log: who changed what judges, or who may, and when. Rows are added, never changed and never removed.

What changes something calls `note_change` in its own transaction: there is no change without its row, and no row
without its change.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from blemish.core.errors import UsageError
from blemish.station.database import Database
from blemish.station.schema import AuditRow

_MOST_ID = 2**63 - 1


class Action(StrEnum):
    """What was done: to the inspectors on the shelf, their decisions and drift, to the keys, to what is kept, to an
    inspection, to signals, or to a station."""

    ADD = "add"
    NARROW = "narrow"
    ACTIVATE = "activate"
    ROLL_BACK = "roll-back"
    DECIDE = "decide"
    UNDO_DECISION = "undo-decision"
    LEARN_ANEW = "learn-anew"
    LEARN = "learn"
    CONFIRM = "confirm"
    CREATE_KEY = "create-key"
    REVOKE_KEY = "revoke-key"
    SET_RETENTION = "set-retention"
    VOID = "void"
    TAKE_BACK_VOID = "take-back-void"
    BEGIN_SHADOW = "begin-shadow"
    END_SHADOW = "end-shadow"
    CHANGE_STATION = "change-station"
    START_STATION = "start-station"
    STOP_STATION = "stop-station"
    SEND_AGAIN = "send-again"
    DROP_SIGNALS = "drop-signals"


@dataclass(frozen=True, kw_only=True)
class Change:
    """Something that somebody does.

    Attributes:
        action: what.
        by: name of the key that was used, or "local". A name is never given to a second key, so it says the role too.
        inspector: which one; None for keys and settings.
        version_before, version_after: of the inspector: which judged before and judges now, or which one was made of
            which; None where there is none.
        detail: what else there is to say, as JSON.
    """

    action: Action
    by: str
    inspector: str | None = None
    version_before: int | None = None
    version_after: int | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class AuditEntry(Change):
    """A change as the audit log holds it: with its number, from 1, and its time in UTC."""

    id: int
    time: datetime


@dataclass(frozen=True)
class AuditPage:
    """Some entries, newest first; `next_cursor` asks for those that follow, None at the end."""

    entries: tuple[AuditEntry, ...]
    next_cursor: str | None


def note_change(session: Session, change: Change) -> None:
    """Add a change to the audit log within a transaction of what is changed."""
    values = vars(change) | {"action": str(change.action), "detail": dict(change.detail)}
    session.add(AuditRow(time=datetime.now(UTC), **values))


class AuditLog:
    """The audit log, for reading."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def page(self, inspector: str | None = None, limit: int = 50, cursor: str | None = None) -> AuditPage:
        """At most `limit` entries, newest first.

        Args:
            inspector: of which alone; all entries when None.
            limit: 1 to 1000.
            cursor: `next_cursor` of the page before.

        Raises:
            UsageError: the cursor is not one of ours, or `limit` is out of range.
        """
        if not 1 <= limit <= 1000:
            raise UsageError(f"A page of {limit} entries is not possible: ask for 1 to 1000.")
        query = select(AuditRow).order_by(AuditRow.id.desc()).limit(limit + 1)
        if inspector is not None:
            query = query.where(AuditRow.inspector == inspector)
        if cursor is not None:
            query = query.where(AuditRow.id < _number_of_cursor(cursor))
        with self._database.session() as session:
            found = [_entry(row) for row in session.scalars(query)]
        shown = tuple(found[:limit])
        return AuditPage(shown, str(shown[-1].id) if len(found) > limit else None)


def _number_of_cursor(cursor: str) -> int:
    if not (cursor.isascii() and cursor.isdecimal() and len(cursor) < 20 and int(cursor) <= _MOST_ID):
        raise UsageError("The cursor is not one that a page has given: begin again without it.")
    return int(cursor)


def _entry(row: AuditRow) -> AuditEntry:
    return AuditEntry(
        id=row.id, time=row.time, action=Action(row.action), by=row.by, inspector=row.inspector,
        version_before=row.version_before, version_after=row.version_after, detail=row.detail,
    )  # fmt: skip
