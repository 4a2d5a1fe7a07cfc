"""The queue of photographs: bounded, judged on all cores, committed in groups.

Each worker is a thread whose network runs on one core: two cores judge two photographs at once, which is faster than
two cores on one. A photograph that is alone gets all cores. What is judged goes to the one thread that commits: it
takes all that is ready and logs it in one transaction. So the disk is waited for once for many, only while it is the
slowest, and never by a worker. An answer is given after the commit.
"""

from __future__ import annotations

import hashlib
import logging
import math
import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Protocol

from sqlalchemy.orm import Session

from blemish.core.errors import BlemishError, ImageError, OverloadedError
from blemish.core.execution import AS_KEPT, Execution
from blemish.core.image_formats import FORMAT_SUFFIXES, image_format
from blemish.core.images import DecodeLimits, whole_pixels
from blemish.line.photograph_statistics import photograph_statistics
from blemish.station.compiled import CompiledInspectors, SharedInspector
from blemish.station.image_store import ImageStore
from blemish.station.judgement import Judgement
from blemish.station.log import InspectionLog
from blemish.station.photograph import Photograph
from blemish.station.records import InspectionRecord, NewInspection
from blemish.station.shelf import InspectorVersion

_KEEPERS = 4
logger = logging.getLogger("blemish.station")


@dataclass(frozen=True)
class QueueLimits:
    """How much a queue takes.

    Attributes:
        workers: photographs judged at once.
        photographs: accepted and not yet answered, at most.
        bytes: of those, in sum.
        batch: inspections in one transaction, at most.
        seconds: that a photograph may wait for a worker.
    """

    workers: int
    photographs: int = 32
    bytes: int = 512 * 2**20
    batch: int = 32
    seconds: float = 30.0


class QueueCounts(Protocol):
    """Who counts what a queue does: the metrics of a service or of a station."""

    def judged(self, record: InspectionRecord, seconds: float) -> None:
        """A photograph was judged and logged, so many seconds after it was accepted."""

    def refused(self, kind: str) -> None:
        """A photograph cannot be judged: one of `blemish.core.images.IMAGE_PROBLEM_KINDS`."""


@dataclass(frozen=True)
class Judged:
    """A photograph that was judged and logged; its `judgement` is None where nobody asked for images.

    `n_scores` is how many good parts its inspector was calibrated on.
    """

    record: InspectionRecord
    judgement: Judgement | None
    n_scores: int
    photograph: Photograph = field(repr=False)


@dataclass(frozen=True)
class Refused:
    """A photograph that cannot be judged.

    Attributes:
        file_name: as it was sent.
        kind: one word for the cause, from `blemish.core.images.IMAGE_PROBLEM_KINDS`.
        detail: the cause and the way out.
    """

    file_name: str
    kind: str
    detail: str


@dataclass
class Task:
    """A photograph in the queue; `answer` is set when it is logged or refused.

    `key` is what its source calls it, where it has to know that it was judged.
    """

    photograph: Photograph
    version: InspectorVersion
    by: str
    wants_image: bool
    key: str | None = None
    accepted: float = field(default_factory=time.perf_counter)
    answer: Future[Judged | Refused] = field(default_factory=Future)


WithinCommit = Callable[[Session, Sequence[Task], Sequence[InspectionRecord]], None]


@dataclass(frozen=True)
class _Finished:
    task: Task
    new: NewInspection
    judgement: Judgement | None


class InspectionQueue:
    """Accepts photographs, has them judged, logs them, answers.

    Args:
        room: how much it takes.
        limits: of the photographs.
        log, images, counts: where inspections, photographs and counts go.
        after_commit: called with each judged photograph; must return at once.
        within_commit: called inside the transaction that logs a group, with its tasks and records in the same order:
            what it writes is on disk together with them, or not at all.
        execution: device and precision of the networks.

    Attributes:
        trouble: why nothing can be logged at present, in one sentence; None when all is well.
        lost_device: what became of a device that failed while it ran, in one sentence; None while all is well.
    """

    def __init__(
        self,
        room: QueueLimits,
        limits: DecodeLimits,
        log: InspectionLog,
        images: ImageStore,
        counts: QueueCounts,
        after_commit: Callable[[Judged], None],
        within_commit: WithinCommit | None = None,
        execution: Execution = AS_KEPT,
    ) -> None:
        self._room, self._log, self._images, self._counts = room, log, images, counts
        self._after_commit, self._within_commit = after_commit, within_commit
        self._limits = limits
        self.trouble: str | None = None
        self.lost_device: str | None = None
        self._tasks: queue.SimpleQueue[Task | None] = queue.SimpleQueue()
        self._finished: queue.SimpleQueue[_Finished | None] = queue.SimpleQueue()
        self._changed = threading.Condition()
        self._count = self._bytes = 0
        self._left_at = -math.inf  # when the latest photograph was answered
        self._seconds = 0.05  # of work for one photograph, a running mean
        self._stopping = False
        together = replace(execution, threads=room.workers)
        self._side_by_side = CompiledInspectors(replace(together, streams=room.workers))
        self._alone = CompiledInspectors(together) if room.workers > 1 else self._side_by_side
        self._workers = [
            threading.Thread(target=self._work, name=f"worker-{number}", daemon=True)
            for number in range(room.workers)
        ]
        self._keepers = ThreadPoolExecutor(_KEEPERS, "keeper")
        self._committer = threading.Thread(target=self._commit_all, name="committer", daemon=True)

    @property
    def length(self) -> int:
        """Photographs accepted and not yet answered."""
        return self._count

    @property
    def idle_seconds(self) -> float:
        """How long no photograph has waited to be judged; 0 while one does."""
        return 0.0 if self._count else time.monotonic() - self._left_at

    def start(self) -> None:
        """Start judging."""
        for thread in (self._committer, *self._workers):
            thread.start()

    def stop(self, seconds: float) -> None:
        """Accept nothing more, finish what was accepted within so many seconds, and end."""
        with self._changed:
            self._stopping = True
            self._changed.wait_for(lambda: self._count == 0, timeout=seconds)
        for _ in self._workers:
            self._tasks.put(None)
        for thread in self._workers:
            if thread.is_alive():
                thread.join(seconds)
        self._finished.put(None)
        if self._committer.is_alive():
            self._committer.join(seconds)
        self._keepers.shutdown()

    def prepare(self, version: InspectorVersion) -> None:
        """Compile an inspector, so that nobody's photograph waits for that.

        Raises:
            ArtifactError: its file is damaged.
        """
        for networks in (self._side_by_side, self._alone):
            networks.get(version).warm_up()

    def _inspector(self, version: InspectorVersion) -> SharedInspector:
        """Who runs the network now: all cores together where no other photograph is on its way, else one of them."""
        return (self._alone if self._count == 1 else self._side_by_side).get(version)

    def check_room(self, count: int = 1, size: int = 0) -> None:
        """Refuse at once what could not be accepted.

        Raises:
            OverloadedError: there is no room for `count` photographs of `size` bytes in sum, or the server stops.
        """
        if self._stopping:
            raise OverloadedError("The server is stopping: send the photographs again when it is back.", 5)
        if not self._has_room(count, size):
            waiting = self._count * self._seconds / self._room.workers
            raise OverloadedError(
                f"The queue is full ({self._count} photographs): send them again a little later.", waiting
            )

    def wait_for_room(self, size: int, seconds: float) -> bool:
        """Whether there is room for a photograph of `size` bytes, at once or within so many seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: self._has_room(1, size), seconds)

    def _has_room(self, count: int, size: int) -> bool:
        room = self._room
        fits = not self._count or self._bytes + size <= room.bytes
        return fits and self._count + count <= room.photographs

    def submit(self, tasks: Sequence[Task]) -> None:
        """Accept all of these photographs or none.

        Raises:
            OverloadedError: there is no room, or the server stops.
        """
        size = sum(len(task.photograph.content) for task in tasks)
        with self._changed:
            self.check_room(len(tasks), size)
            self._count += len(tasks)
            self._bytes += size
        for task in tasks:
            self._tasks.put(task)

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None:
            started = time.perf_counter()
            if started - task.accepted > self._room.seconds:
                self._fail(task, OverloadedError("The photograph waited too long: send it again later.", 5))
                continue
            try:
                self._finished.put(_judged(task, self._inspector, self._limits, started))
                self._tell_lost(self._side_by_side.lost_device or self._alone.lost_device)
            except ImageError as error:
                self._counts.refused(error.kind)
                option = self._limits.pixels_option if "pixels" in error.detail else self._limits.bytes_option
                detail = error.detail.replace("raise the limit", f"start the server with a larger {option}")
                self._resolve(task, Refused(task.photograph.file_name, error.kind, detail))
            except BaseException as error:  # a worker never dies: whatever it was is the answer to this task
                self._fail(task, error)
            self._seconds += 0.05 * (time.perf_counter() - started - self._seconds)

    def _tell_lost(self, sentence: str | None) -> None:
        """Let the log have it once that a device was lost, whichever worker met it first."""
        if sentence is not None and self.lost_device is None:
            self.lost_device = sentence
            logger.warning("%s", sentence)

    def _commit_all(self) -> None:
        while (first := self._finished.get()) is not None:
            group, ended = [first], False
            while len(group) < self._room.batch and not ended:
                try:
                    following = self._finished.get_nowait()
                except queue.Empty:
                    break
                ended = following is None
                if following is not None:
                    group.append(following)
            self._commit(group)
            if ended:
                return

    def _commit(self, group: list[_Finished]) -> None:
        """Keep the photographs of a group, log it in one transaction, and answer."""
        try:
            # A record that names a photograph is logged once that is on disk; of the others, which are held for a while
            # at most, the log knows nothing, so that both are written at once.
            wanted = [self._images.policy.wants(one.new.verdict) for one in group]
            kept = [self._keepers.submit(self._keep, one) for one in group]
            news = [
                replace(one.new, image_suffix=suffix.result()) if wants else one.new
                for one, suffix, wants in zip(group, kept, wanted, strict=True)
            ]
            records = self._log.logged(news, self._within(group))
        except BaseException as error:  # nothing of the group is logged, so none is acknowledged
            self._say(
                str(error)
                if isinstance(error, BlemishError)
                else "The history cannot be written: see the log."
            )
            for one in group:
                self._fail(one.task, error)
            return
        for held in kept:
            if failure := held.exception():
                logger.error("A photograph could not be held; its inspection is logged.", exc_info=failure)
        self._say(None)
        now = time.perf_counter()
        for one, record in zip(group, records, strict=True):
            self._counts.judged(record, now - one.task.accepted)
            judged = Judged(record, one.judgement, one.task.version.n_scores, one.task.photograph)
            self._resolve(one.task, judged)
            try:
                self._after_commit(judged)
            except Exception:
                logger.exception("What follows an inspection failed; the inspection itself is logged.")

    def _say(self, trouble: str | None) -> None:
        """Say in the log that verdicts can be logged no longer, or again."""
        if trouble is not None and self.trouble is None:
            logger.warning("No verdict can be logged at present, so none is given: %s", trouble)
        elif trouble is None and self.trouble is not None:
            logger.info("Verdicts are logged again.")
        self.trouble = trouble

    def _within(self, group: list[_Finished]) -> Callable[[Session, list[InspectionRecord]], None] | None:
        within, tasks = self._within_commit, [one.task for one in group]
        return within and (lambda session, records: within(session, tasks, records))

    def _keep(self, one: _Finished) -> str | None:
        content = one.task.photograph.content
        suffix = FORMAT_SUFFIXES[image_format(content) or "PNG"][0]
        return self._images.keep(content, suffix, one.new.verdict, one.new.image_digest)

    def _resolve(self, task: Task, answer: Judged | Refused) -> None:
        self._leave(task)
        if task.answer.set_running_or_notify_cancel():
            task.answer.set_result(answer)

    def _fail(self, task: Task, error: BaseException) -> None:
        self._leave(task)
        if not isinstance(error, BlemishError):
            logger.error("An inspection failed unexpectedly.", exc_info=error)
        if task.answer.set_running_or_notify_cancel():
            task.answer.set_exception(error)

    def _leave(self, task: Task) -> None:
        with self._changed:
            self._count -= 1
            self._left_at = time.monotonic()
            self._bytes -= len(task.photograph.content)
            self._changed.notify_all()


def _judged(
    task: Task,
    inspector_of: Callable[[InspectorVersion], SharedInspector],
    limits: DecodeLimits,
    started: float,
) -> _Finished:
    """Decode and judge one photograph."""
    content, name = task.photograph.content, task.photograph.file_name
    inspector = inspector_of(task.version)
    photograph = inspector.open_photograph(content, name, limits)
    decoded = time.perf_counter()
    given = inspector.input_of(photograph.pixels, name)
    reason = inspector.unlike(photograph, given)
    statistics = photograph_statistics(given, photograph.pixels)
    prepared = time.perf_counter()
    prediction = inspector_of(task.version).predict_input(given)  # others may have come meanwhile
    predicted = time.perf_counter()
    inspection = inspector.judge(prediction, photograph.width, photograph.height, reason=reason)
    digest = hashlib.sha256(content).hexdigest()
    ended = time.perf_counter()
    new = NewInspection.of(
        inspection,
        time=datetime.now(UTC),
        inspector=task.version.name,
        version=task.version.version,
        percentile=inspector.percentile(inspection.score),
        image_digest=digest,
        image_suffix=None,
        file_name=task.photograph.file_name,
        milliseconds={
            "wait": 1e3 * (started - task.accepted),
            "decode": 1e3 * (decoded - started),
            "preprocess": 1e3 * (prepared - decoded),
            "network": 1e3 * (predicted - prepared),
            "judge": 1e3 * (ended - predicted),
        },
        by=task.by,
        photograph_statistics=statistics,
        **vars(task.photograph.metadata),
    )
    if not task.wants_image:
        return _Finished(task, new, None)
    image = whole_pixels(photograph, content, name, limits, inspector.manifest.preprocessing.bit_depth)
    return _Finished(task, new, Judgement(task.version, inspector, image, inspection))
