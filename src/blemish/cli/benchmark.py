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
_SHORT |= {"Recall": "recall", "Pixel F1": "pixel F1", "False rejects": "false rej.", "Max F1": "max F1"}
_SHORT |= {"Fit, s": "fit s", "ms an image": "ms"}


@verb(BenchmarkRequest)
def benchmark(request: BenchmarkRequest) -> BenchmarkResult:
    """Compare detectors on the same photographs.

    Each cell (detector, category, seed) is kept when it is measured: the same command goes on after an
    interruption, and with a further detector it measures that one alone. Exit status 1 if a cell failed or a
    photograph could not be read.

    \b
    blemish benchmark mvtec/ --detectors patchcore,padim,cae --out comparison/
    """
    from blemish.experiments.benchmark.headline import headline

    result = workflow.benchmark(request, _tell)
    measured = result.benchmark
    table = measured.table()
    print_comparison(table)
    console.print(headline(table))
    now = f"{measured.measured} of {len(measured.results)} cells measured now"
    console.print(f"{now}. Report: {result.report}")
    return result


def _tell(result: CellResult) -> None:
    """One line for a cell that was measured."""
    messages.print(workflow.in_words(result), style="red" if result.error else None)


def print_comparison(table: ComparisonTable) -> None:
    """Print the table, and under it what failed and what was tested on fewer photographs, by number."""
    rows, footnotes = _rows(table)
    print_table(rows, names=2)
    for said, number in footnotes.items():
        console.print(f"({number}) {said}")


def _rows(table: ComparisonTable) -> tuple[list[tuple[str, ...]], dict[str, int]]:
    """The table for a terminal, where the best of each column has a star, and the number of each footnote."""
    from blemish.experiments.benchmark.table import COLUMNS

    rows = [("", "", *(_SHORT.get(column.title, column.title) for column in COLUMNS))]
    footnotes: dict[str, int] = {}
    for block in table.shown:
        title = table.title(block)
        best = block.best()
        for place, row in enumerate(block.rows):
            cells = (
                column.shown(value) + ("*" if place in best[number] else " ")
                for number, (column, value) in enumerate(zip(COLUMNS, row.values, strict=True))
            )
            said = [f"{row.label}: {text}" for text in (row.note, row.remark) if text]
            numbers = "".join(f" ({footnotes.setdefault(text, len(footnotes) + 1)})" for text in said)
            rows.append((title if place == 0 else "", row.label + numbers, *cells))
    return rows, footnotes
