"""What a station has taken from its sources, written in the log's own transactions, and what is to be told with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from blemish.station.database import Database
from blemish.station.inspection_queue import Task
from blemish.station.intake import Taken
from blemish.station.records import InspectionRecord
from blemish.station.schema import TakenRow
from blemish.station.signals.outbox import Outbox
from blemish.station.signals.settings import SinkBase


@dataclass(kw_only=True)
class StationTask(Task):
    """A photograph in the queue that a source has given."""

    taken: Taken


class TakenPhotographs:
    """The photographs of one station that are settled: judged, or known to be no photographs.

    Args:
        database: of the log.
        station: unique among all that share the database.
        sinks: who is told of which verdicts.
    """

    def __init__(self, database: Database, station: str, sinks: Sequence[SinkBase]) -> None:
        self._database, self._station, self._sinks = database, station, sinks
        self._outbox = Outbox(database, station)

    def knows(self, source: str, key: str) -> bool:
        """Whether the photograph of a source and a key is settled.

        Raises:
            DatabaseError: nobody knows at present.
        """
        query = select(TakenRow.id).where(
            TakenRow.station == self._station, TakenRow.source == source, TakenRow.key == key
        )
        with self._database.session() as session:
            return session.scalar(query) is not None

    def within_commit(
        self, session: Session, tasks: Sequence[Task], records: Sequence[InspectionRecord]
    ) -> None:
        """Write in the transaction of a group that it was taken, and what is to be told."""
        ours = [
            (task.taken, record)
            for task, record in zip(tasks, records, strict=True)
            if isinstance(task, StationTask)
        ]
        rows = [self._row(taken, record.id) for taken, record in ours if taken.arrival.key is not None]
        if rows:
            session.execute(insert(TakenRow), rows)
        for sink in self._sinks:
            told = [(record.id, taken.arrival.origin) for taken, record in ours if sink.wants(record.verdict)]
            if told:
                self._outbox.note(session, [sink.name], told)

    def cannot_be_judged(self, taken: Taken) -> None:
        """Write that a photograph is none, so that it does not come again.

        Raises:
            DatabaseError: it is not written.
        """
        key = taken.arrival.key
        if key is not None and not self.knows(taken.source, key):
            with self._database.transaction() as session:
                session.execute(insert(TakenRow), [self._row(taken, None)])

    def _row(self, taken: Taken, inspection: int | None) -> dict[str, object]:
        key = taken.arrival.key
        return {"station": self._station, "source": taken.source, "key": key, "inspection_id": inspection}
