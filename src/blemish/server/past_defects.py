"""The gallery follows the log: rejected parts enter it, and what people say reaches it, in whatever order they come.

There is one way into the gallery, `PastDefects.follow`: it brings what the gallery holds of a photograph to what the
log says at that moment. So it can be done twice, late, or by several at once. The log notes in its own transactions
what is to be followed (`GalleryChanges`), and a note goes only when that is done: nothing is lost by a restart or
`kill -9`, and no queue can be full.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

from blemish.core.errors import BlemishError, DatabaseError, GalleryError
from blemish.core.types import FloatArray, Verdict
from blemish.gallery.clusters import Clusters, find_clusters
from blemish.gallery.defect import Defect, Neighbour
from blemish.gallery.embedding import AnomalyEmbedder, close_view
from blemish.gallery.gallery import Gallery
from blemish.gallery.proposal import NO_PROPOSAL, Proposal, is_good, propose
from blemish.station.gallery_changes import GalleryChanges
from blemish.station.judgement import Judgement
from blemish.station.log import InspectionLog
from blemish.station.records import Feedback, InspectionRecord, Truth

_AT_ONCE = 100
_LOOK_SECONDS = 5.0
"""How often the notes are looked for without a call of `wake`: another process may have made some."""

_TRY_AGAIN_SECONDS = 5.0
_PAUSE_SECONDS = 0.05
_CALM_SECONDS = 0.5
_REST = 9.0
"""Rest after each part, in times of the work on it, while photographs come: the line keeps nine tenths of the time."""

logger = logging.getLogger("blemish.server")


@dataclass(frozen=True)
class Similar:
    """Past defects like a photograph's, nearest first.

    Attributes:
        verdict, score, threshold: what the inspector says of the photograph.
        truth: what a person found the part to be; None where nobody has said anything.
        neighbours: the defects.
        proposal: the defect type that they vote for; none for a good part.
    """

    verdict: Verdict
    score: float
    threshold: float
    truth: Truth | None
    neighbours: Sequence[Neighbour]
    proposal: Proposal


class PastDefects:
    """The gallery as a server uses it.

    Args:
        gallery: where defects are stored.
        log, changes: what it follows.
        judge: judges a record's photograph again, with an inspector that nobody else uses; raises `BlemishError`
            where it is not kept.
        idle_seconds: how long no photograph has waited to be judged; 0 while one does.
    """

    def __init__(
        self,
        gallery: Gallery,
        log: InspectionLog,
        changes: GalleryChanges,
        judge: Callable[[InspectionRecord], Judgement],
        idle_seconds: Callable[[], float],
    ) -> None:
        self.gallery = gallery
        self._log, self._changes = log, changes
        self._judge, self._idle_seconds = judge, idle_seconds
        self._said: set[tuple[str, int]] = set()
        self._lock, self._clustering = threading.Lock(), threading.Lock()
        self._wake, self._ended = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="gallery", daemon=True)

    @property
    def waiting(self) -> int:
        """Inspections of which the gallery has still to learn something."""
        return self._changes.count()

    def start(self) -> None:
        """Start following the log; what an earlier process has left comes first."""
        self._wake.set()
        self._thread.start()

    def stop(self) -> None:
        """End; what waits is taken up at the next start."""
        self._ended.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(30)
        self.gallery.close()

    def wake(self) -> None:
        """Say that the log has something new."""
        self._wake.set()

    def similar(
        self,
        judgement: Judgement,
        truth: Truth | None,
        top: int,
        category: str | None,
        defect_type: str | None,
        since: datetime | None,
        exclude_digest: str | None,
    ) -> Similar:
        """The most similar past defects, and the defect type that they propose."""
        with self._lock:
            vector, space = _vector(judgement)
        neighbours = self.gallery.similar(
            vector, space, top=top, category=category, defect_type=defect_type, since=since,
            exclude_digest=exclude_digest,
        )  # fmt: skip
        said = judgement.inspection
        nothing = is_good(said.verdict, truth) or (truth is None and said.verdict is Verdict.NOT_JUDGED)
        proposal = NO_PROPOSAL if nothing else propose(neighbours)
        return Similar(said.verdict, said.score, said.threshold, truth, neighbours, proposal)

    def clusters(self, category: str | None, min_cluster_size: int) -> Clusters:
        """Which of the newest defects look alike, of each category; one caller at a time, for the line's sake.

        Raises:
            MissingExtraError: scikit-learn is not installed.
            GalleryError: the gallery cannot be read.
        """
        from blemish.explore.clusters import cluster_vectors

        with self._clustering:
            clustering = partial(cluster_vectors, min_cluster_size=min_cluster_size)
            return find_clusters(self.gallery.groups(category), clustering)

    def follow(self, record: InspectionRecord, may_judge: bool) -> None:
        """Bring what the gallery holds of a record's photograph to what the log says now.

        The log is read again after the gallery was changed, until both agree: so of several who follow at once the
        last to change the gallery has read what is said last, or is followed by one who has.

        Args:
            record: of the log.
            may_judge: whether a defect that is not in the gallery yet is judged again and enters it; that takes a
                while.

        Raises:
            GalleryError, DatabaseError: one of them cannot be used now.
            NotFoundError, ArtifactError, ImageError: the photograph cannot be judged again.
        """
        said = self._log.latest_feedback(record.image_digest)
        while True:
            self._follow_once(record, said, may_judge)
            followed = record.voided, said
            record, said = self._log.get(record.id), self._log.latest_feedback(record.image_digest)
            if (record.voided, said) == followed:
                return

    def _follow_once(self, record: InspectionRecord, said: Feedback | None, may_judge: bool) -> None:
        if record.voided is not None:
            if not self._log.counts(record.image_digest):
                self.gallery.remove(record.image_digest)
            return
        if said is not None and said.truth == "good":
            self.gallery.remove(record.image_digest)
            return
        if said is not None:
            self.gallery.set_defect_type(record.image_digest, said.defect_type)
        elif record.verdict is not Verdict.REJECT:
            return
        kept = record.image_suffix is not None and record.gives_map
        if may_judge and kept and not self.gallery.holds(record.inspector, record.image_digest):
            self._add(record, None if said is None else said.defect_type)

    def _add(self, record: InspectionRecord, defect_type: str | None) -> None:
        judgement = self._judge(record)
        vector, space = _vector(judgement)
        defect = Defect(
            category=record.inspector,
            defect_type=defect_type,
            time=record.time,
            inspector=record.inspector,
            image_digest=record.image_digest,
            inspection_id=record.id,
            name=record.file_name,
            view=close_view(judgement.image, judgement.inspection),
        )
        self.gallery.add(vector, space, defect)

    def _run(self) -> None:
        in_trouble = False
        try:
            self.gallery.call_by_inspectors()
        except GalleryError as error:
            logger.warning("Older entries of the gallery keep their categories: %s", error)
        while not self._ended.is_set():
            self._wake.wait(_LOOK_SECONDS)
            self._wake.clear()
            try:
                self._follow_notes()
                in_trouble = False
            except (GalleryError, DatabaseError) as error:  # the notes stay
                if not in_trouble:
                    logger.warning("The gallery does not follow the log at present: %s", error)
                in_trouble = True
                self._wake.set()
                self._ended.wait(_TRY_AGAIN_SECONDS)

    def _follow_notes(self) -> None:
        """Follow all that is noted, oldest first, while no photograph waits to be judged."""
        while notes := self._changes.oldest(_AT_ONCE):
            for inspection_id, numbers in notes.items():
                while not self._idle_seconds() and not self._ended.wait(_PAUSE_SECONDS):
                    pass
                if self._ended.is_set():
                    return
                started = time.monotonic()
                self._follow_note(self._log.get(inspection_id))
                self._changes.forget(numbers)
                self._rest(_REST * (time.monotonic() - started))

    def _follow_note(self, record: InspectionRecord) -> None:
        try:
            self.follow(record, may_judge=True)
        except (GalleryError, DatabaseError):
            raise
        except Exception as error:  # judging goes on without this one in the gallery
            self._say(record, str(error))

    def _rest(self, seconds: float) -> None:
        """Leave the cores to the line; not if no photograph comes."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and self._idle_seconds() < _CALM_SECONDS:
            if self._ended.wait(_PAUSE_SECONDS):
                return

    def _say(self, record: InspectionRecord, sentence: str) -> None:
        """Say why a part did not enter the gallery, once for each version of an inspector."""
        if (record.inspector, record.version) not in self._said:
            self._said.add((record.inspector, record.version))
            logger.warning("Inspection %d did not enter the gallery: %s", record.id, sentence)


def open_past_defects(
    location: Path | str,
    log: InspectionLog,
    changes: GalleryChanges,
    judge: Callable[[InspectionRecord], Judgement],
    idle_seconds: Callable[[], float],
) -> tuple[PastDefects | None, str | None]:
    """The gallery in a folder or at a URL, or why there is none: inspecting goes on without it."""
    text = str(location)
    try:
        gallery = Gallery(text if text.startswith("http") else Path(text))
    except ModuleNotFoundError as error:
        return None, f"There is no gallery: {error.name} is not installed."
    except BlemishError as error:
        logger.warning("There is no gallery: %s", error)
        return None, str(error)
    return PastDefects(gallery, log, changes, judge, idle_seconds), None


def _vector(judgement: Judgement) -> tuple[FloatArray, str]:
    embedder = AnomalyEmbedder(judgement.inspector)
    return embedder.vector_of(judgement.image, judgement.inspection), embedder.space
