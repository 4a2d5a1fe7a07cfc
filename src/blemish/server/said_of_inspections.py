"""What people say of inspections: that a part is good or defective, or that one is void; all that follows from it."""

from __future__ import annotations

import logging
from collections.abc import Callable

from blemish.core.errors import BlemishError
from blemish.server.past_defects import PastDefects
from blemish.station.image_store import ImageStore
from blemish.station.log import InspectionLog
from blemish.station.records import Feedback, InspectionRecord, NewFeedback
from blemish.station.voiding import Voiding

logger = logging.getLogger("blemish.server")


class SaidOfInspections:
    """Keeps what people say; may be used by many threads.

    Args:
        log, images, voiding: where it is kept.
        past_defects: the gallery; None where there is none.
        reread: what reads drift again from an inspection on.
    """

    def __init__(
        self,
        log: InspectionLog,
        images: ImageStore,
        voiding: Voiding,
        past_defects: PastDefects | None,
        reread: Callable[[InspectionRecord], None],
    ) -> None:
        self._log, self._images, self._voiding = log, images, voiding
        self._past_defects, self._reread = past_defects, reread

    def give_feedback(self, inspection_id: int, feedback: NewFeedback) -> Feedback:
        """Keep what a person says of a part, in the log and in the gallery; a missed defect's photograph is kept too.

        Raises:
            NotFoundError: there is no such inspection.
        """
        record = self._log.get(inspection_id)
        missed = feedback.truth == "bad" and record.image_suffix is None
        # First on disk among the kept ones, then in the log: what the log says is kept is there.
        if missed and (suffix := self._images.keep_held(record.image_digest)) is not None:
            self._log.remember_image(record.image_digest, suffix)
        kept = self._log.give_feedback(inspection_id, feedback)
        if self._past_defects:
            try:  # at once where it is known already; else it enters with this word
                self._past_defects.follow(self._log.get(inspection_id), may_judge=False)
            except BlemishError as error:
                logger.warning("The gallery takes the feedback on %d later: %s", inspection_id, error)
            self._past_defects.wake()
        return kept

    def void(self, inspection_id: int, reason: str, by: str = "local") -> InspectionRecord:
        """Declare an inspection void: it stays in the history, and counts for nothing.

        Raises:
            NotFoundError, ConflictError, UsageError: as `Voiding.void`.
        """
        return self._changed(self._voiding.void(inspection_id, reason, by))

    def take_back(self, inspection_id: int, by: str = "local") -> InspectionRecord:
        """Let an inspection count again.

        Raises:
            NotFoundError, ConflictError: as `Voiding.take_back`.
        """
        return self._changed(self._voiding.take_back(inspection_id, by))

    def _changed(self, record: InspectionRecord) -> InspectionRecord:
        self._reread(record)
        if self._past_defects:
            self._past_defects.wake()
        return record
