"""The matrix: detectors x categories x seeds, cell by cell, each kept as soon as it is measured."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from blemish.comparison.category_data import CategoryData, counts
from blemish.comparison.cell import run_cell
from blemish.comparison.cell_store import Cell, CellResult, make_cell, read_result
from blemish.comparison.choices import Choice
from blemish.comparison.shared_reading import read_category
from blemish.comparison.table import comparison_table
from blemish.core.progress import task
from blemish.detectors.registry import detector_info


@dataclass(frozen=True)
class Benchmark:
    """A measured matrix.

    Attributes:
        choices: the detectors, in the order of the columns.
        data: the categories, in order.
        seeds: the seeds.
        results: one for each cell: by category, then detector, then seed.
        measured: cells that were measured now; the others were found.
        seconds: how long this run took.
    """

    choices: tuple[Choice, ...]
    data: tuple[CategoryData, ...]
    seeds: tuple[int, ...]
    results: tuple[CellResult, ...]
    measured: int
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
            if (result.cell.category, result.cell.choice.label) == (category, label) and not result.error
        ]

    def to_json(self) -> dict[str, Any]:
        """The whole comparison, JSON-ready; all that differs between two runs is under `timings`."""
        cells, timings = [], []
        for result in self.results:
            cell = result.cell
            which = {"category": cell.category, "detector": cell.choice.label, "seed": cell.seed}
            said = {"error": result.error} if result.error else {"metrics": result.metrics}
            cells.append({**which, "key": cell.key, **said, "unreadable": result.unreadable})
            if not result.error:
                timings.append({**which, **result.timings})
        table = comparison_table(self.results)
        return {
            "detectors": [_described(choice, self.seeds[0]) for choice in self.choices],
            "categories": {one.name: counts(one.catalog) | {"digest": one.digest} for one in self.data},
            "seeds": list(self.seeds),
            "cells": cells,
            "table": table.to_json(timed=False),
            "timings": {
                "seconds": self.seconds,
                "measured_now": self.measured,
                "cells": timings,
                "table": table.to_json(timed=True),
            },
        }


def run_benchmark(
    data: Sequence[CategoryData],
    choices: Sequence[Choice],
    seeds: Sequence[int],
    out: Path,
    tell: Callable[[CellResult], None] = lambda result: None,
) -> Benchmark:
    """Measure all cells that `out` does not hold yet.

    A cell is kept as soon as it is measured, so a run that was interrupted goes on where it was, and a further detector
    costs its own cells only. A cell that failed is recorded, the others go on; it is tried again the next time.

    Args:
        data: see `blemish.comparison.category_data.open_categories`.
        choices: see `blemish.comparison.choices.choose`.
        seeds: each detector is fitted once with each.
        out: the folder of the comparison.
        tell: called with each cell that was measured now.

    Raises:
        BlemishError: `out` cannot be written.
    """
    started = time.monotonic()
    cells = {
        one.name: [make_cell(choice, one.name, one.digest, seed, out) for choice in choices for seed in seeds]
        for one in data
    }
    results = {cell.key: read_result(cell) for of in cells.values() for cell in of}
    missing = sum(result is None for result in results.values())
    with task("Comparison, cell by cell", missing) as advance:
        for one in data:
            unmeasured = [cell for cell in cells[one.name] if results[cell.key] is None]
            for cell, result in zip(unmeasured, _measured(one, unmeasured, out), strict=True):
                results[cell.key] = result
                advance(1)
                tell(result)
    return Benchmark(
        choices=tuple(choices),
        data=tuple(data),
        seeds=tuple(seeds),
        results=tuple(result for of in cells.values() for cell in of if (result := results[cell.key])),
        measured=missing,
        seconds=time.monotonic() - started,
    )


def _measured(data: CategoryData, cells: list[Cell], out: Path) -> Any:
    """Results of a category's cells, one after the other."""
    if not cells:
        return
    detectors = [cell.choice.detector(cell.seed) for cell in cells]
    together, seconds = read_category(data, detectors, out)
    for cell, seconds_an_image in zip(cells, seconds, strict=True):
        yield run_cell(cell, data, together, seconds_an_image)


def _described(choice: Choice, seed: int) -> dict[str, Any]:
    """A detector as the document names it."""
    return {
        "label": choice.label,
        "name": choice.name,
        "preset": choice.preset,
        "learns_from": detector_info(choice.name).learns_from,
        "parameters": {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in choice.detector(seed).parameters().items()
            if name != "seed"
        },
    }
