"""What has been learnt of a catalog: by jobs of the laboratory, and the inspectors on the shelf."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from blemish.core.errors import BlemishError, NotFoundError
from blemish.core.storage import file_digest
from blemish.detectors.registry import split_label
from blemish.server.job import Job, JobState
from blemish.server.job_requests import EvaluateRequest, TrainRequest
from blemish.server.laboratory.catalogs import Opened
from blemish.server.service import Service
from blemish.server.wording import moment
from blemish.station.shelf import InspectorVersion

JOB, SHELF = "job", "shelf"
"""Where something that was learnt lies; its key is one of these, a colon, and a name."""


@dataclass(frozen=True)
class Fitted:
    """Something learnt that can judge a photograph.

    Attributes:
        key: by which it is found again.
        detector: the detector's name.
        version: what judges; its name is what a person calls it.
        figures: what was measured of it on the catalog's test photographs; None where nothing was.
        job: the training that made it; None for an inspector that came to the shelf otherwise.
    """

    key: str
    detector: str
    version: InspectorVersion
    figures: dict[str, Any] | None = None
    job: str | None = None

    @property
    def label(self) -> str:
        """What a person calls it."""
        return self.version.name


class FittedInspectors:
    """Finds what was learnt."""

    def __init__(self, service: Service) -> None:
        self._jobs, self._shelf = service.jobs, service.shelf
        self._digests: dict[str, str] = {}

    def of(self, opened: Opened, detector: str | None = None) -> list[Fitted]:
        """What was learnt of a catalog, newest first, then the active inspectors of its category.

        Args:
            opened: the catalog.
            detector: only of this one; of all when None.
        """
        learnt = list(self._learnt(opened))
        known = {one.version.digest for one in learnt}
        shelf = (self._active(version, opened) for version in self._shelf.active_all())
        learnt += [
            one for one in shelf if one.version.category == opened.name and one.version.digest not in known
        ]
        return [one for one in learnt if detector in (None, one.detector)]

    def get(self, key: str, opened: Opened) -> Fitted:
        """The one of a key.

        Raises:
            NotFoundError: it is not there any more.
        """
        for one in self.of(opened):
            if one.key == key:
                return one
        raise NotFoundError("What was learnt is not there any more: learn it again.")

    def _learnt(self, opened: Opened) -> Iterator[Fitted]:
        for job in self._jobs.all():
            request = job.request
            if (
                isinstance(request, TrainRequest)
                and job.state is JobState.DONE
                and Path(request.folder) == opened.folder
                and request.category in (None, opened.name)
            ):
                try:
                    path = self._jobs.inspector(job.id)
                    digest = self._digest(job, path)
                except (BlemishError, OSError):  # its file was removed
                    continue
                detector, ended = split_label(request.detector)[0], job.ended or job.created
                name = f"{request.detector}, {how(request)}{moment(ended)[5:16]}"
                version = InspectorVersion(
                    name, 1, digest, path, detector, opened.name, ended, ended, active=False
                )
                measured = (job.result or {}).get("evaluation")
                yield Fitted(
                    f"{JOB}:{job.id}", detector, version, cast("dict[str, Any] | None", measured), job.id
                )

    def _active(self, version: InspectorVersion, opened: Opened) -> Fitted:
        return Fitted(
            f"{SHELF}:{version.name}", version.detector, version, self._measured(version, opened.folder)
        )

    def _measured(self, version: InspectorVersion, folder: Path) -> dict[str, Any] | None:
        """What an evaluation of this very file on these photographs found."""
        for job in self._jobs.all():
            asked, result = job.request, job.result or {}
            if (
                isinstance(asked, EvaluateRequest)
                and Path(asked.folder) == folder
                and result.get("inspector_digest") == version.digest
            ):
                return cast("dict[str, Any]", result)
        return None

    def _digest(self, job: Job, path: Path) -> str:
        """SHA-256 of the file that a training has made, read once."""
        if job.id not in self._digests:
            self._digests[job.id] = file_digest(path)
        return self._digests[job.id]


def how(request: TrainRequest) -> str:
    """What was asked for besides the detector, as a person reads it before a time."""
    said = [f"{name}={value}" for name, value in request.parameters.items()]
    return "".join(f"{one}, " for one in [*(["quick"] if request.quick else []), *said])
