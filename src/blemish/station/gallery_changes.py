"""What a station's gallery has still to learn of the log, kept in the log's own transactions.

A transactional outbox: what changes the log notes here, in the same transaction, that the gallery has to look at an
inspection again. Whoever does so deletes the notes afterwards, so that nothing is lost by a full queue, a restart or
`kill -9`: what was not deleted is looked at once more, and to look twice changes nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from sqlalchemy import delete, func, insert, select
from sqlalchemy.orm import Session

from blemish.station.database import Database
from blemish.station.schema import GalleryChangeRow


class GalleryChanges:
    """The notes of one station; may be used by many threads and processes at once.

    Args:
        database: of the log.
        station: whose notes; several stations may share a database, each with photographs and a gallery of its own.
    """

    def __init__(self, database: Database, station: str) -> None:
        self._database, self._station = database, station

    def oldest(self, limit: int) -> dict[int, list[int]]:
        """At most `limit` notes, oldest first: numbers of inspections with those of their notes.

        Raises:
            DatabaseError: the database cannot be read.
        """
        query = (
            select(GalleryChangeRow.inspection_id, GalleryChangeRow.id)
            .where(GalleryChangeRow.station == self._station)
            .order_by(GalleryChangeRow.id)
            .limit(limit)
        )
        found: dict[int, list[int]] = defaultdict(list)
        with self._database.session() as session:
            for inspection_id, note in session.execute(query):
                found[inspection_id].append(note)
        return dict(found)

    def forget(self, notes: Sequence[int]) -> None:
        """Delete notes, by their numbers: the gallery has learnt what the log said after they were read.

        Raises:
            DatabaseError: the database cannot be written.
        """
        with self._database.transaction() as session:
            session.execute(delete(GalleryChangeRow).where(GalleryChangeRow.id.in_(notes)))

    def count(self) -> int:
        """Inspections that the gallery has still to look at.

        Raises:
            DatabaseError: the database cannot be read.
        """
        query = select(func.count(GalleryChangeRow.inspection_id.distinct())).where(
            GalleryChangeRow.station == self._station
        )
        with self._database.session() as session:
            return int(session.execute(query).scalar_one())


def note_changes(session: Session, station: str, inspection_ids: Sequence[int]) -> None:
    """Note within a transaction that the gallery of a station has to look at inspections again."""
    if inspection_ids:
        rows = [{"station": station, "inspection_id": number} for number in inspection_ids]
        session.execute(insert(GalleryChangeRow), rows)
