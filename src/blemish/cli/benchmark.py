"""`blemish benchmark`: detectors side by side on the same categories."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blemish.cli.options import verb
from blemish.cli.output import console, messages, print_table
from blemish.workflows import benchmark as workflow
from blemish.workflows.benchmark import BenchmarkRequest, BenchmarkResult

if TYPE_CHECKING:
    from blemish.experiments.benchmark.cell import CellResult
    from blemish.experiments.benchmark.table import Table as ComparisonTable

_SHORT = {"Image AUROC": "AUROC", "Pixel AUROC": "pixel AUROC", "Precision": "prec.", "Accuracy": "acc."}
_SHORT |= {"Recall": "recall", "Pixel F1": "pixel F1", "Fit, s": "fit s", "ms an image": "ms"}


@verb(BenchmarkRequest)
def benchmark(request: BenchmarkRequest) -> BenchmarkResult:
    """Compare detectors on the same photographs.

    Each cell (detector, category, seed) is kept when it is measured: the same command goes on after an
    interruption, and with a further detector it measures that one alone. Exit status 1 if a cell failed or a
    photograph could not be read.

    \b
    blemish benchmark mvtec/ --detectors patchcore,padim,cae --out comparison/
    """
    from blemish.experiments.benchmark.report import headline
    from blemish.experiments.benchmark.table import comparison_table

    result = workflow.benchmark(request, _tell)
    measured = result.benchmark
    table = comparison_table(measured.results)
    print_table(_rows(table), names=2)
    console.print(headline(table))
    now = f"{measured.measured} of {len(measured.results)} cells measured now"
    console.print(f"{now}. Report: {result.report}")
    return result


def _tell(result: CellResult) -> None:
    """One line for a cell that was measured."""
    messages.print(workflow.in_words(result), style="red" if result.error else None)


def _rows(table: ComparisonTable) -> list[tuple[str, ...]]:
    """The table for a terminal; the best of each column has a star."""
    from blemish.experiments.benchmark.table import COLUMNS

    blocks = table.blocks if len(table.blocks) > 2 else table.blocks[:1]
    rows = [("", "", *(_SHORT.get(column.title, column.title) for column in COLUMNS))]
    for block in blocks:
        best = block.best()
        for place, row in enumerate(block.rows):
            cells = (
                column.shown(value) + ("*" if place in best[number] else " ")
                for number, (column, value) in enumerate(zip(COLUMNS, row.values, strict=True))
            )
            rows.append((block.title if place == 0 else "", row.label + " (!)" * bool(row.note), *cells))
    return rows
