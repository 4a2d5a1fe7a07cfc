"""Jobs: training and other long work in processes of their own, one at a time, each in a folder of its own.

A job's folder holds `job.json` (what was asked for and how far it is), `log.txt`, `result.json` and, when it is done,
its report. A job that was running when the server ended is found "interrupted" at the next start.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from pydantic import JsonValue, ValidationError

from blemish.core.errors import BlemishError, NotFoundError, UsageError
from blemish.core.storage import write_bytes, write_text
from blemish.server import job_process
from blemish.server.job import Job, JobState
from blemish.server.job_requests import (
    REPORT,
    JobRequest,
    TrainRequest,
    command,
    evaluation,
    title,
    trained_inspector,
)
from blemish.server.uploads import DEFAULT_LIMITS, UploadLimits, unpack_images

MOST_WAITING = 20
"""Jobs that may wait for their turn."""

MOST_LOG_BYTES = 2**20

_PROGRESS = re.compile(r"^(?P<what>[^:]{1,80}): (?P<done>[\d,.]+) (?:MB )?of (?P<total>[\d,.]+)")
_MEANINGFUL = frozenset({"good", "ok", "normal", "train", "test"})
"""Folders whose names say something about the photographs in them."""

_ID = re.compile(r"^[0-9]{8}-[0-9]{6}-[0-9a-f]{6}$")


class JobsFullError(BlemishError):
    """Too many jobs wait already; `status` is what HTTP calls it."""

    status = 503


class Jobs:
    """All jobs of a server: started here, run one after the other, remembered on disk."""

    def __init__(self, folder: Path) -> None:
        self._folder = Path(folder)
        self._folder.mkdir(parents=True, exist_ok=True)
        self._changed = threading.Condition(threading.RLock())
        self._jobs: dict[str, Job] = {}
        self._commands: dict[str, list[str]] = {}
        self._waiting: deque[str] = deque()
        self._process: subprocess.Popen[bytes] | None = None
        self._running: str | None = None
        self._stopping: set[str] = set()
        self._closed = False
        self._remember()
        self._worker = threading.Thread(target=self._work, name="jobs", daemon=True)
        self._worker.start()

    def start(self, request: JobRequest, by: str = "local", inspector: Path | None = None) -> Job:
        """Start a job, or let it wait for its turn.

        Args:
            request: what to do.
            by: who asks.
            inspector: the inspector's file, for an evaluation.

        Raises:
            UsageError: the folder of photographs does not exist.
            JobsFullError: too many wait already.
        """
        return self._enter(self._new_id(), request, by, inspector)

    def start_training(
        self, request: TrainRequest, archive: Path, by: str = "local", limits: UploadLimits = DEFAULT_LIMITS
    ) -> Job:
        """Start a training on the photographs of an uploaded zip; `request.folder` is set to where they go.

        Raises:
            UploadError: the zip is refused; nothing of it is kept.
            JobsFullError: too many wait already.
        """
        self._check_room()
        identity = self._new_id()
        data = self._folder / identity / "photographs" / request.name
        try:
            unpacked = unpack_images(archive, data, limits)
            asked = request.model_copy(update={"folder": str(_innermost(data))})
            return self._enter(identity, asked, by, None, unpacked.images, unpacked.left_out[:100])
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
        self._worker.join(job_process.GRACE_SECONDS + 5)

    def _enter(
        self,
        identity: str,
        request: JobRequest,
        by: str,
        inspector: Path | None,
        photographs: int | None = None,
        left_out: tuple[str, ...] = (),
    ) -> Job:
        folder = self._folder / identity
        arguments = command(request, folder, inspector)
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
                photographs=photographs,
                left_out=left_out,
            )
            self._commands[identity] = arguments
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
                self._running = identity
                self._set(identity, state=JobState.RUNNING, started=_now(), says="Begins.")
            try:
                self._do(identity)
            except Exception as error:  # whatever it was, the next job must have its turn
                self._set(identity, state=JobState.FAILED, ended=_now(), says=f"The job broke off: {error}")
            finally:
                self._running = None

    def _do(self, identity: str) -> None:
        folder, request = self._folder / identity, self._jobs[identity].request
        status, document = self._run(identity, self._commands.pop(identity))
        usable = document is not None and "error" not in document
        if isinstance(request, TrainRequest) and usable and document and document.get("n_test"):
            inspector = trained_inspector(folder, request.name)
            _, measured = self._run(identity, evaluation(inspector, Path(request.folder), folder))
            if measured and "error" not in measured:
                document["evaluation"] = measured  # its report has taken the place of the training's
            else:
                document["evaluation_error"] = (measured or {}).get("error") or "the evaluation broke off"
        if self._closed:
            return  # the next start will find it interrupted
        if identity in self._stopping:
            self._set(identity, state=JobState.STOPPED, ended=_now(), says="Stopped.", progress=None)
            return
        if not usable:
            says = str((document or {}).get("error") or f"It ended with status {status}: see its log.")
            self._set(identity, state=JobState.FAILED, ended=_now(), says=says, progress=None)
            return
        write_bytes(folder / "result.json", json.dumps(document, indent=2).encode())
        self._set(
            identity,
            state=JobState.DONE,
            ended=_now(),
            says="Done." if status == 0 else "Done, with some photographs left out: see the log.",
            progress=1.0,
            result=document,
            report=(folder / REPORT).is_file(),
        )

    def _run(self, identity: str, arguments: list[str]) -> tuple[int, dict[str, JsonValue] | None]:
        """Run one verb; its exit status, and the document that it has printed."""
        folder = self._folder / identity
        with self._changed:
            if self._closed or identity in self._stopping:
                return job_process.STOPPED, None
            with (folder / "output.json").open("wb") as output:
                process = subprocess.Popen(
                    [sys.executable, "-m", job_process.__name__, *arguments],
                    stdin=subprocess.PIPE,
                    stdout=output,
                    stderr=subprocess.PIPE,
                    start_new_session=True,  # Ctrl-C on the server is for the server
                    env={**os.environ, "PYTHONUNBUFFERED": "1", "COLUMNS": "200"},
                )
            self._process = process
        assert process.stderr is not None
        with process.stderr, (folder / "log.txt").open("ab") as log:
            _follow(process.stderr, log, lambda line: self._tell(identity, line))
        status = process.wait()
        with self._changed:
            self._process = None
            if process.stdin and not process.stdin.closed:
                process.stdin.close()
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)  # workers that outlived it
        try:
            document = json.loads((folder / "output.json").read_bytes())
        except ValueError:
            document = None
        (folder / "output.json").unlink(missing_ok=True)
        return status, document if isinstance(document, dict) else None

    def _tell(self, identity: str, line: str) -> None:
        found = _PROGRESS.match(line)
        done = None
        if found:
            with suppress(ValueError, ZeroDivisionError):
                amounts = (float(found[name].replace(",", "")) for name in ("done", "total"))
                done = min(1.0, next(amounts) / next(amounts))
        self._set(identity, says=line[:200], progress=done)

    def _end_process(self) -> None:
        """Let the running process know that it is to end: it watches its standard input."""
        process = self._process
        if process is not None and process.stdin and not process.stdin.closed:
            process.stdin.close()
            threading.Timer(job_process.GRACE_SECONDS + 2, _kill_group, [process]).start()


def _follow(stream: IO[bytes], log: IO[bytes], tell: Callable[[str], None]) -> None:
    """Copy a process's messages to the log, within its limit, and tell each line."""
    left = MOST_LOG_BYTES
    for raw in iter(lambda: stream.readline(2000), b""):
        log.write(raw[:left])
        log.flush()
        left = max(0, left - len(raw))
        if line := raw.decode("utf-8", "replace").strip():
            tell(line)


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)


def _innermost(folder: Path) -> Path:
    """The folder that the photographs of a zip are in: most zips hold one folder, and all else in that."""
    inside = list(folder.iterdir())
    alone = len(inside) == 1 and inside[0].is_dir() and inside[0].name.lower() not in _MEANINGFUL
    return _innermost(inside[0]) if alone else folder


def _now() -> datetime:
    return datetime.now(UTC)
