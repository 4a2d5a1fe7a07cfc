"""The report of a comparison: one HTML file that holds everything and asks the network for nothing."""

from __future__ import annotations

import math
import os
import platform
from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

from plotly.offline import get_plotlyjs

from blemish.core.progress import track
from blemish.core.report_page import chart, render_page
from blemish.core.storage import write_text
from blemish.evaluation.metrics import decide
from blemish.evaluation.report import shown_figure
from blemish.experiments.benchmark import figures
from blemish.experiments.benchmark.cell import CellResult
from blemish.experiments.benchmark.compared import ComparedCategory, counts
from blemish.experiments.benchmark.exhibits import exhibit_rows
from blemish.experiments.benchmark.headline import headline
from blemish.experiments.benchmark.matrix import Benchmark
from blemish.experiments.benchmark.published import published_methods
from blemish.experiments.benchmark.table import COLUMNS, PLACES, Block, Table

# Pictures of about 15 kB: what keeps the file under some 12 MB beside Plotly's 5 MB.
MOST_PICTURES, _FEWEST_ROWS = 420, 2
_PUBLISHED = (
    ("image_auroc", "Image AUROC"),
    ("pixel_auroc", "Pixel AUROC"),
    ("aupro", "AUPRO"),
    ("image_f1", "Max F1"),
    ("precision", "Precision"),
    ("recall", "Recall"),
    ("accuracy", "Accuracy"),
    ("pixel_f1", "Pixel F1"),
)


def write_report(benchmark: Benchmark, out: Path, title: str) -> None:
    """Write one self-contained HTML report; with several seeds, pictures and curves are of the first.

    Raises:
        BlemishError: the file cannot be written.
    """
    table = benchmark.table()
    n_cells = len(benchmark.candidates) * len(benchmark.data)
    rows = max(_FEWEST_ROWS, MOST_PICTURES // (2 * n_cells + 2))
    sections = [
        _section(number, one, benchmark, table, rows)
        for number, one in enumerate(track(benchmark.data, "Report"))
    ]
    context = {
        "title": title,
        "facts": _facts(benchmark),
        "headline": headline(table),
        "columns": COLUMNS,
        "blocks": _blocks(table, [section["anchor"] for section in sections]),
        "failed": [f"{result.cell.title}: {result.error}" for result in benchmark.failed],
        "unreadable": [one for result in benchmark.results for one in result.unreadable],
        "seeds": benchmark.seeds,
        "charts": _overall_charts(table, len(benchmark.data)),
        "sections": sections,
    }
    page = render_page(
        "blemish.experiments.benchmark",
        "benchmark.html.j2",
        get_plotlyjs(),
        context,
        {"figure": shown_figure},
    )
    write_text(out, page)


def _facts(benchmark: Benchmark) -> dict[str, str]:
    """What a reader must know to trust the figures."""
    photographs = sum(len(one.catalog) for one in benchmark.data)
    return {
        "Detectors": str(len(benchmark.candidates)),
        "Categories": str(len(benchmark.data)),
        "Photographs": f"{photographs:,}",
        "Seed" if len(benchmark.seeds) == 1 else "Seeds": ", ".join(map(str, benchmark.seeds)),
        "Threshold": "from good training photographs, scored as if unseen",
        "Times measured on": f"{platform.machine()}, {os.cpu_count()} cores, no GPU needed",
    }


def _blocks(table: Table, anchors: Sequence[str]) -> list[dict[str, Any]]:
    """The table as the template prints it: categories with links to their sections, then means."""
    links = [f"#{anchor}" for anchor in anchors]
    return [
        {"title": table.title(block), "link": link, "rows": _rows(block)}
        for block, link in zip_longest(table.shown, links, fillvalue="")
        if isinstance(block, Block)
    ]


def _rows(block: Block) -> list[dict[str, Any]]:
    best = block.best()
    return [
        {
            "label": row.label,
            "colour": figures.colour(place),
            "note": row.note,
            "remark": row.remark,
            "empty": all(math.isnan(value) for value in row.values),
            "cells": [
                {
                    "value": column.shown(value),
                    "exact": "" if math.isnan(value) else f"{value:.6g}",
                    "spread": "" if math.isnan(spread) else f"± {column.shown(spread)}",
                    "interval": None if math.isnan(row.interval(column.key)[0]) else row.interval(column.key),
                    "best": place in best[number],
                }
                for number, (column, value, spread) in enumerate(
                    zip(COLUMNS, row.values, row.spreads, strict=True)
                )
            ],
        }
        for place, row in enumerate(block.rows)
    ]


def _overall_charts(table: Table, n: int) -> list[dict[str, Any]]:
    block = table.mean if n > 1 else table.blocks[0]
    note = "Up and to the left is better: the network and the decision on one decoded photograph."
    if n > 1:
        note += f" Means of {n} categories."
    return [chart("Accuracy against time", note, figures.speed_figure(block))]


def _section(
    number: int, data: ComparedCategory, benchmark: Benchmark, table: Table, rows: int
) -> dict[str, Any]:
    """Everything the template shows of one category."""
    found = {candidate.label: benchmark.of(data.name, candidate.label) for candidate in benchmark.candidates}
    first = {label: results[0] for label, results in found.items() if results}
    columns = {candidate.label: place for place, candidate in enumerate(benchmark.candidates)}
    colours = {label: figures.colour(place) for label, place in columns.items()}
    both = any(result.metrics["n_normal"] and result.metrics["n_anomalous"] for result in first.values())
    charts = []
    if both:
        note = "Defects found against good parts rejected. Each mark is where the detector's own threshold works."
        charts.append(chart("ROC curves", note, figures.roc_figure(first, columns)))
        note = "Share of the rejects that are defective, against defects found. The marks are the same thresholds."
        charts.append(chart("Precision-recall curves", note, figures.precision_recall_figure(first, columns)))
        note = "Image AUROC of each type of defect against all good parts."
        charts.append(
            chart("By defect type", note, figures.type_figure(first, columns, "image_auroc", "Image AUROC"))
        )
    return {
        "anchor": f"category-{number + 1}",
        "category": data.name,
        "counts": counts(data.catalog),
        "charts": charts,
        "types": _types(first),
        "detectors": [_detector(result, colours[label]) for label, result in first.items()],
        "labels": [(label, colours[label]) for label in first],
        "exhibits": exhibit_rows(data, first, rows),
        **beside_published(data.name, table),
    }


def _types(results: dict[str, CellResult]) -> dict[str, Any]:
    """Recall at the threshold and image AUROC of each defect type, by detector; the best are marked."""
    labelled = [bool(result.metrics.get("n_labelled")) for result in results.values()]
    types = sorted({name for result in results.values() for name in result.metrics["per_defect_type"]})
    rows = []
    for name in types:
        of = [result.metrics["per_defect_type"].get(name, {}) for result in results.values()]
        recalls, aurocs = (
            _marked([one.get(key) for one in of], labelled) for key in ("recall", "image_auroc")
        )
        n = max(one.get("n", 0) for one in of)
        rows.append({"name": name, "n": n, "cells": list(zip(recalls, aurocs, strict=True))})
    return {"rows": rows}


def _marked(values: Sequence[float | None], labelled: Sequence[bool]) -> list[tuple[float | None, bool]]:
    """Each value, and whether it is the best as shown; none is where all that are compared are alike.

    Those of detectors that learnt from labelled test images are of other images (see `Block.compared`).
    """
    compared = [all(labelled) or not one for one in labelled]
    shown = [None if value is None else round(value, 3) for value in values]
    known = {value for value, one in zip(shown, compared, strict=True) if one and value is not None}
    best = max(known) if len(known) > 1 else None
    return [
        (value, one and best is not None and rounded == best)
        for value, rounded, one in zip(values, shown, compared, strict=True)
    ]


def _detector(result: CellResult, colour: str) -> dict[str, Any]:
    """Histogram and confusion matrix of one detector."""
    label, threshold = result.cell.candidate.label, result.metrics["threshold"]
    note = f"Threshold {threshold:.4g}, from {result.metrics['n_scores']} good parts."
    return {
        "label": label,
        "colour": colour,
        "chart": chart(label, note, figures.score_figure(result)),
        "confusion": decide(result.arrays["labels"], result.arrays["scores"], threshold),
    }


def beside_published(category: str, table: Table) -> dict[str, Any]:
    """Published methods, the columns that any of them has a figure in, and the measured rows in these columns."""
    published = published_methods(category)
    columns = [one for one in _PUBLISHED if any(one[0] in method.figures for method in published)]
    block = next(block for block in table.blocks if block.title == category)
    measured = [
        (row.label, [COLUMNS[PLACES[key]].shown(row.value(key)) for key, _ in columns]) for row in block.rows
    ]
    return {"published": published, "published_columns": columns, "measured": measured}
