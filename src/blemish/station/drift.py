"""Drift: when light, lens or parts have changed, and what moved, of the inspections in the log."""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from blemish.core.errors import NotFoundError
from blemish.station.alarm_rate import PARTS_PER_FALSE_ALARM
from blemish.station.database import Database
from blemish.station.drift_tests import (
    CALIBRATION,
    SCORE,
    DriftTests,
    InspectedPart,
)
from blemish.station.drift_words import Moved, in_words
from blemish.station.schema import INSPECTIONS, ActivationRow, DriftRow, InspectorVersionRow

_ROW = INSPECTIONS.c
_READ_AT_ONCE = 1000
_PATIENCE_SECONDS = 1.0
_KEPT_EVERY = 500  # inspections; a restart reads the others again


@dataclass(frozen=True)
class StatisticDrift:
    """One number of the parts, and whether it has changed.

    Attributes:
        statistic: "score", one of `blemish.line.photograph_statistics.STATISTICS`, or "calibration" (p-values).
        evidence: how near it is to a change being told, 0 to 1; 1 while one holds.
        before, now: median before a change and of the latest 50 parts; None where there is none yet. Of the p-values
            1/2 and their latest mean.
    """

    statistic: str
    evidence: float
    before: float | None
    now: float | None


@dataclass(frozen=True)
class Drift:
    """Whether anything has changed at an inspector's active version.

    Attributes:
        inspector, version: which one.
        n, n_passed: parts that the tests have read, without those found bad and void ones, and how many of them passed.
        state: "learning" before enough parts (100), "steady", or "drifted".
        message: what moved first, by how much and since when, in words.
        parts_per_false_alarm: mean number of parts to a false alarm, at least.
        moved: what has changed, in the order in which it was told.
        statistics: all that is tested.
    """

    inspector: str
    version: int
    n: int
    n_passed: int
    state: Literal["learning", "steady", "drifted"]
    message: str
    parts_per_false_alarm: float
    moved: tuple[Moved, ...]
    statistics: tuple[StatisticDrift, ...]


@dataclass
class _Watched:
    tests: DriftTests
    learns_after: int
    read_up_to: int
    kept_up_to: int


class DriftWatch:
    """Reads what was logged since it last looked; the state is kept in the database, so that a restart goes on from it.

    Several threads and processes may ask: each reads the log for itself, in the same order and with the same chances,
    and comes to the same. An inspection whose commit is overtaken by one of a larger number, which PostgreSQL can do,
    may be left out: of thousands that is none.

    Args:
        database: of the log.
        parts_per_false_alarm: mean number of parts to a false alarm, of all tests of an inspector together.
        batch: consecutive parts that are more alike than others; see `DriftTests`.
    """

    def __init__(
        self,
        database: Database,
        parts_per_false_alarm: float = PARTS_PER_FALSE_ALARM,
        batch: int = 1,
    ) -> None:
        self._database = database
        self._parts_per_false_alarm, self._batch = parts_per_false_alarm, batch
        self._lock = threading.Lock()
        self._known: dict[tuple[str, int], _Watched] = {}
        self._reports: dict[str, Drift] = {}

    def drift(self, inspector: str) -> Drift:
        """Whether anything has changed at the active version, after all that is in the log by now.

        Raises:
            NotFoundError: no version of this inspector is active.
            DatabaseError: the database cannot be read or written.
        """
        if not self._lock.acquire(timeout=_PATIENCE_SECONDS):
            # Somebody reads much anew: what was known before is more use to a person than waiting.
            if (before := self._reports.get(inspector)) is not None:
                return before
            self._lock.acquire()
        try:
            version, n_calibration = self._active(inspector)
            report = _report(inspector, version, self._read_on(inspector, version, n_calibration).tests)
            self._reports[inspector] = report
            return report
        finally:
            self._lock.release()

    def read_again(self, inspector: str, version: int, number: int) -> None:
        """Forget what was read of a version if an inspection is among it that counts no longer, or again.

        It is read once more, without what is void, when drift is asked for next. Another process that watches the same
        inspector goes on with what it has read until it is started anew.

        Raises:
            DatabaseError: the database cannot be read or written.
        """
        with self._lock:
            known = self._known.get((inspector, version))
            with self._database.transaction() as session:
                row = _drift_row(session, inspector, version)
                if number <= max(
                    0 if known is None else known.read_up_to, 0 if row is None else row.read_up_to
                ):
                    self._known.pop((inspector, version), None)
                    if row is not None:
                        row.read_up_to, row.tests = row.learns_after, {}

    def learn_anew(self, inspector: str) -> Drift:
        """Take everything from now on for normal, as after a new lamp that is to stay.

        Raises:
            NotFoundError, DatabaseError: as `drift`.
        """
        with self._lock:
            version, n_calibration = self._active(inspector)
            with self._database.transaction() as session:
                newest = session.scalar(select(func.max(_ROW.id))) or 0
                row = _drift_row(session, inspector, version)
                if row is None:
                    row = DriftRow(name=inspector, version=version)
                    session.add(row)
                row.learns_after = row.read_up_to = newest
                row.tests = {}
            return _report(inspector, version, self._read_on(inspector, version, n_calibration).tests)

    def _active(self, inspector: str) -> tuple[int, int]:
        """Number of the active version, and how many independent scores its calibration has."""
        query = (
            select(InspectorVersionRow.version, InspectorVersionRow.n_normal_scores)
            .join(
                ActivationRow,
                (ActivationRow.name == InspectorVersionRow.name)
                & (ActivationRow.version == InspectorVersionRow.version),
            )
            .where(InspectorVersionRow.name == inspector, ActivationRow.rolled_back.is_(None))
            .order_by(ActivationRow.id.desc())
            .limit(1)
        )
        with self._database.session() as session:
            found = session.execute(query).one_or_none()
        if found is None:
            raise NotFoundError(f"There is no active inspector {inspector[:80]!a}: add and activate one.")
        return int(found[0]), int(found[1])

    def _read_on(self, inspector: str, version: int, n_calibration: int) -> _Watched:
        watched = self._watched(inspector, version, n_calibration)
        while True:
            query = (
                select(_ROW.id, _ROW.time, _ROW.verdict, _ROW.score, _ROW.p_value, _ROW.photograph_statistics)
                .where(
                    _ROW.id > watched.read_up_to,
                    _ROW.inspector == inspector,
                    _ROW.version == version,
                    func.coalesce(_ROW.truth, "") != "bad",
                    _ROW.voided.is_(None),
                )
                .order_by(_ROW.id)
                .limit(_READ_AT_ONCE)
            )
            with self._database.session() as session:
                parts = [InspectedPart(*found) for found in session.execute(query)]
            said = [watched.tests.observe(part) for part in parts]
            if parts:
                watched.read_up_to = parts[-1].number
            if any(said) or watched.tests.n - watched.kept_up_to >= _KEPT_EVERY:
                self._keep(inspector, version, watched)
            if len(parts) < _READ_AT_ONCE:
                return watched

    def _watched(self, inspector: str, version: int, n_calibration: int) -> _Watched:
        """What this process knows already, what the database does, or nothing yet."""
        known = self._known.get((inspector, version))
        with self._database.session() as session:
            begun = session.scalar(
                select(DriftRow.learns_after).where(DriftRow.name == inspector, DriftRow.version == version)
            )
            if known is not None and known.learns_after == (begun or 0):
                return known
            row = _drift_row(session, inspector, version)
            tests = DriftTests(n_calibration, self._parts_per_false_alarm, self._batch)
            known = _Watched(tests, begun or 0, begun or 0, 0)
            if row is not None and tests.read(row.tests):
                known.read_up_to, known.kept_up_to = row.read_up_to, tests.n
        self._known[inspector, version] = known
        return known

    def _keep(self, inspector: str, version: int, watched: _Watched) -> None:
        """Write the state, unless another process has read further or was told to learn anew."""
        values: dict[str, Any] = {"read_up_to": watched.read_up_to, "tests": watched.tests.to_json()}
        with self._database.transaction() as session:
            changed = session.execute(
                update(DriftRow)
                .where(
                    DriftRow.name == inspector,
                    DriftRow.version == version,
                    DriftRow.learns_after == watched.learns_after,
                    DriftRow.read_up_to < watched.read_up_to,
                )
                .values(**values)
                .returning(DriftRow.id)
            ).all()
            if not changed and _drift_row(session, inspector, version) is None:
                session.add(
                    DriftRow(name=inspector, version=version, learns_after=watched.learns_after, **values)
                )
        watched.kept_up_to = watched.tests.n


def _drift_row(session: Session, inspector: str, version: int) -> DriftRow | None:
    return session.scalar(select(DriftRow).where(DriftRow.name == inspector, DriftRow.version == version))


def _report(inspector: str, version: int, tests: DriftTests) -> Drift:
    moved = _moved(tests)
    state: Literal["learning", "steady", "drifted"] = "drifted" if moved else "steady"
    if not moved and tests.n < tests.learnt:
        state = "learning"
    calibration = tests.calibration
    statistics = [
        *(
            StatisticDrift(name, test.share, _known_number(test.reference.median), _known_number(test.now))
            for name, test in tests.changes.items()
        ),
        StatisticDrift(CALIBRATION, calibration.share, 0.5, _known_number(calibration.now)),
    ]
    return Drift(
        inspector,
        version,
        tests.n,
        tests.n_passed,
        state,
        in_words(moved) or _quiet(state, tests),
        tests.parts_per_false_alarm,
        tuple(moved),
        tuple(statistics),
    )


def _moved(tests: DriftTests) -> Sequence[Moved]:
    moved = [
        Moved(name, test.change.since, test.change.told, test.change.rising, test.reference.median, test.now)
        for name, test in tests.changes.items()
        if test.change is not None
    ]
    if (change := tests.calibration.change) is not None:
        now = tests.calibration.now
        moved.append(Moved(CALIBRATION, change.since, change.told, change.rising, 0.5, now))
    return sorted(moved, key=lambda one: (one.told, one.statistic == SCORE))


def _known_number(value: float) -> float | None:
    return None if math.isnan(value) else value


def _quiet(state: str, tests: DriftTests) -> str:
    if state == "learning":
        return f"What is normal is being learnt: {tests.n} of {tests.learnt} parts."
    return f"Nothing has changed in {tests.n:,} parts."
