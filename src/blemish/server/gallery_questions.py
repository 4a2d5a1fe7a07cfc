"""What people ask of the gallery: past defects like a photograph's, and which look alike."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from blemish.core.errors import NotFoundError
from blemish.server.past_defects import PastDefects, Similar
from blemish.server.reinspection import Reinspection
from blemish.station.inspectors import Inspectors
from blemish.station.photograph import Photograph
from blemish.station.records import InspectionRecord

if TYPE_CHECKING:
    from blemish.gallery.clusters import Clusters


class GalleryQuestions:
    """Answers from past defects; may be asked by many threads.

    Args:
        past_defects: the gallery; None where there is none.
        trouble: why there is none, in one sentence.
        reinspection: judges the photograph that is asked about.
        inspectors: which version judges.
    """

    def __init__(
        self,
        past_defects: PastDefects | None,
        trouble: str | None,
        reinspection: Reinspection,
        inspectors: Inspectors,
    ) -> None:
        self._past_defects, self._trouble = past_defects, trouble
        self._reinspection, self._inspectors = reinspection, inspectors

    def similar(
        self,
        what: InspectionRecord | bytes,
        inspector: str | None = None,
        top: int = 5,
        category: str | None = None,
        defect_type: str | None = None,
        since: datetime | None = None,
    ) -> Similar:
        """The past defects most similar to a record's photograph, or to an image file's bytes, nearest first.

        Args:
            what: a record (then its own inspector says where the defect is), or the bytes of a file.
            inspector: name of the inspector, for bytes.
            top: how many.
            category: only defects of this part; of the inspector's own when None.
            defect_type, since: only such defects; all when None.

        Raises:
            NotFoundError: there is no such inspector, the photograph is not kept, or there is no gallery.
            ImageError: the bytes are not an image.
        """
        past_defects = self._there()
        if isinstance(what, bytes):
            photograph = Photograph(what, "the photograph")
            judgement = self._reinspection.of_photograph(self._inspectors.active(inspector or ""), photograph)
            truth, digest = None, None
        else:
            judgement, truth, digest = self._reinspection.of_record(what), what.truth, what.image_digest
        part = category or judgement.version.name  # what other parts show is no answer
        return past_defects.similar(judgement, truth, top, part, defect_type, since, digest)

    def clusters(self, category: str | None = None, min_cluster_size: int = 5) -> Clusters:
        """Which past defects look alike, of each category or of one.

        Raises:
            NotFoundError: there is no gallery.
            MissingExtraError: scikit-learn is not installed.
        """
        return self._there().clusters(category, min_cluster_size)

    def _there(self) -> PastDefects:
        if self._past_defects is None:
            raise NotFoundError(self._trouble or "This server has no gallery.")
        return self._past_defects
