"""When which version of an inspector judged, from its activations and what was rolled back of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from blemish.station.database import Database
from blemish.station.schema import ActivationRow


@dataclass(frozen=True)
class Period:
    """A time in which a version judged, in UTC; `until` is None while it does."""

    version: int
    since: datetime
    until: datetime | None


@dataclass(frozen=True)
class Activation:
    """That a version was activated, and when that was taken back, if it was; both in UTC."""

    version: int
    time: datetime
    rolled_back: datetime | None


def periods_of(activations: Iterable[Activation]) -> list[Period]:
    """Who judged when, oldest first; of activations in the order in which they were made.

    Example:
        >>> at = [datetime(2026, 5, day) for day in (1, 2, 3)]
        >>> made = Activation(1, at[0], None), Activation(2, at[1], at[2])
        >>> [(one.version, one.since.day) for one in periods_of(made)]
        [(1, 1), (2, 2), (1, 3)]
    """
    made = list(activations)
    events: list[tuple[datetime, int, int | None]] = [
        (one.time, place, one.version) for place, one in enumerate(made)
    ]
    events += [(one.rolled_back, place, None) for place, one in enumerate(made) if one.rolled_back]
    standing: dict[int, int] = {}
    changes: list[tuple[datetime, int | None]] = []
    for time, place, version in sorted(events, key=lambda event: (event[0], event[1], event[2] is None)):
        if version is None:
            standing.pop(place, None)
        else:
            standing[place] = version
        judges = standing[max(standing)] if standing else None
        if not changes or changes[-1][1] != judges:
            changes.append((time, judges))
    ends: list[datetime | None] = [*(time for time, _ in changes[1:]), None]
    return [
        Period(version, since, until)
        for (since, version), until in zip(changes, ends, strict=False)
        if version is not None
    ]


def periods(database: Database, name: str | None = None) -> dict[str, list[Period]]:
    """Who judged when, by the names of inspectors; of one, or of all."""
    query = select(ActivationRow).order_by(ActivationRow.id)
    if name is not None:
        query = query.where(ActivationRow.name == name)
    found: dict[str, list[Activation]] = {}
    with database.session() as session:
        for row in session.scalars(query):
            found.setdefault(row.name, []).append(Activation(row.version, row.time, row.rolled_back))
    return {one: periods_of(made) for one, made in found.items()}
