"""One running server's parts; the routes and the page call it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from blemish.core.errors import BlemishError, NotFoundError, UsageError
from blemish.core.images import DecodeLimits, decode_image
from blemish.core.types import ByteArray, Verdict
from blemish.line.inspection import Inspection
from blemish.line.runtime import Inspector
from blemish.server.errors import Overloaded
from blemish.server.jobs import Jobs
from blemish.server.metrics import Metrics
from blemish.server.queue import InspectionQueue, Judged, Photograph, Refused, Task
from blemish.server.settings import ServerSettings
from blemish.station.compiled import CompiledInspectors
from blemish.station.database import Database
from blemish.station.home import Home
from blemish.station.image_store import ImageStore, KeepPolicy
from blemish.station.keys import KeyStore
from blemish.station.log import InspectionLog
from blemish.station.records import Feedback, InspectionRecord, NewFeedback
from blemish.station.shelf import InspectorShelf, InspectorVersion
from blemish.station.statistics import HistoryStatistics

if TYPE_CHECKING:
    from blemish.gallery.defect import Neighbour
    from blemish.gallery.proposal import Proposal
    from blemish.server.past_defects import PastDefects

__all__ = ["Judged", "JudgedAgain", "Overloaded", "Photograph", "Refused", "Service"]

ACTIVE_SECONDS = 1.0
"""How long it may take until an activation by another process is seen."""

PRUNE_SECONDS = 600.0

logger = logging.getLogger("blemish.server")


@dataclass(frozen=True)
class JudgedAgain:
    """A photograph judged once more, without a record: uint8 RGB, with its map."""

    version: InspectorVersion
    inspector: Inspector = field(repr=False)
    image: ByteArray = field(repr=False)
    inspection: Inspection = field(repr=False)


class Service:
    """The parts of one server.

    Attributes:
        settings: what it was told at its start.
        limits: of the photographs that it decodes.
        home, database: where it keeps things.
        log, statistics, images, keys, shelf: the history's parts.
        gallery: past defects; None where there is no gallery, and `gallery_trouble` says why in one sentence.
        jobs: trainings and other long work, in processes of their own.
        metrics: what Prometheus reads.

    Raises:
        BlemishError: the home or the database cannot be used.
    """

    def __init__(self, settings: ServerSettings) -> None:
        self.settings = settings
        self.limits = DecodeLimits(max_bytes=settings.max_bytes, max_pixels=settings.max_pixels)
        self.home = Home(settings.home)
        self.database = Database(settings.database or self.home.database_url)
        self.database.upgrade()
        self.log = InspectionLog(self.database)
        self.statistics = HistoryStatistics(self.database)
        policy = KeepPolicy(settings.keep, settings.keep_days, settings.keep_gigabytes)
        self.images = ImageStore(self.home.images, policy)
        self.keys = KeyStore(self.database)
        self.shelf = InspectorShelf(self.home, self.database)
        self.jobs = Jobs(self.home.jobs)
        self.metrics = Metrics()
        self.queue = InspectionQueue(
            settings, self.limits, self.log, self.images, self.metrics, self._after_commit
        )
        self.metrics.queued.set_function(lambda: self.queue.length)
        self.metrics.queue_size.set(settings.queue_size)
        self.past_defects, self.gallery_trouble = _past_defects(self)
        self.gallery = self.past_defects.gallery if self.past_defects else None
        self.ready = False
        self._shared = CompiledInspectors(threads=None)
        self._of_gallery = CompiledInspectors(threads=1)  # its thread's own, beside the line
        self._redrawing = threading.Semaphore(1)  # heatmaps on demand leave the other cores to the line
        self._active: dict[str, tuple[float, InspectorVersion]] = {}
        self._stopped = threading.Event()
        self._keeper = threading.Thread(target=self._keep_house, name="housekeeping", daemon=True)

    def start(self) -> None:
        """Compile the active inspectors and start judging."""
        for version in self.shelf.active_all():
            try:
                self.queue.prepare(version)
            except BlemishError as error:  # the others can judge
                logger.error("%s", error)
        self.queue.start()
        if self.past_defects:
            self.past_defects.start()
        self._keeper.start()
        self.ready = True

    def stop(self) -> None:
        """Finish what was accepted, and close everything."""
        if self._stopped.is_set():
            return
        self.ready = False
        self._stopped.set()
        self.queue.stop(self.settings.stop_seconds)
        self.jobs.close()
        if self.past_defects:
            self.past_defects.stop()
        if self._keeper.is_alive():
            self._keeper.join(30)
        self.database.close()

    def submit(
        self, photographs: Sequence[Photograph], inspector: str, by: str = "local", wants_images: bool = False
    ) -> list[Future[Judged | Refused]]:
        """Accept all of these photographs or none; each answer comes once its record is committed.

        Raises:
            Overloaded: there is no room at the moment.
            NotFoundError: there is no such inspector.
            UsageError: there is no photograph, or more than one request may hold.
        """
        if not 0 < len(photographs) <= self.settings.max_images:
            raise UsageError(
                f"{len(photographs)} photographs cannot be inspected at once: send 1 to {self.settings.max_images}."
            )
        version = self.active(inspector)
        tasks = [Task(photograph, version, by, wants_images) for photograph in photographs]
        self.queue.submit(tasks)
        return [task.answer for task in tasks]

    def inspect(
        self, photographs: Sequence[Photograph], inspector: str, by: str = "local"
    ) -> list[Judged | Refused]:
        """Judge and log photographs; returns when their records are committed, in the given order.

        Raises:
            Overloaded: there is no room at the moment.
            NotFoundError: there is no such inspector.
            UsageError: there is no photograph, or more than one request may hold.
            BlemishError: they could not be logged.
        """
        answers = self.submit(photographs, inspector, by, wants_images=True)
        # A photograph waits at most `request_seconds` for a worker.
        end = time.monotonic() + 2 * self.settings.request_seconds
        try:
            return [answer.result(max(0.1, end - time.monotonic())) for answer in answers]
        except FutureTimeoutError as error:
            raise Overloaded("The photographs took too long: send them again later.", 5) from error

    def active(self, name: str) -> InspectorVersion:
        """The active version of an inspector.

        Raises:
            NotFoundError: there is no such inspector.
        """
        known = self._active.get(name)
        if known and time.monotonic() - known[0] < ACTIVE_SECONDS:
            return known[1]
        version = self.shelf.active(name)
        self._active[name] = (time.monotonic(), version)
        return version

    def add_inspector(self, path: Path, name: str | None, by: str = "local") -> InspectorVersion:
        """Put an artifact on the shelf; unlike the shelf alone, only one whose network can be run here.

        Raises:
            ArtifactError: the file is not a sound inspector.
            UsageError: the name is not possible.
        """
        Inspector.load(path)
        return self.shelf.add(path, name, by)

    def activate(self, name: str, version: int) -> InspectorVersion:
        """Let a version judge from now on; it is compiled before.

        Raises:
            NotFoundError: there is no such version.
            ArtifactError: its file is damaged.
        """
        self.queue.prepare(self.shelf.get(name, version))
        activated = self.shelf.activate(name, version)
        self._active[name] = (time.monotonic(), activated)
        return activated

    def activate_trained(self, job: str, by: str = "local") -> InspectorVersion:
        """Put the inspector that a job has trained on the shelf, and let it judge from now on.

        Raises:
            NotFoundError: there is no such job, or it has made no inspector.
            ArtifactError: its file is damaged.
        """
        added = self.add_inspector(self.jobs.inspector(job), None, by)
        return self.activate(added.name, added.version)

    def roll_back(self, name: str) -> InspectorVersion:
        """Let the version judge that was active before.

        Raises:
            NotFoundError: no version was active before.
        """
        activated = self.shelf.roll_back(name)
        self._active[name] = (time.monotonic(), activated)
        self.queue.prepare(activated)
        return activated

    def loaded(self, name: str) -> tuple[InspectorVersion, Inspector]:
        """The active version of an inspector, compiled; several threads may call it.

        Raises:
            NotFoundError: there is no such inspector.
            ArtifactError: its file is damaged.
        """
        version = self.active(name)
        return version, self._shared.get(version)

    def judge_again(self, record: InspectionRecord) -> tuple[ByteArray, Inspection]:
        """The photograph (uint8 RGB) and its inspection with the map, by the version that the record names.

        Raises:
            NotFoundError: the photograph is not kept, or the version is gone.
        """
        again = self.judged_again(record)
        return again.image, again.inspection

    def judged_again(self, record: InspectionRecord) -> JudgedAgain:
        """As `judge_again`, with the inspector."""
        return self._judged(*self._kept(record))

    def judged_for_gallery(self, record: InspectionRecord) -> JudgedAgain:
        """As `judged_again`, on one core and with networks that are the gallery's alone."""
        version, photograph = self._kept(record)
        return self._judged_by(version, self._of_gallery.get(version), photograph)

    def give_feedback(self, inspection_id: int, feedback: NewFeedback) -> Feedback:
        """Keep what a person says of a part, in the log and in the gallery.

        Raises:
            NotFoundError: there is no such inspection.
        """
        kept = self.log.give_feedback(inspection_id, feedback)
        if self.past_defects:
            record = self.log.get(inspection_id)
            try:
                self.past_defects.set_defect_type(record, feedback.truth, feedback.defect_type)
            except Exception as error:  # the word is kept; the gallery follows when it can
                logger.warning("The gallery did not take the feedback on %d: %s", inspection_id, error)
        return kept

    def similar(
        self,
        what: InspectionRecord | bytes,
        inspector: str | None = None,
        top: int = 5,
        category: str | None = None,
        defect_type: str | None = None,
        since: datetime | None = None,
    ) -> tuple[Sequence[Neighbour], Proposal]:
        """The past defects most similar to a record's photograph, or to an image file's bytes, nearest first.

        Args:
            what: a record (then its own inspector says where the defect is), or the bytes of a file.
            inspector: name of the inspector, for bytes.
            top: how many.
            category, defect_type, since: only such defects; all when None.

        Raises:
            NotFoundError: there is no such inspector, the photograph is not kept, or there is no gallery.
            ImageError: the bytes are not an image.
        """
        if self.past_defects is None:
            raise NotFoundError(self.gallery_trouble or "This server has no gallery.")
        if isinstance(what, bytes):
            again = self._judged(self.active(inspector or ""), Photograph(what, "the photograph"))
            digest = None
        else:
            again, digest = self.judged_again(what), what.image_digest
        return self.past_defects.similar(again, top, category, defect_type, since, digest)

    def _kept(self, record: InspectionRecord) -> tuple[InspectorVersion, Photograph]:
        """The version that has judged a record, and the photograph."""
        if record.image_suffix is None:
            raise NotFoundError(f"The photograph of inspection {record.id} is not kept: see the keep policy.")
        version = self.shelf.get(record.inspector, record.version)
        content = self.images.read(record.image_digest, record.image_suffix)
        return version, Photograph(content, record.file_name)

    def _judged(self, version: InspectorVersion, photograph: Photograph) -> JudgedAgain:
        with self._redrawing:
            return self._judged_by(version, self._shared.get(version), photograph)

    def _judged_by(
        self, version: InspectorVersion, inspector: Inspector, photograph: Photograph
    ) -> JudgedAgain:
        bit_depth = inspector.manifest.preprocessing.bit_depth
        image = decode_image(photograph.content, photograph.file_name, self.limits, bit_depth)
        return JudgedAgain(version, inspector, image, inspector.inspect(image))

    def _after_commit(self, judged: Judged, content: bytes) -> None:
        if self.past_defects and judged.record.verdict is not Verdict.PASS:
            self.past_defects.take(judged.record)

    def _keep_house(self) -> None:
        """Remove photographs by policy, and forget that they were kept."""
        while True:
            try:
                self.log.forget_image(self.images.prune(datetime.now(UTC)))
            except Exception:
                logger.exception("Old photographs could not be removed; it is tried again later.")
            if self._stopped.wait(PRUNE_SECONDS):
                return


def _past_defects(service: Service) -> tuple[PastDefects | None, str | None]:
    """The gallery, or why there is none: inspecting goes on without it."""
    try:
        from blemish.gallery.gallery import Gallery
        from blemish.server.past_defects import PastDefects
    except ModuleNotFoundError as error:
        return None, f"There is no gallery: {error.name} is not installed."

    place = service.settings.gallery
    location: Path | str = (
        place if place and place.startswith("http") else Path(place or service.home.gallery)
    )
    try:
        gallery = Gallery(location)
    except BlemishError as error:
        logger.warning("There is no gallery: %s", error)
        return None, str(error)
    return PastDefects(gallery, service.judged_for_gallery, lambda: service.queue.length == 0), None
