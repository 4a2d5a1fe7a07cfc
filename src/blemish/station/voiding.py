"""Inspections that shall not count: of a part laid in askew, a hand in the picture, a trial.

Nothing is deleted: the history goes on showing what is void, marked and with the reason; rates, previews of decisions,
drift and the gallery leave it out. Each change stands in the audit log, written in the transaction of the change.
"""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import select, update

from blemish.core.errors import ConflictError, NotFoundError
from blemish.station.audit import Action, Change, note_change
from blemish.station.database import Database
from blemish.station.gallery_changes import note_changes
from blemish.station.log import InspectionLog
from blemish.station.records import InspectionRecord, check_line
from blemish.station.repeats import mark_again
from blemish.station.schema import INSPECTIONS

_ROW = INSPECTIONS.c


class Voiding:
    """Declares inspections void, and takes that back; may be used by many threads and processes.

    Args:
        database: of the log.
        log: the same, for reading.
        station: whose gallery follows; None where no gallery does.
    """

    def __init__(self, database: Database, log: InspectionLog, station: str | None = None) -> None:
        self._database, self._log, self._station = database, log, station

    def void(self, inspection_id: int, reason: str, by: str = "local") -> InspectionRecord:
        """Declare an inspection void.

        Args:
            inspection_id: its number.
            reason: why, in one line of at most 80 characters.
            by: who says so.

        Raises:
            NotFoundError: there is no such inspection.
            ConflictError: it is void already.
            UsageError: the reason is none.
        """
        check_line(reason, "reason")
        return self._change(inspection_id, by, reason)

    def take_back(self, inspection_id: int, by: str = "local") -> InspectionRecord:
        """Let an inspection count again.

        Raises:
            NotFoundError: there is no such inspection.
            ConflictError: it is not void.
        """
        return self._change(inspection_id, by, None)

    def _change(self, inspection_id: int, by: str, reason: str | None) -> InspectionRecord:
        record = self._log.get(inspection_id)
        becomes = reason is not None
        said = {
            "voided": datetime.now(UTC) if becomes else None,
            "void_reason": reason,
            "void_by": by if becomes else None,
        }
        with self._database.transaction() as session:
            locked = select(_ROW.voided, _ROW.void_reason).where(_ROW.id == record.id).with_for_update()
            found = session.execute(locked).one_or_none()
            if found is None:
                raise NotFoundError(f"There is no inspection {record.id}: check the number.")
            if (found.voided is not None) == becomes:
                raise ConflictError(
                    f"Inspection {record.id} is {'void already' if becomes else 'not void'}: look at it again."
                )
            session.execute(update(INSPECTIONS).where(_ROW.id == record.id).values(**said))
            mark_again(session, record.inspector, record.image_digest)
            change = Change(
                action=Action.VOID if becomes else Action.TAKE_BACK_VOID,
                by=by,
                inspector=record.inspector,
                detail={"inspection": record.id, "reason": reason or found.void_reason},
            )
            note_change(session, change)
            if self._station is not None:
                note_changes(session, self._station, [record.id])
        return self._log.get(record.id)
