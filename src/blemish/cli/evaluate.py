"""`blemish evaluate`: what an inspector is worth on labelled photographs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from blemish.cli.output import JsonOption, console, emit

if TYPE_CHECKING:
    from rich.table import Table

    from blemish.evaluation.result import Evaluation


def evaluate(
    inspector: Annotated[Path, typer.Argument(metavar="INSPECTOR", help="The inspector, NAME.blemish.")],
    data: Annotated[
        Path, typer.Argument(metavar="DATA", help="Folder with good and defective test photographs.")
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", help="Folder for report.html and metrics.json; beside the inspector if absent."
        ),
    ] = None,
    category: Annotated[
        str | None, typer.Option(help="Of several categories in DATA, this one; the inspector's if absent.")
    ] = None,
    json_output: JsonOption = False,
) -> None:
    """Measure an inspector on test photographs.

    Writes a report with pictures. Exit status 1 if a test photograph could not be read.

    \b
    blemish evaluate part.blemish photographs/ --out part-evaluation/
    """
    from blemish.cli.reporter import reporter_for
    from blemish.core.progress import use_reporter
    from blemish.workflows.evaluate import EvaluateRequest
    from blemish.workflows.evaluate import evaluate as measure

    request = EvaluateRequest(inspector=inspector, data=data, out=out, category=category)
    with use_reporter(reporter_for(json_output)):
        result = measure(request)

    def human() -> None:
        from blemish.evaluation.report import headline

        console.print(metrics_table([result.evaluation]))
        console.print(types_table(result.evaluation))
        console.print(headline(result.evaluation))
        console.print(f"Report: {result.report}")
        verdicts = request.folder.parent / "verdicts"
        console.print(f"Next: blemish inspect {inspector} PHOTOGRAPHS --out {verdicts}")

    emit(result.to_json(), json_output, human)
    if not result.complete:
        raise typer.Exit(1)


def metrics_table(evaluations: Sequence[Evaluation]) -> Table:
    """Metrics of one or several categories, a row each."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("category", no_wrap=True)
    for name in ("AUROC", "AP", "F1", "precision", "recall", "pixel AUROC", "AUPRO", "ms"):
        table.add_column(name, justify="right", min_width=max(map(len, name.split())))
    for evaluation in evaluations:
        values = evaluation.to_json()
        names = ("image_auroc", "image_ap", "f1", "precision", "recall", "pixel_auroc", "aupro")
        milliseconds = f"{values['latency_ms']['p50']:.0f}"
        table.add_row(evaluation.category, *(_figure(values[name]) for name in names), milliseconds)
    return table


def types_table(evaluation: Evaluation) -> Table:
    """How each type of defect was found."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("defect type", no_wrap=True)
    for name in ("images", "AUROC", "found"):
        table.add_column(name, justify="right")
    for name, values in evaluation.to_json()["per_defect_type"].items():
        table.add_row(name, str(values["n"]), _figure(values["image_auroc"]), _share(values["recall"]))
    return table


def _figure(value: Any) -> str:
    return "-" if value is None else f"{value:.3f}"


def _share(value: Any) -> str:
    return "-" if value is None else f"{value:.0%}"
