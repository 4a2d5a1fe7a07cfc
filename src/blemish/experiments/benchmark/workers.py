"""Cells side by side: each in a process of its own, as many at once as there are processors and memory for.

Training and coreset use little more than one core each, so two cells at once take not much longer than one.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing.synchronize import Event
from queue import SimpleQueue
from typing import TYPE_CHECKING

from blemish.core.network import limit_threads
from blemish.core.own_process import collect_seldom
from blemish.detectors.registry import detector_info, import_strangers, strangers
from blemish.experiments.benchmark.cell import CellResult, ComparedCell, write_result
from blemish.experiments.benchmark.compared import ComparedCategory
from blemish.experiments.benchmark.measure import run_cell
from blemish.features.learning_device import learn_on, learning_device
from blemish.features.together import Together

if TYPE_CHECKING:
    import torch

_BYTES_A_WORKER = 3 * 2**30
_WATCH_SECONDS = 0.5


@dataclass(frozen=True)
class Job:
    """A cell to measure, and what reading its category found."""

    cell: ComparedCell
    data: ComparedCategory
    together: Together
    seconds_an_image: float | None

    @property
    def cost(self) -> tuple[bool, int]:
        """Orders cells by how long they are likely to take: those that train, and those of many photographs."""
        return detector_info(self.cell.candidate.name).trains, len(self.data.catalog.table)


class Workers:
    """Measures cells, `count` at a time; with one worker in this process, when the result is asked for.

    A context manager: leaving it by an error or an interruption ends the workers at once. Workers whose parent has
    died end by themselves.

    Attributes:
        count: cells at a time.
        until: time of the monotonic clock after which none is begun, and those that wait are forgotten; None for never.
    """

    def __init__(self, count: int, until: float | None = None) -> None:
        self.count, self.until = count, until
        self._jobs: list[Job] = []
        self._running: dict[Future[CellResult], Job] = {}
        self._finished: SimpleQueue[tuple[Job, Future[CellResult]]] = SimpleQueue()
        # A future that has already ended calls back at once, in the thread that holds the lock.
        self._lock = threading.RLock()
        self._dispatching = False
        self._pool: ProcessPoolExecutor | None = None
        self._stop: Event | None = None

    def __enter__(self) -> Workers:
        if self.count > 1:
            self._start(self.count)
        return self

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        self._dispatching = False
        if self._pool is not None and self._stop is not None:
            if kind is not None:
                self._stop.set()
            self._pool.shutdown(wait=True, cancel_futures=True)

    def submit(self, job: Job) -> None:
        """Have a cell measured; a worker that is free begins at once, or else takes the longest that waits."""
        with self._lock:
            self._jobs.append(job)
            self._jobs.sort(key=lambda one: one.cost, reverse=True)
            self._dispatch()

    def results(self, waiting: int = 0) -> Iterator[CellResult]:
        """The results of what was submitted, as they come, until no more than `waiting` cells are not yet measured.

        With one worker, of all.
        """
        while self._pool is None and self._waiting():
            yield _work(self._jobs.pop(0))
        lost = []
        while self._outstanding() > waiting:
            if not (self._running or self._finished.qsize()):
                break  # the pool is broken: what still waits is tried one by one too
            job, future = self._finished.get()
            try:
                yield future.result()
            except BrokenProcessPool:
                lost.append(job)
        if not self._dispatching and self._pool is not None:
            lost, self._jobs = lost + self._jobs, []
            yield from self._one_by_one(lost)

    def _waiting(self) -> bool:
        """Whether there are cells to begin."""
        if self.until is not None and time.monotonic() > self.until:
            self._jobs.clear()
        return bool(self._jobs)

    def _outstanding(self) -> int:
        with self._lock:
            return len(self._jobs) + len(self._running) + self._finished.qsize()

    def _dispatch(self) -> None:
        """Give waiting cells to free workers; the pool's own queue would take them in the order of their coming."""
        while self._dispatching and self._waiting() and len(self._running) < self.count:
            assert self._pool is not None
            try:
                future = self._pool.submit(_work, self._jobs[0])
            except BrokenProcessPool:
                self._dispatching = False
                return
            self._running[future] = self._jobs.pop(0)
            future.add_done_callback(self._done)

    def _done(self, future: Future[CellResult]) -> None:
        """Called by the pool's own thread when a cell has been measured or lost."""
        with self._lock:
            self._finished.put((self._running.pop(future), future))
            if future.cancelled() or isinstance(future.exception(), BrokenProcessPool):
                self._dispatching = False
            self._dispatch()

    def _one_by_one(self, jobs: list[Job]) -> Iterator[CellResult]:
        """Try again, each by itself, what a worker that died has taken with it; what dies once more has failed."""
        for job in jobs:
            assert self._pool is not None
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._start(1)
            try:
                yield self._pool.submit(_work, job).result()
            except BrokenProcessPool:
                label = job.cell.candidate.label
                sentence = (
                    f"{label} was ended by the system, most likely for want of memory: use a smaller --size."
                )
                result = CellResult(job.cell, error=sentence)
                write_result(result)
                yield result

    def _start(self, count: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._stop = context.Event()
        threads = max(1, (os.cpu_count() or 1) // self.count)
        self._pool = ProcessPoolExecutor(
            count,
            mp_context=context,
            initializer=_begin,
            initargs=(os.getpid(), threads, self._stop, strangers(), learning_device()),
        )
        self._dispatching = True


def usual_workers(cells: int) -> int:
    """As many workers as there are processors, cells, and times 3 GiB of free memory; at least one."""
    with contextlib.suppress(ValueError, OSError, AttributeError):
        free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        return max(1, min(os.cpu_count() or 1, cells, free // _BYTES_A_WORKER))
    return max(1, min(os.cpu_count() or 1, cells, 2))


def _begin(
    parent: int, threads: int, stop: Event, modules: Sequence[str], device: torch.device | None
) -> None:
    """Prepare a worker: its share of the processors, no prints among the results, an end when the parent ends, and the
    detectors of others and the device that the parent knows."""
    collect_seldom()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent, who says when to stop
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    threading.Thread(target=_watch, args=(parent, stop), daemon=True).start()
    import cv2
    import torch

    torch.set_num_threads(threads)
    cv2.setNumThreads(threads)
    limit_threads(threads)
    import_strangers(modules)
    learn_on(device)


def _watch(parent: int, stop: Event) -> None:
    """End this process when its parent has ended or says so."""
    while not stop.is_set() and os.getppid() == parent:
        time.sleep(_WATCH_SECONDS)
    os._exit(1)


def _work(job: Job) -> CellResult:
    return run_cell(job.cell, job.data, job.together, job.seconds_an_image)
