"""The matrix: detectors x categories x seeds, cell by cell, each kept as soon as it is measured."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from blemish.core.progress import task, track
from blemish.detectors.chosen import ChosenDetector
from blemish.detectors.registry import detector_info
from blemish.experiments.benchmark.cell import CellResult, ComparedCell, make_cell, read_result
from blemish.experiments.benchmark.cluster_workers import ClusterWorkers
from blemish.experiments.benchmark.compared import ComparedCategory, counts
from blemish.experiments.benchmark.measure import time_cell
from blemish.experiments.benchmark.shared_reading import read_category
from blemish.experiments.benchmark.table import Table, comparison_table
from blemish.experiments.benchmark.workers import Job, Workers, usual_workers


@dataclass(frozen=True)
class Benchmark:
    """A measured matrix.

    Attributes:
        candidates: the detectors, in the order of the columns.
        data: the categories, in order.
        seeds: the seeds.
        results: one for each cell: by category, then detector, then seed.
        measured: cells that were measured now; the others were found.
        workers: cells that were measured at a time.
        seconds: how long this run took.
    """

    candidates: tuple[ChosenDetector, ...]
    data: tuple[ComparedCategory, ...]
    seeds: tuple[int, ...]
    results: tuple[CellResult, ...]
    measured: int
    workers: int
    seconds: float

    @property
    def failed(self) -> list[CellResult]:
        """Cells that failed."""
        return [result for result in self.results if result.error]

    def of(self, category: str, label: str) -> list[CellResult]:
        """The results of one detector on one category, a seed each; without those that failed."""
        return [
            result
            for result in self.results
            if (result.cell.category, result.cell.candidate.label) == (category, label) and not result.error
        ]

    def table(self) -> Table:
        """The table of all cells, with means of the subclasses that the categories have."""
        of = {one.name: one.catalog.subclass for one in self.data}
        return comparison_table(self.results, {name: group for name, group in of.items() if group})

    def to_json(self) -> dict[str, Any]:
        """The whole comparison, JSON-ready; all that differs between two runs is under `timings`."""
        cells, timings = [], []
        for result in self.results:
            cell = result.cell
            which = {"category": cell.category, "detector": cell.candidate.label, "seed": cell.seed}
            said = {"error": result.error} if result.error else {"metrics": result.metrics}
            left_out = {"unreadable": result.unreadable, "copies": result.copies}
            cells.append({**which, "key": cell.key, **said, **left_out})
            if not result.error:
                timings.append({**which, **result.timings})
        table = self.table()
        return {
            "detectors": [_described(candidate, self.seeds[0]) for candidate in self.candidates],
            "categories": {one.name: counts(one.catalog) | {"digest": one.digest} for one in self.data},
            "seeds": list(self.seeds),
            "cells": cells,
            "table": table.to_json(timed=False),
            "intervals": table.intervals_to_json(),
            "timings": {
                "seconds": self.seconds,
                "measured_now": self.measured,
                "workers": self.workers,
                "cells": timings,
                "table": table.to_json(timed=True),
            },
        }


def run_benchmark(
    data: Sequence[ComparedCategory],
    candidates: Sequence[ChosenDetector],
    seeds: Sequence[int],
    out: Path,
    tell: Callable[[CellResult], None] = lambda result: None,
    workers: int | None = None,
    seconds: float | None = None,
    ray: Any = None,
) -> Benchmark:
    """Measure all cells that `out` does not hold yet.

    A cell is kept as soon as it is measured, so a run that was interrupted goes on where it was, and a further detector
    costs its own cells only. A cell that failed is recorded, the others go on; it is tried again the next time.

    Args:
        data: see `blemish.experiments.benchmark.compared.open_compared`.
        candidates: see `blemish.experiments.benchmark.candidates.open_candidates`.
        seeds: each detector is fitted once with each.
        out: the folder of the comparison.
        tell: called with each cell that was measured now.
        workers: cells measured at a time, each in a process of its own; as many as the machine has room for when None.
            Inspectors are timed afterwards, one by one.
        ray: the cluster that measures them, as `blemish.cluster.session.cluster` gives it; this machine when None.
        seconds: no cell is begun after so many; those that are missing then have failed, and are not kept as such.

    Raises:
        BlemishError: `out` cannot be written.
    """
    started = time.monotonic()
    cells = {
        one.name: [
            make_cell(candidate, one.name, one.digest, seed, out)
            for candidate in candidates
            for seed in seeds
        ]
        for one in data
    }
    results = {cell.key: read_result(cell) for of in cells.values() for cell in of}
    missing = sum(result is None for result in results.values())
    until = None if seconds is None else started + seconds
    crew: Workers | ClusterWorkers = (
        Workers(workers or usual_workers(missing), until)
        if ray is None
        else ClusterWorkers(ray, workers, until)
    )
    count = crew.count
    with task("Comparison, cell by cell", missing) as advance, crew as running:
        for one in data:
            unmeasured = [cell for cell in cells[one.name] if results[cell.key] is None]
            if until is not None and time.monotonic() > until:
                unmeasured = []  # it is not even read
            jobs = _jobs(one, unmeasured, out)
            for job in jobs:
                running.submit(job)
            advance(0)  # what was said last is that the category is read
            # While its cells are measured the next category is read, but not the one after: the cache is bounded.
            last = one is data[-1]
            for result in running.results(waiting=0 if last else len(jobs) + count):
                results[result.cell.key] = result
                tell(result)
                advance(1)
    not_begun = [cell for of in cells.values() for cell in of if results[cell.key] is None]
    for cell in not_begun:
        results[cell.key] = CellResult(cell, error="It was not begun: the time for the comparison was over.")
    timed = [time_cell(kept) for kept in track(list(results.values()), "Timing the inspectors") if kept]
    return Benchmark(
        candidates=tuple(candidates),
        data=tuple(data),
        seeds=tuple(seeds),
        results=tuple(timed),
        measured=missing - len(not_begun),
        workers=count,
        seconds=time.monotonic() - started,
    )


def _jobs(data: ComparedCategory, cells: list[ComparedCell], out: Path) -> list[Job]:
    """A category's cells with what they share, once read."""
    if not cells:
        return []
    detectors = [cell.candidate.make(seed=cell.seed) for cell in cells]
    together, seconds = read_category(data, detectors, out)
    _ = data.shown_photographs  # read here once, and not by every worker
    return [Job(cell, data, together, of) for cell, of in zip(cells, seconds, strict=True)]


def _described(candidate: ChosenDetector, seed: int) -> dict[str, Any]:
    """A detector as the document names it."""
    return {
        "label": candidate.label,
        "name": candidate.name,
        "preset": candidate.preset,
        "learns_from": detector_info(candidate.name).learns_from,
        "parameters": {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in candidate.make(seed=seed).get_params().items()
            if name != "seed"
        },
    }
