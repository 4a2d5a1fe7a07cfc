"""`blemish benchmark`: detectors side by side on the same categories."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from blemish.cli.output import JsonOption, console, emit, messages, stray_prints_on_stderr
from blemish.cli.text_table import aligned
from blemish.core.errors import UsageError

if TYPE_CHECKING:
    from blemish.experiments.benchmark.cell import CellResult
    from blemish.experiments.benchmark.table import Table as ComparisonTable
    from blemish.workflows.benchmark import BenchmarkResult

_SHORT = {"Image AUROC": "AUROC", "Pixel AUROC": "pixel AUROC", "Precision": "prec.", "Accuracy": "acc."}
_SHORT |= {"Recall": "recall", "Pixel F1": "pixel F1", "Fit, s": "fit s", "ms an image": "ms"}


def benchmark(
    data: Annotated[
        list[Path],
        typer.Argument(
            metavar="DATA...", help="Folders of one or several categories, with test photographs."
        ),
    ],
    detectors: Annotated[
        str, typer.Option(help="Names with commas between, as patchcore,cae; NAME:PRESET for a preset.")
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder for the cells, benchmark.json and report.html.")],
    seeds: Annotated[str, typer.Option(help="Fit once with each, as 0,1,2.")] = "0",
    size: Annotated[
        int | None, typer.Option(help="Side in pixels for all detectors; each one's own if absent.")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="A small run: 128 pixels, few epochs.")] = False,
    bit_depth: Annotated[
        int, typer.Option(min=8, max=16, help="Bits that 16-bit photographs really use, as 12.")
    ] = 16,
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="Cells measured at a time; 1 for fit times that nothing else disturbs."),
    ] = None,
    json_output: JsonOption = False,
) -> None:
    """Compare detectors on the same photographs.

    Each cell (detector, category, seed) is kept when it is measured: the same command goes on after an
    interruption, and with a further detector it measures that one alone. Exit status 1 if a cell failed or a
    photograph could not be read.

    \b
    blemish benchmark mvtec/ --detectors patchcore,padim,cae --out comparison/
    """
    from blemish.cli.reporter import reporter_for
    from blemish.core.progress import use_reporter
    from blemish.workflows.benchmark import BenchmarkRequest
    from blemish.workflows.benchmark import benchmark as compare

    request = BenchmarkRequest(
        data=tuple(data),
        detectors=tuple(label.strip() for label in detectors.split(",") if label.strip()),
        out=out,
        seeds=_numbers(seeds),
        size=size,
        quick=quick,
        bit_depth=bit_depth,
        workers=workers,
    )
    with use_reporter(reporter_for(json_output)), stray_prints_on_stderr():
        result = compare(request, _tell)
    emit(result.to_json(), json_output, lambda: _print(result))
    if not result.complete:
        raise typer.Exit(1)


def _numbers(seeds: str) -> tuple[int, ...]:
    """Seeds from text such as `0,1,2`.

    Raises:
        UsageError: one is no whole number.
    """
    try:
        return tuple(int(part) for part in seeds.split(","))
    except ValueError:
        raise UsageError(f"--seeds {seeds} is not a list of whole numbers: write it as 0,1,2.") from None


def _tell(result: CellResult) -> None:
    """One line for a cell that was measured."""
    from blemish.workflows.benchmark import in_words

    messages.print(in_words(result), style="red" if result.error else None)


def _print(result: BenchmarkResult) -> None:
    """The table, and the result in a sentence or two."""
    from blemish.experiments.benchmark.report import headline
    from blemish.experiments.benchmark.table import comparison_table

    measured = result.benchmark
    table = comparison_table(measured.results)
    for line in _printed(table):
        console.print(line)
    console.print(headline(table))
    now = f"{measured.measured} of {len(measured.results)} cells measured now"
    console.print(f"{now}. Report: {result.report}")


def _printed(table: ComparisonTable) -> list[str]:
    """The table for a terminal, a line a row; the best of each column has a star."""
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
    return aligned(rows, names=2)
