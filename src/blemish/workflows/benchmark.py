"""Compare detectors on the same photographs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from blemish.core.errors import UsageError
from blemish.core.progress import say
from blemish.workflows.data_request import GroupedRequest
from blemish.workflows.fields import (
    BackboneName,
    BitDepth,
    Categories,
    ClusterAddress,
    Executor,
    ExecutorName,
    LearningDevice,
    Settings,
    WeightsFiles,
)
from blemish.workflows.request import Outcome

if TYPE_CHECKING:
    import pandas as pd

    from blemish.data.entries import Problem
    from blemish.experiments.benchmark.cell import CellResult
    from blemish.experiments.benchmark.matrix import Benchmark


class BenchmarkRequest(GroupedRequest):
    """Compare detectors."""

    data: Categories
    detectors: tuple[str, ...] = Field(
        description="Names with commas between, as patchcore,cae; NAME:PRESET for a preset."
    )
    out: Path = Field(description="Folder for the cells, benchmark.json, benchmark.csv and report.html.")
    seeds: tuple[int, ...] = Field((0,), description="Fit once with each, as 0,1,2.")
    size: int | None = Field(None, description="Side in pixels for all detectors; each one's own if absent.")
    backbone: BackboneName = None
    weights: WeightsFiles = Field({})
    parameters: Settings = Field(
        {},
        description="A parameter of all detectors that have it, or of one as LABEL.NAME=VALUE; repeat for more.",
    )
    quick: bool = Field(False, description="A small run: 128 pixels, few epochs.")
    bit_depth: BitDepth = 16
    device: LearningDevice = None
    minutes: float | None = Field(
        None, gt=0, description="Begin no cell after so many; the report is on what is measured by then."
    )
    executor: ExecutorName = Executor.LOCAL
    address: ClusterAddress = None
    workers: int | None = Field(
        None, ge=1, description="Cells measured at a time; 1 for fit times that nothing else disturbs."
    )


@dataclass(frozen=True)
class BenchmarkResult(Outcome):
    """A finished comparison.

    Attributes:
        benchmark: what was measured.
        report: the report's file.
        problems: what is wrong with the data, as far as a glance tells.
    """

    benchmark: Benchmark
    report: Path
    problems: tuple[Problem, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether no cell failed and every photograph could be read."""
        return not self.benchmark.failed and not self.unreadable

    @property
    def unreadable(self) -> dict[str, str]:
        """Photographs that were left out, each once: path and detail, sorted."""
        found = {one["path"]: one["detail"] for cell in self.benchmark.results for one in cell.unreadable}
        return dict(sorted(found.items()))

    @property
    def copies(self) -> dict[str, str]:
        """What is said of training photographs with the same pixels as others, by category."""
        from blemish.data.copies import copies_in_words

        cells = [one for one in self.benchmark.results if one.copies]
        return {one.cell.category: copies_in_words(one.copies, one.metrics["n_train"]) for one in cells}

    def to_pandas(self) -> pd.DataFrame:
        """A row for each cell: category, detector, seed, error, and every figure that is one number."""
        import pandas as pd

        rows = []
        for result in self.benchmark.results:
            cell, figures = result.cell, result.metrics | result.timings
            named = {"category": cell.category, "detector": cell.candidate.label, "seed": cell.seed}
            numbers = {name: value for name, value in figures.items() if isinstance(value, int | float)}
            rows.append(named | {"error": result.error} | numbers)
        return pd.DataFrame(rows)

    def _repr_html_(self) -> str:
        return str(self.to_pandas().to_html(index=False, float_format="{:.3f}".format))

    def to_json(self) -> dict[str, Any]:
        """The comparison as JSON-ready values, as in `benchmark.json`."""
        problems = [problem.to_json() for problem in self.problems]
        return {**self.benchmark.to_json(), "report": str(self.report), "problems": problems}


def in_words(result: CellResult) -> str:
    """One line on a cell that was measured."""
    name = result.cell.title
    if result.error:
        return f"FAILED  {name}: {result.error}"
    auroc = result.metrics["image_auroc"]
    reached = "no AUROC, as one class is absent" if auroc is None else f"image AUROC {auroc:.3f}"
    return f"{name}: {reached}, learnt in {result.timings['fit_seconds']:.1f} s"


def benchmark(
    request: BenchmarkRequest, tell: Callable[[CellResult], None] = lambda result: say(in_words(result))
) -> BenchmarkResult:
    """Measure the cells that are missing, and write document and report.

    Args:
        request: what to compare.
        tell: called with each cell that was measured now; says it in words by itself.

    Raises:
        UsageError: a detector, preset, option or seed is not possible, or two categories have one name.
        CatalogError: a folder cannot be used, or has no test photographs.
        BlemishError: `out` cannot be written.
    """
    from blemish.core.storage import write_json, write_text
    from blemish.experiments.benchmark.candidates import open_candidates
    from blemish.experiments.benchmark.compared import open_compared
    from blemish.experiments.benchmark.matrix import run_benchmark
    from blemish.experiments.benchmark.report import write_report
    from blemish.features.learning_device import device_named, learning_on
    from blemish.workflows.on_cluster import cluster_of
    from blemish.workflows.problems import said_problems

    seeds, out = request.seeds, request.out
    if len(set(seeds)) < len(seeds) or not seeds or not all(0 <= seed < 2**32 for seed in seeds):
        said = ",".join(map(str, seeds))
        raise UsageError(f"--seeds {said} is not a list of different whole numbers: write it as 0,1,2.")
    device = device_named(request.device)
    candidates = open_candidates(
        request.detectors,
        size=request.size,
        backbone=request.backbone,
        bit_depth=request.bit_depth,
        quick=request.quick,
        settings=request.parameters,
        weights=request.weights,
    )
    categories = open_compared(request.data, request.bit_depth, request.told)
    problems = tuple(
        problem for one in categories for problem in said_problems(one.catalog, request.bit_depth)
    )
    seconds = 60 * request.minutes if request.minutes else None
    of_cluster = request.workers if request.executor == Executor.RAY else None
    cluster = cluster_of(request.executor, request.address, of_cluster, request.device)
    with learning_on(device), cluster as ray:
        measured = run_benchmark(categories, candidates, seeds, out, tell, request.workers, seconds, ray)
    result = BenchmarkResult(measured, out / "report.html", problems)
    for path, detail in result.unreadable.items():
        say(f"Left out {path}: {detail}")
    for category, said in result.copies.items():
        say(f"{category}: {said}")
    write_report(measured, result.report, "Detectors side by side")
    write_json(out / "benchmark.json", result.to_json())
    write_text(out / "benchmark.csv", measured.table().to_csv())
    return result
