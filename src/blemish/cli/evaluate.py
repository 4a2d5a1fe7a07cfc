"""`blemish evaluate`: what an inspector is worth on labelled photographs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from blemish.cli.output import JsonOption, console, emit, messages

if TYPE_CHECKING:
    from rich.table import Table

    from blemish.data.catalog import Catalog
    from blemish.evaluation.result import Evaluation
    from blemish.line.manifest import Manifest
    from blemish.line.runtime import Inspector


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
    from blemish.core.storage import write_json
    from blemish.evaluation.report import headline, write_report
    from blemish.line.runtime import Inspector

    loaded = Inspector.load(inspector)
    folder = out or inspector.parent / f"{inspector.stem}-evaluation"
    report = folder / "report.html"
    with use_reporter(reporter_for(json_output)):
        evaluation = evaluate_inspector(loaded, data, category)
        write_report(
            [evaluation], report, f"{loaded.name}: evaluation", facts(loaded.manifest), loaded.history
        )
    document = {**evaluation.to_json(), "report": str(report)}
    write_json(folder / "metrics.json", document)
    for failure in evaluation.failed:
        messages.print(f"{failure.path}: {failure.detail}", style="red")

    def human() -> None:
        console.print(metrics_table([evaluation]))
        console.print(types_table(evaluation))
        console.print(headline(evaluation))
        console.print(f"Report: {report}")
        console.print(f"Next: blemish inspect {inspector} PHOTOGRAPHS --out {folder.parent / 'verdicts'}")

    emit(document, json_output, human)
    if evaluation.failed:
        raise typer.Exit(1)


def evaluate_inspector(inspector: Inspector, data: Path, category: str | None = None) -> Evaluation:
    """Inspect the test photographs in `data`; of several categories the one named, or the inspector's own."""
    from blemish.cli.categories import open_category
    from blemish.evaluation.evaluate import evaluate

    catalog = open_category(data, category, default=inspector.manifest.training.category)
    catalog = unseen(catalog, inspector)
    return evaluate(
        inspector.inspect_file,
        catalog,
        inspector.threshold,
        pixel_threshold=inspector.pixel_threshold,
        map_scale=inspector.map_scale,
    )


def unseen(catalog: Catalog, inspector: Inspector) -> Catalog:
    """The catalog without the test photographs that a supervised detector has learnt from.

    Raises:
        CatalogError: nothing is left to test with.
    """
    from blemish.core.errors import CatalogError
    from blemish.core.storage import file_digest

    supervision = inspector.manifest.training.supervision
    if supervision is None:
        return catalog
    learnt = set(supervision.digests)
    tested = catalog.table["split"] == "test"
    seen = [
        bool(t) and file_digest(Path(p)) in learnt for p, t in zip(catalog.table["path"], tested, strict=True)
    ]
    if sum(seen) == tested.sum():
        raise CatalogError(
            f"{inspector.path} has learnt from all {sum(seen)} test photographs of {catalog.root}: evaluate it on "
            "others."
        )
    return catalog.subset([not was for was in seen])


def facts(manifest: Manifest) -> dict[str, str]:
    """What a reader of the report must know to trust it."""
    from blemish.cli.fit import learnt_from, measured_in_words

    preprocessing = manifest.preprocessing
    parameters = manifest.detector.parameters
    supervision = manifest.training.supervision
    labelled = len(supervision.digests) if supervision else 0
    measured = measured_in_words(manifest.training.measured)
    return {
        "Inspector": manifest.name,
        "Detector": manifest.detector.name,
        "Backbone": str(parameters.get("backbone", "none")),
        "Input": f"{preprocessing.width} x {preprocessing.height} pixels",
        "Learnt from": learnt_from(manifest.training.n_images, labelled),
        **({"On images held out from training": measured} if measured else {}),
        "Threshold": f"{manifest.calibration.threshold:.4g}",
        "Fitted": f"{manifest.training.created:%Y-%m-%d %H:%M} UTC",
    }


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
