"""Jobs: training and other long work in processes of their own, one at a time, each in a folder of its own.

A job's folder holds `job.json` (what was asked for and how far it is), `log.txt`, `result.json` and, when it is done,
its report. A job that was running when the server ended is found "interrupted" at the next start.
"""

from __future__ import annotations

import json
import re
import secrets
import shutil
import threading
from collections import deque
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from blemish.core.errors import BlemishError, NotFoundError, UsageError
from blemish.core.storage import write_json, write_text
from blemish.server.job import Job, JobState
from blemish.server.job_process import JobProcess
from blemish.server.job_requests import (
    REPORT,
    JobRequest,
    OfPhotographs,
    TrainRequest,
    trained_inspector,
    workflow,
)
from blemish.server.job_titles import title
from blemish.server.learning_request import StationPlace
from blemish.server.relative import PHOTOGRAPHS, Relative
from blemish.server.sent_folders import innermost, refuse_annotations, refuse_defective
from blemish.server.uploaded_sets import UploadedSets
from blemish.server.uploads import DEFAULT_LIMITS, UploadLimits, unpack_images
from blemish.station.shelf import InspectorVersion
from blemish.workflows.process import GRACE_SECONDS
from blemish.workflows.request import Request

MOST_WAITING = 20
"""Jobs that may wait for their turn."""

MOST_LEFT_OUT = 100
"""Files left out that a job names."""

_ID = re.compile(r"^[0-9]{8}-[0-9]{6}-[0-9a-f]{6}$")


class Counts(NamedTuple):
    """Of an upload: photographs, files left out by name as far as they are listed, and how many of these."""

    photographs: int
    left_out: tuple[str, ...]
    left_out_count: int


class JobsFullError(BlemishError):
    """Too many jobs wait already; `status` is what HTTP calls it."""

    status = 503


class Jobs:
    """All jobs of a server: started here, run one after the other, remembered on disk."""

    def __init__(self, folder: Path, place: StationPlace | None = None) -> None:
        self._folder, self._place = Path(folder), place
        self._folder.mkdir(parents=True, exist_ok=True)
        self._changed = threading.Condition(threading.RLock())
        self._jobs: dict[str, Job] = {}
        self._asked: dict[str, tuple[str, Request]] = {}
        self._waiting: deque[str] = deque()
        self._process: JobProcess | None = None
        self._stopping: set[str] = set()
        self._closed = False
        self._remember()
        self._worker = threading.Thread(target=self._work, name="jobs", daemon=True)
        self._worker.start()

    def start(self, request: JobRequest, by: str = "local", inspector: InspectorVersion | None = None) -> Job:
        """Start a job, or let it wait for its turn.

        Args:
            request: what to do.
            by: who asks.
            inspector: what an evaluation measures.

        Raises:
            UsageError: the folder of photographs does not exist.
            JobsFullError: too many wait already.
        """
        return self._enter(self._new_id(), request, by, inspector)

    def start_uploaded(
        self,
        request: OfPhotographs,
        sets: UploadedSets,
        by: str = "local",
        inspector: InspectorVersion | None = None,
    ) -> Job:
        """Start a job on the photographs of `request.upload`, which stays for others; `request.folder` is set.

        Raises:
            NotFoundError: there is no such upload.
            UploadError: it holds no photograph, or annotations and no folder of good parts.
            JobsFullError: too many wait already.
        """
        self._check_room()
        identity = self._new_id()
        data = self._folder / identity / PHOTOGRAPHS
        try:
            taken = sets.hand_out(request.upload or "", data)
            if request.good:
                refuse_defective(data, request.good)
            else:
                refuse_annotations(data, [one.name for one in taken.left_out])
            # Where the sender says which folders are good, they are named from the outermost on.
            folder = data if request.good or request.defective else innermost(data)
            asked = request.model_copy(update={"folder": str(folder), "upload": None})
            left_out = tuple(f"{one.name}: {one.reason}" for one in taken.left_out[:MOST_LEFT_OUT])
            counts = Counts(taken.photographs, left_out, taken.left_out_count)
            return self._enter(identity, asked, by, inspector, counts)
        except BaseException:
            shutil.rmtree(self._folder / identity, ignore_errors=True)
            raise

    def start_training(
        self, request: TrainRequest, archive: Path, by: str = "local", limits: UploadLimits = DEFAULT_LIMITS
    ) -> Job:
        """Start a training on the photographs of an uploaded zip; `request.folder` is set to where they go.

        Their category is the one asked for, or else the training's name: folders in a zip name classes, not parts.

        Raises:
            UploadError: the zip is refused, or holds annotations and no folder of good parts; nothing of it is kept.
            JobsFullError: too many wait already.
        """
        self._check_room()
        identity = self._new_id()
        data = self._folder / identity / PHOTOGRAPHS
        try:
            unpacked = unpack_images(archive, data, limits)
            if not request.good:
                refuse_annotations(data, unpacked.left_out)
            named = {"folder": str(innermost(data)), "category": request.category or request.name}
            asked = request.model_copy(update=named)
            counts = Counts(unpacked.images, unpacked.left_out[:MOST_LEFT_OUT], len(unpacked.left_out))
            return self._enter(identity, asked, by, None, counts)
        except BaseException:
            shutil.rmtree(self._folder / identity, ignore_errors=True)
            raise

    def get(self, identity: str) -> Job:
        """A job as it stands now.

        Raises:
            NotFoundError: there is none of that name.
        """
        with self._changed:
            if identity not in self._jobs:
                raise NotFoundError(f"There is no job {identity[:40]!r}: GET /v1/jobs lists those there are.")
            return self._jobs[identity]

    def all(self) -> list[Job]:
        """All jobs, newest first."""
        with self._changed:
            return sorted(self._jobs.values(), key=lambda job: job.id, reverse=True)

    def stop(self, identity: str) -> Job:
        """Ask a job to end; one that waits ends at once, one that has ended stays as it is.

        Raises:
            NotFoundError: there is none of that name.
        """
        with self._changed:
            job = self.get(identity)
            if job.state is JobState.WAITING:
                self._waiting.remove(identity)
                return self._set(
                    identity, state=JobState.STOPPED, ended=_now(), says="Stopped before it began."
                )
            if job.state is JobState.RUNNING:
                self._stopping.add(identity)
                self._end_process()
            return self.get(identity)

    def wait(self, identity: str, seconds: float) -> Job:
        """The job when it has ended, or as it stands after so many seconds."""
        with self._changed:
            self._changed.wait_for(lambda: self.get(identity).state.ended, seconds)
            return self.get(identity)

    def remove(self, identity: str) -> None:
        """Forget a job that has ended, with all its files.

        Raises:
            NotFoundError: there is none of that name.
            UsageError: it has not ended.
        """
        with self._changed:
            if not self.get(identity).state.ended:
                raise UsageError("This job has not ended: stop it first.")
            del self._jobs[identity]
            shutil.rmtree(self._folder / identity, ignore_errors=True)

    def report(self, identity: str) -> Path:
        """The report of a job, one HTML file that asks the network for nothing.

        Raises:
            NotFoundError: there is no such job, or it has no report.
        """
        if not self.get(identity).report:
            raise NotFoundError(f"The job {identity} has no report.")
        return self._folder / identity / REPORT

    def keep_version(self, identity: str, version: int) -> None:
        """Note which version of its inspector a training has become."""
        self._set(identity, version=version)

    def cells(self, identity: str) -> list[dict[str, Any]]:
        """What a comparison has measured so far, a document for each cell, the first measured first.

        Raises:
            NotFoundError: there is no such job.
        """
        self.get(identity)
        found = []
        for path in (self._folder / identity).glob("cells/*/cell.json"):
            with suppress(OSError, ValueError):
                found.append((path.stat().st_mtime, json.loads(path.read_bytes())))
        return [document for _, document in sorted(found, key=lambda one: one[0])]

    def log(self, identity: str) -> str:
        """What the job has said so far; the last part if it is long."""
        self.get(identity)
        with suppress(OSError):
            return (self._folder / identity / "log.txt").read_text("utf-8", errors="replace")[-20_000:]
        return ""

    def inspector(self, identity: str) -> Path:
        """The inspector that a training has made.

        Raises:
            NotFoundError: there is no such job, or it has made none.
        """
        job = self.get(identity)
        if not isinstance(job.request, TrainRequest) or job.state is not JobState.DONE:
            raise NotFoundError(f"The job {identity} has made no inspector.")
        return trained_inspector(self._folder / identity, job.request.name)

    def close(self) -> None:
        """End the running job, which is found interrupted at the next start, and take no more."""
        with self._changed:
            self._closed = True
            self._end_process()
            self._changed.notify_all()
        self._worker.join(GRACE_SECONDS + 5)

    def _enter(
        self,
        identity: str,
        request: JobRequest,
        by: str,
        inspector: InspectorVersion | None,
        counts: Counts | None = None,
    ) -> Job:
        folder = self._folder / identity
        asked = workflow(request, folder, inspector, self._place, by)
        with self._changed:
            self._check_room()
            folder.mkdir(parents=True, exist_ok=True)
            self._jobs[identity] = Job(
                id=identity,
                title=title(request),
                request=request,
                state=JobState.WAITING,
                by=by,
                created=_now(),
                says="Waits for its turn.",
                photographs=counts.photographs if counts else None,
                left_out=counts.left_out if counts else (),
                left_out_count=counts.left_out_count if counts else 0,
            )
            self._asked[identity] = asked
            self._waiting.append(identity)
            return self._set(identity)

    def _check_room(self) -> None:
        with self._changed:
            if self._closed or len(self._waiting) >= MOST_WAITING:
                raise JobsFullError(f"{len(self._waiting)} jobs wait already: try again when some are done.")

    def _new_id(self) -> str:
        return f"{_now():%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"

    def _set(self, identity: str, **changes: object) -> Job:
        """Change a job, on disk too unless only its progress has changed."""
        with self._changed:
            job = self._jobs[identity].model_copy(update=changes)
            self._jobs[identity] = job
            if set(changes) - {"progress", "says"} or not changes:
                with suppress(
                    BlemishError
                ):  # a full disk: the job goes on, and is remembered by the next change
                    write_text(self._folder / identity / "job.json", job.model_dump_json(indent=2) + "\n")
            self._changed.notify_all()
            return job

    def _remember(self) -> None:
        """Read the jobs of earlier runs."""
        for path in sorted(self._folder.glob("*/job.json")):
            if not _ID.match(path.parent.name):
                continue
            with suppress(OSError, ValidationError, ValueError):
                job = Job.model_validate_json(path.read_bytes())
                self._jobs[path.parent.name] = job.model_copy(update={"id": path.parent.name})
        for job in list(self._jobs.values()):
            if not job.state.ended:
                says = "The server ended while this job was on its way: start it again."
                self._set(job.id, state=JobState.INTERRUPTED, ended=_now(), says=says, progress=None)

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or bool(self._waiting))
                if self._closed:
                    return
                identity = self._waiting.popleft()
                self._set(
                    identity,
                    state=JobState.RUNNING,
                    started=_now(),
                    says="Starts, and loads what it works with.",
                )
            try:
                self._do(identity)
            except Exception as error:  # whatever it was, the next job must have its turn
                self._set(identity, state=JobState.FAILED, ended=_now(), says=f"The job broke off: {error}")

    def _do(self, identity: str) -> None:
        folder = self._folder / identity
        process = self._begin(identity)
        ended = process.follow(lambda says, share: self._tell(identity, says, share)) if process else None
        relative = Relative(folder)
        with self._changed:
            self._process = None
            if self._closed:
                return  # the next start will find it interrupted
        if ended is None or identity in self._stopping:
            self._set(identity, state=JobState.STOPPED, ended=_now(), says="Stopped.", progress=None)
            return
        if ended.result is None:
            self._set(
                identity, state=JobState.FAILED, ended=_now(), says=relative.text(ended.error), progress=None
            )
            return
        result = relative.value(ended.result)
        write_json(folder / "result.json", result)
        report = (folder / REPORT).is_file()
        if report:
            relative.rewrite(folder / REPORT)
        self._set(
            identity,
            state=JobState.DONE,
            ended=_now(),
            says="Done." if ended.complete else "Done, with some photographs left out: see the log.",
            progress=1.0,
            result=result,
            report=report,
        )

    def _begin(self, identity: str) -> JobProcess | None:
        """Start the job's process, unless it is to stop already."""
        with self._changed:
            if not self._closed and identity not in self._stopping:
                folder = self._folder / identity
                self._process = JobProcess(
                    *self._asked.pop(identity), folder / "log.txt", Relative(folder).text
                )
            return self._process

    def _tell(self, identity: str, says: str, share: float | None) -> None:
        self._set(identity, says=says, progress=share)

    def _end_process(self) -> None:
        if self._process is not None:
            self._process.end()


def _now() -> datetime:
    return datetime.now(UTC)
