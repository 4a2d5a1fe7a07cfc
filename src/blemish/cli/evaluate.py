"""`blemish evaluate`: what an inspector is worth on labelled photographs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from blemish.cli.options import verb
from blemish.cli.output import console
from blemish.workflows import evaluate as workflow
from blemish.workflows.evaluate import EvaluateRequest, EvaluateResult

if TYPE_CHECKING:
    from rich.table import Table

    from blemish.evaluation.result import Evaluation


@verb(EvaluateRequest)
def evaluate(request: EvaluateRequest) -> EvaluateResult:
    """Measure an inspector on test photographs.

    Writes a report with pictures. Exit status 1 if a test photograph could not be read.

    \b
    blemish evaluate part.blemish photographs/ --out part-evaluation/
    """
    from blemish.evaluation.report import headline

    result = workflow.evaluate(request)
    console.print(metrics_table([result.evaluation]))
    console.print(types_table(result.evaluation))
    console.print(headline(result.evaluation))
    console.print(f"Report: {result.report}")
    verdicts = request.folder.parent / "verdicts"
    console.print(f"Next: blemish inspect {request.inspector} PHOTOGRAPHS --out {verdicts}")
    return result


def metrics_table(evaluations: Sequence[Evaluation]) -> Table:
    """Metrics of one or several categories, a row each."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("category", no_wrap=True)
    for name in (
        "AUROC",
        "AP",
        "F1",
        "precision",
        "recall",
        "pixel AUROC",
        "AUPRO",
        "box AP .1",
        "box AP .5",
        "ms",
    ):
        table.add_column(name, justify="right", min_width=max(map(len, name.split())))
    for evaluation in evaluations:
        values = evaluation.to_json()
        names = ["image_auroc", "image_ap", "f1", "precision", "recall", "pixel_auroc", "aupro"]
        names += ["detection_ap_10", "detection_ap_50"]
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
