"""What changed when: versions, decisions and drift, as they stand in the audit log and in the tests for drift."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from blemish.core.errors import NotFoundError
from blemish.station.audit import Action, AuditEntry, AuditLog
from blemish.station.drift import DriftWatch
from blemish.station.drift_report import Drift

ChangeKind = Literal["version", "decision", "drift"]

_MOST_ENTRIES = 1000
_SAID: dict[Action, tuple[ChangeKind, str]] = {
    Action.ACTIVATE: ("version", "{} judges"),
    Action.ROLL_BACK: ("version", "rolled back to {}"),
    Action.LEARN: ("version", "learnt from corrections, as {}"),
    Action.DECIDE: ("decision", "another decision, as {}"),
    Action.UNDO_DECISION: ("decision", "the decision before, as {}"),
    Action.LEARN_ANEW: ("drift", "what is normal was learnt anew"),
}
_LIGHT = frozenset({"brightness", "contrast", "warmth", "tint"})


@dataclass(frozen=True)
class ProcessChange:
    """Something that changed at a station.

    Attributes:
        time: since when.
        kind: a version that judges, its decision, or drift of light, lens or parts.
        what: in words.
        by: who did it; None for drift.
    """

    time: datetime
    kind: ChangeKind
    what: str
    by: str | None = None

    def to_json(self) -> dict[str, Any]:
        """As JSON-ready values."""
        return vars(self) | {"time": self.time.isoformat()}


def changes(
    audit: AuditLog, drift: DriftWatch, inspector: str, since: datetime, until: datetime
) -> list[ProcessChange]:
    """All changes of a span, oldest first."""
    entries = audit.page(inspector, _MOST_ENTRIES).entries
    found = [change for entry in entries if (change := _of_entry(entry)) is not None]
    with suppress(NotFoundError):  # no version judges
        found += _of_drift(drift.drift(inspector))
    return sorted((one for one in found if since <= one.time < until), key=lambda one: one.time)


def near(changes: Iterable[ProcessChange], time: datetime, within: timedelta) -> Sequence[ProcessChange]:
    """Changes that are not further from a time, the nearest first."""
    close = [one for one in changes if abs(one.time - time) <= within]
    return sorted(close, key=lambda one: abs(one.time - time))


def _of_entry(entry: AuditEntry) -> ProcessChange | None:
    """What an entry changed for the line; None for what did not, as a version that was added and does not judge."""
    if entry.action not in _SAID or entry.detail.get("activated") is False:
        return None
    kind, said = _SAID[entry.action]
    after = "another version" if entry.version_after is None else f"version {entry.version_after}"
    return ProcessChange(entry.time, kind, said.format(after), entry.by)


def _of_drift(drift: Drift) -> list[ProcessChange]:
    return [
        ProcessChange(
            one.since, "drift", f"{one.what}{': a lamp, perhaps' if one.statistic in _LIGHT else ''}"
        )
        for one in drift.moved
    ]
