"""Cells on the machines of a Ray cluster that share the folder of the comparison: whoever measures a cell keeps it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

from blemish.cluster.place import Place
from blemish.core.errors import BlemishError
from blemish.detectors.registry import import_strangers, strangers
from blemish.experiments.benchmark.cell import CellResult, write_result
from blemish.experiments.benchmark.measure import run_cell
from blemish.experiments.benchmark.workers import Job

_RETRIES = 2
"""How often a cell is begun again whose machine has died."""


class ClusterWorkers:
    """Measures cells on a cluster, a processor each, as `Workers` does in processes of this machine.

    A cell that a dead machine has taken with it is begun again elsewhere; one that was kept before is read, not
    measured again, so that test photographs are looked at once.

    Attributes:
        count: cells at a time.
        until: time of the monotonic clock after which none is begun; None for never.
    """

    def __init__(self, ray: Any, count: int | None = None, until: float | None = None) -> None:
        room = int(ray.cluster_resources().get("CPU", 1))
        self.count, self.until = min(count or room, room), until
        self._ray = ray
        self._measure = ray.remote(_measured).options(num_cpus=1, max_retries=_RETRIES)
        self._jobs: list[Job] = []
        self._running: dict[Any, Job] = {}

    def __enter__(self) -> ClusterWorkers:
        return self

    def __exit__(self, *_: object) -> None:
        for one in self._running:
            self._ray.cancel(one, force=True)

    def submit(self, job: Job) -> None:
        """Have a cell measured; a worker that is free begins at once, or else takes the longest that waits."""
        self._jobs.append(job)
        self._jobs.sort(key=lambda one: one.cost, reverse=True)
        self._dispatch()

    def results(self, waiting: int = 0) -> Iterator[CellResult]:
        """The results of what was submitted, as they come, until no more than `waiting` cells are not yet measured.

        Raises:
            BlemishError: a machine cannot measure any cell.
        """
        while self._running and len(self._jobs) + len(self._running) > waiting:
            done, _ = self._ray.wait(list(self._running), timeout=1)
            for one in done:
                job = self._running.pop(one)
                self._dispatch()
                yield self._result(one, job)

    def _dispatch(self) -> None:
        if self.until is not None and time.monotonic() > self.until:
            self._jobs.clear()
        while self._jobs and len(self._running) < self.count:
            job = self._jobs.pop(0)
            self._running[self._measure.remote(job, strangers(), Place.here())] = job

    def _result(self, done: Any, job: Job) -> CellResult:
        try:
            result: CellResult = self._ray.get(done)
        except self._ray.exceptions.RayTaskError as error:
            raise error.cause if isinstance(error.cause, BlemishError) else error from None
        except self._ray.exceptions.RayError:
            label = job.cell.candidate.label
            sentence = f"{label} was ended {_RETRIES + 1} times, most likely for want of memory: use a smaller --size."
            result = CellResult(job.cell, error=sentence)
            write_result(result)
        return result


def _measured(job: Job, modules: Sequence[str], place: Place) -> CellResult:
    """Measure a cell on a machine of the cluster."""
    import torch

    place.enter()
    torch.set_num_threads(1)
    import_strangers(modules)
    return run_cell(job.cell, job.data, job.together, job.seconds_an_image)
