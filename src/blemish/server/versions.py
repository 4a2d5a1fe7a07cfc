"""The versions of an inspector: what each is made of, what changed, when it judged and how it fared."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from blemish.core.errors import ArtifactError, NotFoundError
from blemish.core.storage import file_digest
from blemish.evaluation.facts import checked_in_words, looked_at
from blemish.line.artifact import read_manifest
from blemish.line.manifest import Manifest
from blemish.server.job import Job, JobState
from blemish.server.job_requests import EvaluateRequest, TrainRequest
from blemish.server.learning_request import CorrectionsRequest
from blemish.server.manifest_changes import changes_in_words, kind_of_change
from blemish.server.version_documents import (
    ChangesDocument,
    CountsDocument,
    EvaluationDocument,
    LearntDocument,
    PeriodDocument,
    VersionFactsDocument,
)
from blemish.station.activations import Period, periods
from blemish.station.audit import Action, AuditEntry
from blemish.station.shelf import InspectorVersion
from blemish.station.version_counts import VersionCount, VersionCounts

if TYPE_CHECKING:
    from blemish.server.service import Service

_MADE_BY = (Action.NARROW, Action.DECIDE, Action.UNDO_DECISION, Action.LEARN)
_MOST_REMEMBERED = 256
_MOST_AUDITED = 1000
_FILES = ("weights", "mask")
_FIGURES = ("n_normal", "n_anomalous", "image_auroc", "image_ap", "image_f1", "pixel_auroc", "aupro")


class Versions:
    """What is known of versions; several threads may ask."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._manifests: OrderedDict[tuple[str, int, int], Manifest] = OrderedDict()
        self._trained: dict[str, str] = {}
        self._lock = threading.Lock()

    def all(self, name: str) -> list[VersionFactsDocument]:
        """All versions of an inspector, newest first, each against the one that it was made of.

        Raises:
            NotFoundError: there is no inspector of this name.
        """
        versions = self._service.shelf.versions(name)
        parents = self._parents(name)
        judged, counts = periods(self._service.database, name), VersionCounts(self._service.database).of(name)
        by_number = {one.version: one for one in versions}
        found = []
        for version in reversed(versions):
            parent = by_number.get(parents.get(version.version, version.version - 1))
            found.append(self._facts(version, parent, judged.get(name, []), counts))
        return found

    def one(self, name: str, number: int, against: int | None = None) -> VersionFactsDocument:
        """A version, against another one, or against the one that it was made of where None.

        Raises:
            NotFoundError: there is no such version.
        """
        shelf = self._service.shelf
        version = shelf.get(name, number)
        if against is None:
            made_of = self._parents(name).get(number, number - 1)
            parent = shelf.get(name, made_of) if made_of else None
        else:
            parent = shelf.get(name, against)
        judged = periods(self._service.database, name).get(name, [])
        return self._facts(version, parent, judged, VersionCounts(self._service.database).of(name))

    def manifest(self, version: InspectorVersion) -> Manifest:
        """What the file of a version says of itself, remembered as long as the file is the same.

        Raises:
            ArtifactError: it is gone or damaged.
        """
        try:
            status = version.path.stat()
        except OSError as error:
            raise ArtifactError(
                f"The file of {version.title} is gone: restore it, or add it again."
            ) from error
        key = version.digest, status.st_size, status.st_mtime_ns
        with self._lock:
            if found := self._manifests.get(key):
                self._manifests.move_to_end(key)
                return found
        try:
            found = read_manifest(version.path)
        except ArtifactError as error:
            # Who asks need not learn where the file is.
            raise ArtifactError(
                f"The file of {version.title} is damaged: restore it, or add it again."
            ) from error
        with self._lock:
            self._manifests[key] = found
            while len(self._manifests) > _MOST_REMEMBERED:
                self._manifests.popitem(last=False)
        return found

    def _facts(
        self,
        version: InspectorVersion,
        parent: InspectorVersion | None,
        judged: list[Period],
        counts: dict[int, VersionCount],
    ) -> VersionFactsDocument:
        manifest, trouble = None, None
        try:
            manifest = self.manifest(version)
        except ArtifactError as error:
            trouble = str(error)
        changes = self._changes(manifest, parent) if manifest and parent else None
        # A version that is made of another by anything else has that one's decision, and its note.
        of_decision = changes is None or changes.kind == "decision"
        return VersionFactsDocument(
            name=version.name,
            version=version.version,
            digest=version.digest,
            bytes=version.path.stat().st_size if manifest else None,
            added=version.added,
            by=version.by,
            note=manifest.decision.note if manifest and of_decision else None,
            active=version.active,
            periods=[
                PeriodDocument(since=one.since, until=one.until)
                for one in judged
                if one.version == version.version
            ],
            learnt=manifest and _learnt(manifest),
            decision=manifest and manifest.decision,
            changes=changes,
            counts=_counts(counts.get(version.version, VersionCount())),
            evaluations=self._evaluations(version),
            trouble=trouble,
        )

    def _changes(self, manifest: Manifest, parent: InspectorVersion) -> ChangesDocument | None:
        try:
            before = self.manifest(parent)
        except ArtifactError:
            return None
        kind, sentences = kind_of_change(before, manifest), changes_in_words(before, manifest)
        return ChangesDocument(against=parent.version, kind=kind, sentences=list(sentences))

    def _parents(self, name: str) -> dict[int, int]:
        """Of which version each was made that was made of one, by what the audit log says first of it."""
        entries: list[AuditEntry] = []
        cursor: str | None = None
        while len(entries) < _MOST_AUDITED:
            page = self._service.audit.page(name, 200, cursor)
            entries += page.entries
            if (cursor := page.next_cursor) is None:
                break
        found: dict[int, int] = {}
        for entry in entries:  # newest first: the first one told stays
            before, after = entry.version_before, entry.version_after
            if entry.action in _MADE_BY and before is not None and after is not None and before < after:
                found[after] = before
        return found

    def _evaluations(self, version: InspectorVersion) -> list[EvaluationDocument]:
        found = []
        for job in self._service.jobs.all():
            if job.state is JobState.DONE and job.result is not None and job.ended is not None:
                figures = self._figures(job, version)
                if figures is not None:
                    found.append(_evaluation(job, figures))
        return found

    def _figures(self, job: Job, version: InspectorVersion) -> Any:
        """What a job measured of a version; None where it measured another, or none."""
        request, result = job.request, job.result or {}
        if isinstance(request, EvaluateRequest):
            measured = request.inspector, request.version
            return result if measured == (version.name, version.version) else None
        if isinstance(request, TrainRequest) and "evaluation" in result and request.name == version.name:
            return result["evaluation"] if self._trained_digest(job.id) == version.digest else None
        return None

    def _trained_digest(self, job: str) -> str | None:
        """SHA-256 of the inspector that a training has made; it is on the shelf under this."""
        if job not in self._trained:
            try:
                self._trained[job] = file_digest(self._service.jobs.inspector(job))
            except (NotFoundError, OSError):
                return None
        return self._trained[job]


def _learnt(manifest: Manifest) -> LearntDocument:
    detector, training, calibration = manifest.detector, manifest.training, manifest.calibration
    return LearntDocument(
        detector=detector.name,
        parameters={name: _without_folder(name, value) for name, value in detector.parameters.items()},
        chosen=detector.chosen,
        metric=detector.metric,
        types=list(detector.types),
        input=manifest.input_in_words,
        looks_at=looked_at(manifest) or None,
        checked=checked_in_words(manifest) or None,
        category=training.category,
        n_images=training.n_images,
        n_labelled=len(training.supervision.digests) if training.supervision else 0,
        seed=training.seed,
        seconds=training.seconds,
        created=training.created,
        calibration_n=calibration.n_scores if calibration.n_groups is None else calibration.n_groups,
        calibration_method=calibration.method,
        parity=manifest.parity.max_relative_error,
        libraries=manifest.libraries,
        precisions=list(manifest.precisions),
    )


def _without_folder(name: str, value: Any) -> Any:
    """A parameter; of a file its name, as where that lay is nobody's business."""
    of_file = name.rpartition(".")[2] in _FILES and isinstance(value, str)
    return value.replace("\\", "/").rpartition("/")[2] if of_file else value


def _counts(count: VersionCount) -> CountsDocument:
    return CountsDocument(**{name: getattr(count, name) for name in CountsDocument.model_fields})


def _evaluation(job: Job, figures: dict[str, Any]) -> EvaluationDocument:
    assert job.ended is not None and not isinstance(job.request, CorrectionsRequest)  # that measures nothing
    interval = figures.get("image_auroc_interval") or [None, None]
    return EvaluationDocument(
        job=job.id,
        time=job.ended,
        by=job.by,
        data=job.request.folder.rstrip("/").rpartition("/")[2],
        report=job.report,
        image_auroc_interval=interval,
        false_reject=(figures.get("false_reject") or {}).get("rate"),
        escape=(figures.get("escape") or {}).get("rate"),
        milliseconds=(figures.get("latency_ms") or {}).get("p50"),
        **{name: figures.get(name) for name in _FIGURES},
    )
