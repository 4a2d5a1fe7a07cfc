"""Drift: when light, lens or parts have changed, and what moved, of the inspections in the log."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from blemish.core.errors import DatabaseError
from blemish.station.alarm_rate import PARTS_PER_FALSE_ALARM
from blemish.station.audit import Action, Change, note_change
from blemish.station.database import Database
from blemish.station.drift_report import Drift, drift_of
from blemish.station.drift_tests import DriftTests, InspectedPart, kept_settings
from blemish.station.schema import INSPECTIONS, DriftRow, InspectorVersionRow
from blemish.station.scoring import scored_alike
from blemish.station.shelf import InspectorShelf, InspectorVersion

_ROW = INSPECTIONS.c
_PASSES_UP_TO = func.coalesce(_ROW.review_threshold, _ROW.threshold)
_READ_AT_ONCE = 1000
_PATIENCE_SECONDS = 1.0
_KEPT_EVERY = 500  # inspections; a restart reads the others again


@dataclass(frozen=True)
class _Line:
    """The versions whose parts are tested together.

    Attributes:
        active: the one that judges.
        alike: numbers of all that score as it does, itself among them.
        n_calibration: independent scores of the calibration, which all of them have.
    """

    active: InspectorVersion
    alike: tuple[int, ...]
    n_calibration: int


@dataclass
class _Watched:
    tests: DriftTests
    version: int  # whose row holds the state
    learns_after: int
    read_up_to: int
    kept_up_to: int | None


class DriftWatch:
    """Reads what was logged since it last looked; the state is kept in the database, so that a restart goes on from it.

    Versions that differ by their decisions alone are one to the tests: they go on where a decision is changed.

    Several threads and processes may ask: each reads the log for itself, in the same order and with the same chances,
    and comes to the same. An inspection whose commit is overtaken by one of a larger number, which PostgreSQL can do,
    may be left out: of thousands that is none.

    Args:
        database: of the log.
        shelf: of the inspectors.
        parts_per_false_alarm: mean number of parts to a false alarm, of all tests of an inspector together; as whoever
            kept the state was told when None.
        batch: consecutive parts that are more alike than others, see `DriftTests`; likewise.
    """

    def __init__(
        self,
        database: Database,
        shelf: InspectorShelf,
        parts_per_false_alarm: float | None = PARTS_PER_FALSE_ALARM,
        batch: int | None = 1,
    ) -> None:
        self._database, self._shelf = database, shelf
        self._parts_per_false_alarm, self._batch = parts_per_false_alarm, batch
        self._lock = threading.Lock()
        self._known: dict[tuple[str, int], _Watched] = {}
        self._alike: dict[tuple[str, int, int], tuple[int, ...]] = {}
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
            line = self._line(inspector)
            report = drift_of(inspector, line.active.version, self._read_on(line).tests)
            self._reports[inspector] = report
            return report
        finally:
            self._lock.release()

    def read_again(self, inspector: str, number: int) -> None:
        """Forget what was read of an inspector if an inspection is among it that counts no longer, or again.

        It is read once more, without what is void, when drift is asked for next. Another process that watches the same
        inspector goes on with what it has read until it is started anew.

        Raises:
            DatabaseError: the database cannot be read or written.
        """
        row = DriftRow
        with self._lock:
            for key, known in list(self._known.items()):
                if key[0] == inspector and number <= known.read_up_to:
                    del self._known[key]
            with self._database.transaction() as session:
                session.execute(
                    update(row)
                    .where(row.name == inspector, row.read_up_to >= number)
                    .values(read_up_to=row.learns_after, tests={})
                )

    def learn_anew(self, inspector: str, by: str = "local", note: str | None = None) -> Drift:
        """Take everything from now on for normal, as after a new lamp that is to stay; the audit log says who and why.

        Raises:
            NotFoundError, DatabaseError: as `drift`.
        """
        with self._lock:
            line = self._line(inspector)
            before = drift_of(inspector, line.active.version, self._read_on(line).tests)
            with self._database.transaction() as session:
                newest = session.scalar(select(func.max(_ROW.id))) or 0
                row = _drift_row(session, line)
                if row is None:
                    row = DriftRow(name=inspector, version=line.alike[0])
                    session.add(row)
                row.learns_after = row.read_up_to = newest
                row.tests = self._tests(row.tests, line.n_calibration).to_json()
                version = line.active.version
                said = {"state": before.state, "message": before.message, "n": before.n}
                note_change(
                    session,
                    Change(
                        action=Action.LEARN_ANEW,
                        by=by,
                        inspector=inspector,
                        version_before=version,
                        version_after=version,
                        detail={"before": said} | ({"note": note} if note else {}),
                    ),
                )
            return drift_of(inspector, version, self._read_on(line).tests)

    def _line(self, inspector: str) -> _Line:
        active = self._shelf.active(inspector)
        row = InspectorVersionRow
        newest = select(func.max(row.version)).where(row.name == inspector).scalar_subquery()
        mine = select(row.n_normal_scores, newest).where(row.name == inspector, row.version == active.version)
        with self._database.session() as session:
            n_calibration, of_versions = session.execute(mine).one()
        key = inspector, active.version, int(of_versions)
        if key not in self._alike:  # where files are damaged that reads them each time
            self._alike[key] = scored_alike(self._database, self._shelf, active)
        return _Line(active, self._alike[key], int(n_calibration))

    def _read_on(self, line: _Line) -> _Watched:
        watched = self._watched(line)
        if watched.kept_up_to is None:  # others learn what this one was told
            self._keep(line, watched)
        while True:
            query = (
                select(
                    _ROW.id,
                    _ROW.time,
                    _ROW.verdict,
                    _ROW.score,
                    _ROW.p_value,
                    _ROW.photograph_statistics,
                    _PASSES_UP_TO,
                    _ROW.reason.is_(None),
                )
                .where(
                    _ROW.id > watched.read_up_to,
                    *_of(line),
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
            if any(said) or watched.tests.n - (watched.kept_up_to or 0) >= _KEPT_EVERY:
                self._keep(line, watched)
            if len(parts) < _READ_AT_ONCE:
                return watched

    def _watched(self, line: _Line) -> _Watched:
        """What this process knows already, what the database does, or nothing yet."""
        key = line.active.name, line.alike[0]
        known = self._known.get(key)
        with self._database.session() as session:
            begun = session.scalar(select(func.max(DriftRow.learns_after)).where(*_rows(line)))
            if known is not None and known.learns_after == (begun or 0):
                return known
            row = _drift_row(session, line)
            tests = self._tests(None if row is None else row.tests, line.n_calibration)
            version = line.alike[0] if row is None else row.version
            known = _Watched(tests, version, begun or 0, begun or 0, None)
            if row is not None and tests.read(row.tests):
                known.read_up_to, known.kept_up_to = row.read_up_to, tests.n
            if tests.n and tests.passes_up_to is None:  # kept by an earlier Blemish
                first = select(_PASSES_UP_TO).where(_ROW.id > known.learns_after, *_of(line))
                tests.passes_up_to = session.scalar(first.order_by(_ROW.id).limit(1))
        self._known[key] = known
        return known

    def _tests(self, state: dict[str, Any] | None, n_calibration: int) -> DriftTests:
        """Tests that have seen nothing, as this one was told or whoever kept a state was."""
        rate, batch = kept_settings(state)
        return DriftTests(
            n_calibration,
            rate if self._parts_per_false_alarm is None else self._parts_per_false_alarm,
            batch if self._batch is None else self._batch,
        )

    def _keep(self, line: _Line, watched: _Watched) -> None:
        """Write the state, unless another process has read further or was told to learn anew."""
        values: dict[str, Any] = {"read_up_to": watched.read_up_to, "tests": watched.tests.to_json()}
        row = DriftRow
        mine = row.name == line.active.name, row.version == watched.version
        further = row.learns_after == watched.learns_after, row.read_up_to < watched.read_up_to
        try:
            with self._database.transaction() as session:
                changed = update(row).where(*mine, *further).values(**values).returning(row.id)
                if not session.execute(changed).all() and _drift_row(session, line) is None:
                    version, after = watched.version, watched.learns_after
                    session.add(row(name=line.active.name, version=version, learns_after=after, **values))
        except DatabaseError as error:
            if not isinstance(error.__cause__, IntegrityError):
                raise  # else another process has begun the row at the same moment, and reads the same log
        watched.kept_up_to = watched.tests.n


def _of(line: _Line) -> tuple[ColumnElement[bool], ...]:
    """Which inspections are of a line."""
    return _ROW.inspector == line.active.name, _ROW.version.in_(line.alike)


def _rows(line: _Line) -> tuple[ColumnElement[bool], ...]:
    """Which rows of drift are of a line."""
    return DriftRow.name == line.active.name, DriftRow.version.in_(line.alike)


def _drift_row(session: Session, line: _Line) -> DriftRow | None:
    """The row that holds the state: where somebody let them learn anew last, else of the first version.

    An earlier Blemish began another with each decision.
    """
    latest_first = (
        select(DriftRow).where(*_rows(line)).order_by(DriftRow.learns_after.desc(), DriftRow.version)
    )
    return session.scalars(latest_first.limit(1)).one_or_none()
