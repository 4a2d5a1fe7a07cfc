"""`blemish evaluate`: what an inspector is worth on labelled photographs."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from blemish.cli.options import verb
from blemish.cli.output import console
from blemish.workflows import evaluate as workflow
from blemish.workflows.evaluate import EvaluateRequest, EvaluateResult

if TYPE_CHECKING:
    from rich.table import Table

    from blemish.evaluation.rate import Rate
    from blemish.evaluation.result import Evaluation
    from blemish.evaluation.type_confusion import TypeConfusion


@verb(EvaluateRequest)
def evaluate(request: EvaluateRequest) -> EvaluateResult:
    """Measure an inspector on test photographs.

    Writes a report with pictures. Exit status 1 if a test photograph could not be read.

    \b
    blemish evaluate part.blemish photographs/ --out part-evaluation/
    """
    from blemish.evaluation.report import headline, types_headline
    from blemish.evaluation.undefined import in_words

    result = workflow.evaluate(request)
    console.print(metrics_table([result.evaluation]))
    for line in in_words(result.evaluation.to_json()["undefined"]):
        console.print(line)
    if result.evaluation.pixels and result.evaluation.pixel_note:
        console.print(f"Pixel metrics: {result.evaluation.pixel_note}")
    if result.evaluation.pixels and (errors := result.evaluation.pixels.errors):
        console.print(
            f"Pixel metrics are of a histogram: off by at most {errors.auroc:.1g} (AUROC), "
            f"{errors.average_precision:.1g} (AP), {errors.f1:.1g} (F1) and {errors.aupro:.1g} (AUPRO)."
        )
    console.print(types_table(result.evaluation))
    if confusion := result.evaluation.type_confusion:
        console.print(confusion_table(confusion))
        console.print(types_headline(confusion))
    console.print(headline(result.evaluation))
    if (saturated := result.evaluation.saturated_overlap) is not None:
        console.print(f"AU-sPRO, as its data set measures: {_figure(saturated)}, up to 5 % false positives")
    console.print(f"Report: {result.report}")
    verdicts = request.folder.parent / "verdicts"
    console.print(f"Next: blemish inspect {request.inspector} PHOTOGRAPHS --out {verdicts}")
    defects = f"--from-defects {shlex.quote(str(request.data))}{request.told_again}"
    console.print(f"Decide: blemish decide {shlex.quote(str(request.inspector))} {defects}")
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


def confusion_table(confusion: TypeConfusion) -> Table:
    """What each type was called: a row a type, a column a name, by their numbers where they are types."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    numbers = {name: str(number) for number, name in enumerate(confusion.learnt, 1)}
    table.add_column("shown \\ called", no_wrap=True)
    for name in confusion.said:
        table.add_column(numbers.get(name, name), justify="right")
    for name in ("recall", "precision"):
        table.add_column(name, justify="right")
    for truth, counts in zip(confusion.truths, confusion.counts, strict=True):
        rates: list[str] = []
        if truth in confusion.learnt:
            rates = [_rate(confusion.recall(truth)), _rate(confusion.precision(truth))]
        name = f"{numbers.get(truth, '-')} {truth}"
        table.add_row(name, *(str(count) if count else "." for count in counts), *rates)
    return table


def _rate(rate: Rate) -> str:
    return f"{rate.value:.0%}" if rate.n else "-"


def _figure(value: Any) -> str:
    return "-" if value is None else f"{value:.3f}"


def _share(value: Any) -> str:
    return "-" if value is None else f"{value:.0%}"
