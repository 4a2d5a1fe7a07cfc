"""What one running server is made of, and what takes several of its pieces; the routes and the page call it."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import replace
from pathlib import Path

from blemish.core.devices import require_device
from blemish.core.errors import BlemishError, OverloadedError, UsageError
from blemish.core.execution import AUTO
from blemish.core.images import DecodeLimits
from blemish.core.types import Verdict
from blemish.line.artifact import read_manifest
from blemish.line.precision_choice import choice_in_words
from blemish.server.decisions import Decisions
from blemish.server.gallery_questions import GalleryQuestions
from blemish.server.job import Job
from blemish.server.job_requests import (
    DefectsRequest,
    EvaluateRequest,
    JobRequest,
    StressRequest,
    TrainRequest,
    check_places,
    check_values,
)
from blemish.server.jobs import Jobs
from blemish.server.learning_request import CorrectionsRequest, StationPlace
from blemish.server.metrics import Metrics
from blemish.server.part_pictures import PartPictures
from blemish.server.past_defects import open_past_defects
from blemish.server.reinspection import Reinspection
from blemish.server.said_of_inspections import SaidOfInspections
from blemish.server.settings import ServerSettings
from blemish.server.stations import Stations
from blemish.server.thumbnails import Thumbnails
from blemish.server.training import require_training
from blemish.server.uploaded_sets import UploadedSets
from blemish.server.uploads import DEFAULT_LIMITS
from blemish.server.versions import Versions
from blemish.station.audit import AuditLog
from blemish.station.clock import ClockWatch
from blemish.station.database import Database
from blemish.station.drift import DriftWatch
from blemish.station.drift_report import Drift
from blemish.station.drift_watching import DriftWatching
from blemish.station.gallery_changes import GalleryChanges
from blemish.station.home import Home
from blemish.station.housekeeping import Housekeeping
from blemish.station.image_store import ImageStore, KeepPolicy
from blemish.station.inspection_queue import InspectionQueue, Judged, QueueLimits, Refused, Task
from blemish.station.inspectors import Inspectors
from blemish.station.keys import KeyStore
from blemish.station.log import InspectionLog
from blemish.station.part_counts import PartCounts
from blemish.station.photograph import Photograph
from blemish.station.records import InspectionRecord
from blemish.station.retention import Retention
from blemish.station.review_queue import ReviewQueue
from blemish.station.shadow import ShadowJudge
from blemish.station.shadows import Shadows
from blemish.station.shelf import InspectorShelf, InspectorVersion
from blemish.station.statistics import HistoryStatistics
from blemish.station.voiding import Voiding

logger = logging.getLogger("blemish.server")


class Service:
    """One server: what it is made of, and what takes several of these.

    Attributes:
        settings: what it was told at its start.
        home, database: where it keeps things.
        log, statistics, images, thumbnails, keys, shelf: the history.
        review_queue: what needs a person first.
        voiding: what shall not count.
        retention, clock: which photographs are kept, and the time by which they are old.
        drift: whether light, lens or parts have changed.
        inspectors: which version judges.
        shadows, shadow_judge: versions that judge beside the active one.
        decisions: how it makes verdicts of scores.
        audit: who changed what.
        stations: lines that run by themselves.
        queue: photographs on their way to a verdict.
        reinspection: photographs judged beside the line, without a record.
        part_pictures: small pictures of parts.
        versions: what is known of versions.
        past_defects: the gallery; None where there is none, and `gallery_trouble` says why in one sentence.
        gallery: what people ask of it.
        said: what people say of inspections.
        jobs: trainings and other long work, in processes of their own.
        uploads: photographs that were sent for jobs.
        metrics: what Prometheus reads.

    Raises:
        BlemishError: the home or the database cannot be used.
    """

    def __init__(self, settings: ServerSettings) -> None:
        self.settings = settings
        require_device(settings.device)
        limits = DecodeLimits(
            max_bytes=settings.max_bytes,
            max_pixels=settings.max_pixels,
            bytes_option="--max-bytes",
            pixels_option="--max-pixels",
        )
        self.home = Home(settings.home)
        self.clock = ClockWatch()
        self.database = Database(settings.database or self.home.database_url)
        self.database.upgrade()
        station = self.home.station
        self.log = InspectionLog(self.database, station)
        self.statistics = HistoryStatistics(self.database)
        fixed = {"keep": settings.keep, "days": settings.keep_days, "gigabytes": settings.keep_gigabytes}
        self.retention = Retention(
            self.home.path / "retention.json", self.database, fixed, settings.buffer_megabytes
        )
        self.thumbnails = Thumbnails(self.home.thumbnails, limits)
        self.images = ImageStore(
            self.home.images, self.retention.policy(), self.home.buffer, self.thumbnails.remove
        )
        self.voiding = Voiding(self.database, self.log, station)
        self.keys = KeyStore(self.database)
        self.shelf = InspectorShelf(self.home, self.database)
        self.drift = DriftWatch(
            self.database, self.shelf, settings.parts_per_false_alarm, settings.parts_alike
        )
        self.review_queue = ReviewQueue(self.database, self.drift)
        self.jobs = Jobs(self.home.jobs, StationPlace(self.home.path, settings.database))
        self.uploads = UploadedSets(
            self.home.uploads, limits, replace(DEFAULT_LIMITS, archive_bytes=settings.max_upload_bytes)
        )
        self.metrics = Metrics()
        self.queue = InspectionQueue(
            QueueLimits(
                settings.worker_count,
                settings.queue_size,
                settings.queue_bytes,
                settings.batch,
                settings.request_seconds,
            ),
            limits,
            self.log,
            self.images,
            self.metrics,
            self._after_commit,
            execution=settings.execution,
        )
        self.metrics.devices.set_function(lambda: 0 if self.queue.lost_device else 1)
        self.metrics.queued.set_function(lambda: self.queue.length)
        self.metrics.queue_size.set(settings.queue_size)
        self.inspectors = Inspectors(self.shelf, self.queue.prepare)
        self.shadows = Shadows(self.database, self.shelf)
        self.shadow_judge = ShadowJudge(
            self.shadows,
            self.shelf,
            limits,
            lambda: self.queue.length == 0,
            self.inspectors.activate,
            self._keep_difference,
            settings.execution,
        )
        self.metrics.shadow_waiting.set_function(lambda: self.shadow_judge.waiting)
        self.decisions = Decisions(self.database, self.shelf, self.inspectors, self.jobs)
        self.audit = AuditLog(self.database)
        self.stations = Stations(self.home, self.database, settings)
        self.metrics.watch_stations(self.stations.statuses)
        self.reinspection = Reinspection(self.shelf, self.images, limits, settings.execution)
        self.part_pictures = PartPictures(PartCounts(self.database), self.images, self.reinspection)
        self.versions = Versions(self)
        self.past_defects, self.gallery_trouble = open_past_defects(
            settings.gallery or self.home.gallery,
            self.log,
            GalleryChanges(self.database, station),
            self.reinspection.for_gallery,
            lambda: self.queue.idle_seconds,
        )
        self.gallery = GalleryQuestions(
            self.past_defects, self.gallery_trouble, self.reinspection, self.inspectors
        )
        self.said = SaidOfInspections(
            self.log, self.images, self.voiding, self.past_defects, self._reread_without
        )
        self.ready = False
        self._stopped = False
        self._housekeeping = Housekeeping(
            self.images, self.retention, self.log, self.clock, self.uploads.prune
        )
        self._drift_watching = DriftWatching(self.drift, self.shelf)

    def start(self) -> None:
        """Compile the active inspectors and start judging."""
        for version in self.shelf.active_all():
            try:
                self.queue.prepare(version)
                if self.settings.precision == AUTO:
                    choices = read_manifest(version.path).precisions
                    logger.info("%s", choice_in_words(version.name, choices, self.settings.device))
            except BlemishError as error:  # the others can judge
                logger.error("%s", error)
        self.queue.start()
        self.shadow_judge.start()
        if self.past_defects:
            self.past_defects.start()
        self._housekeeping.start()
        self._drift_watching.start()
        self.stations.processes.begin()
        self.ready = True

    def stop(self) -> None:
        """Finish what was accepted, and close everything."""
        if self._stopped:
            return
        self.ready, self._stopped = False, True
        self.queue.stop(self.settings.stop_seconds)
        self.shadow_judge.stop()
        self.stations.processes.end(self.settings.stop_seconds)
        self.jobs.close()
        if self.past_defects:
            self.past_defects.stop()
        self._drift_watching.stop(30)
        self._housekeeping.stop(30)
        self.database.close()

    def submit(
        self, photographs: Sequence[Photograph], inspector: str, by: str = "local", wants_images: bool = False
    ) -> list[Future[Judged | Refused]]:
        """Accept all of these photographs or none; each answer comes once its record is committed.

        Raises:
            OverloadedError: there is no room at the moment.
            NotFoundError: there is no such inspector.
            UsageError: there is no photograph, or more than one request may hold.
        """
        if not 0 < len(photographs) <= self.settings.max_images:
            raise UsageError(
                f"{len(photographs)} photographs cannot be inspected at once: send 1 to {self.settings.max_images}."
            )
        version = self.inspectors.active(inspector)
        tasks = [Task(photograph, version, by, wants_images) for photograph in photographs]
        self.queue.submit(tasks)
        return [task.answer for task in tasks]

    def inspect(
        self, photographs: Sequence[Photograph], inspector: str, by: str = "local"
    ) -> list[Judged | Refused]:
        """Judge and log photographs; returns when their records are committed, in the given order.

        Raises:
            OverloadedError: there is no room at the moment.
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
            raise OverloadedError("The photographs took too long: send them again later.", 5) from error

    @property
    def readable(self) -> tuple[Path, ...]:
        """Folders that jobs may be told to read: those of the settings, and the laboratory's own; empty for all."""
        allowed = self.settings.photographs_below
        return (*allowed, self.home.laboratory) if allowed else ()

    def start_job(self, request: JobRequest, by: str = "local") -> Job:
        """Start a job, or let it wait for its turn; the active version of an inspector is measured unless one is named.

        Raises:
            NotFoundError: there is no such inspector, version or upload.
            MissingExtraError: the laboratory is not installed.
            UsageError: the folder of photographs does not exist, or another value cannot be used.
            JobsFullError: too many wait already.
        """
        require_training()
        check_values(request)
        check_places(request, self.readable)
        measured = None
        if isinstance(request, EvaluateRequest | StressRequest | DefectsRequest):
            name, number = request.inspector, request.version
            measured = self.shelf.active(name) if number is None else self.shelf.get(name, number)
            request = request.model_copy(update={"version": measured.version})  # what is active may change
        if isinstance(request, CorrectionsRequest):
            self.shelf.active(request.inspector)  # told at once, not by the job
        elif request.upload:
            return self.jobs.start_uploaded(request, self.uploads, by, measured)
        return self.jobs.start(request, by, measured)

    def start_training(self, request: TrainRequest, archive: Path, by: str = "local") -> Job:
        """Start a training on the photographs of an uploaded zip.

        Raises:
            MissingExtraError: the laboratory is not installed.
            UsageError: the zip or a value is refused.
            JobsFullError: too many wait already.
        """
        require_training()
        check_values(request)
        check_places(request.model_copy(update={"folder": ""}), self.settings.photographs_below)
        return self.jobs.start_training(request, archive, by)

    def activate_trained(self, job: str, by: str = "local") -> InspectorVersion:
        """Put the inspector that a job has trained on the shelf, and let it judge from now on.

        Raises:
            NotFoundError: there is no such job, or it has made no inspector.
            ArtifactError: its file is damaged.
        """
        version = self.inspectors.add_and_activate(self.jobs.inspector(job), by)
        self.jobs.keep_version(job, version.version)
        return version

    def keep_trained(self, job: str, by: str = "local") -> InspectorVersion:
        """Put the inspector that a job has trained on the shelf, where it judges only once it is activated.

        Raises:
            NotFoundError: there is no such job, or it has made no inspector.
            ArtifactError: its file is damaged.
        """
        version = self.inspectors.add(self.jobs.inspector(job), by=by)
        self.jobs.keep_version(job, version.version)
        return version

    def _reread_without(self, record: InspectionRecord) -> None:
        """Read drift again from an inspection on, which counts otherwise now."""
        self.drift.read_again(record.inspector, record.id)
        self._drift_watching.wake()

    def keep(self, policy: KeepPolicy, by: str = "local") -> KeepPolicy:
        """Keep photographs by another policy from now on; what is older, or more, than it allows goes at once.

        Raises:
            ConflictError: the command line says something else.
        """
        self.images.policy = self.retention.change(policy, by)
        self._housekeeping.wake()
        return self.images.policy

    @property
    def trouble(self) -> str | None:
        """The worst of what is wrong at present, in one sentence with its cause; None when all is well."""
        return self.queue.trouble or self.images.trouble or self.clock.trouble

    @property
    def troubles(self) -> list[str]:
        """What the server does without at present, a sentence each; those who have no key are not told more."""
        said = (
            ("No verdict can be logged at present: see the log.", self.queue.trouble),
            ("The clock was set: see the log.", self.clock.trouble),
            ("A device is lost, and the CPU goes on in its place: see the log.", self.queue.lost_device),
            ("Images are not kept at present: see the log.", self.images.trouble),
            ("There is no gallery: see the log.", self.gallery_trouble),
        )
        return [sentence for sentence, trouble in said if trouble]

    def known_drift(self, name: str, version: int) -> Drift | None:
        """What was read last of a version's drift, without waiting; None where that is still to come."""
        self._drift_watching.wake()  # another process may have logged something
        found = self._drift_watching.known.get(name)
        return found if found is not None and found.version == version else None

    def learn_anew(self, name: str, by: str = "local", note: str | None = None) -> Drift:
        """Take everything from now on for normal; the audit log says who wants it, and why.

        Raises:
            NotFoundError: no version of this inspector is active.
        """
        self._drift_watching.known[name] = drift = self.drift.learn_anew(name, by, note)
        return drift

    def _after_commit(self, judged: Judged) -> None:
        self._drift_watching.wake()
        self.shadow_judge.offer(judged.photograph, judged.record)
        if self.past_defects and judged.record.verdict is Verdict.REJECT:
            self.past_defects.wake()

    def _keep_difference(
        self, content: bytes, suffix: str, verdict: Verdict, record: InspectionRecord
    ) -> None:
        """Keep the photograph of a pass that another version would not pass, so that a person may look at it."""
        if record.image_suffix is None and (kept := self.images.keep(content, suffix, verdict)) is not None:
            self.log.remember_image(record.image_digest, kept)
