"""The report: one HTML file that holds everything and asks the network for nothing."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

from blemish.core.errors import UsageError
from blemish.core.progress import track
from blemish.core.report_page import chart, render_page
from blemish.core.storage import write_text
from blemish.evaluation import figures
from blemish.evaluation.rate import Rate
from blemish.evaluation.result import Evaluation
from blemish.evaluation.type_confusion import TypeConfusion
from blemish.evaluation.undefined import in_words
from blemish.evaluation.worth import Worth, ranked_and_decided, ranking_in_words

# Parts shown in the whole report: about 100 kB each, so that pictures stay near 3 MB beside Plotly's 5 MB.
_MOST_EXHIBITS, _FEWEST_EXHIBITS = 32, 8

_SATURATED = (
    "a defect counts in full once as much of it is found as its data set asks; up to 5 % false positives"
)
_OVERVIEW: dict[str, Callable[[Evaluation], float]] = {
    "Image AUROC": lambda evaluation: evaluation.ranking.auroc(),
    "Image AP": lambda evaluation: evaluation.ranking.average_precision(),
    "F1": lambda evaluation: evaluation.decision.f1,
    "Good rejected": lambda evaluation: evaluation.false_rejects.value,
    "Defects missed": lambda evaluation: evaluation.escapes.value,
    "Pixel AUROC": lambda evaluation: evaluation.pixels.auroc if evaluation.pixels else math.nan,
    "AUPRO": lambda evaluation: evaluation.pixels.aupro if evaluation.pixels else math.nan,
    "ms per image": lambda evaluation: evaluation.latency_ms()[0],
}


def write_report(
    evaluations: Sequence[Evaluation],
    out: Path,
    title: str,
    facts: Mapping[str, str],
    history: Sequence[Mapping[str, float]] = (),
    made: figures.Made | None = None,
) -> None:
    """Write one self-contained HTML report on one or several categories.

    Args:
        evaluations: one for each category, in the order to be shown; several get an overview with their mean.
        out: the HTML file; replaced as a whole when the report is ready.
        title: heading and window title.
        facts: what a reader must know to trust the numbers: detector, backbone, training images, date.
        history: losses of each epoch where the detector was trained; its curves are drawn.
        made: what the inspector's network makes of a photograph, to be shown beside it.

    Raises:
        UsageError: there is nothing to report.
        BlemishError: the file cannot be written.
    """
    if not evaluations:
        raise UsageError("There is no evaluation to report: evaluate at least one category.")
    most = max(_FEWEST_EXHIBITS, _MOST_EXHIBITS // len(evaluations))
    sections = [
        _section(index, evaluation, most, made)
        for index, evaluation in enumerate(track(evaluations, "Report"))
    ]
    if history:
        sections[0]["charts"] += training_charts(history)
    context = {
        "title": title,
        "facts": facts,
        "sections": sections,
        "overview": _overview(evaluations) if len(evaluations) > 1 else None,
    }
    filters: dict[str, Callable[..., str]] = {
        "figure": shown_figure,
        "percent": percent,
        "interval": _interval,
    }
    page = render_page("blemish.evaluation", "report.html.j2", get_plotlyjs(), context, filters)
    write_text(out, page)


def headline(evaluation: Evaluation) -> str:
    """The result in one sentence: how parts are ranked, and how many of each kind the threshold decides wrongly."""
    worth = Worth(
        evaluation.ranking.auroc(), evaluation.auroc_interval, evaluation.escapes, evaluation.false_rejects
    )
    ranking = ranking_in_words(worth)
    ranked = f"It ranks defective parts above good ones with {ranking}" if ranking else ""
    return f"{ranked_and_decided(ranked, worth)}.{not_judged_in_words(evaluation)}"


def not_judged_in_words(evaluation: Evaluation) -> str:
    """What else happened: how many photographs are not judged, and how they count; empty where none is."""
    images = evaluation.not_judged
    if not images:
        return ""
    bad = sum(image.anomalous for image in images)
    one = len(images) == 1
    return (
        f" {len(images)} ({len(images) - bad} good, {bad} defective) {'is' if one else 'are'} not judged, being unlike "
        f"the photographs learnt from, and {'counts' if one else 'count'} above as not rejected."
    )


def types_headline(confusion: TypeConfusion) -> str:
    """How rightly types are named, in one or two sentences."""
    named, doubted, unknown = confusion.accuracy, confusion.doubted, confusion.recognised_as_unknown
    if not named.n:
        sentence = "No rejected part shows a type that was learnt"
    else:
        sentence = (
            f"Of {named.n} rejected part{_s(named.n)} of a type learnt it named the type of {named.count} rightly "
            f"({percent(named.value)}) and called {doubted.count} "
            "“none of these”"
        )
    if unknown.n:
        sentence += (
            f"; of {unknown.n} of a type that was not learnt it called {unknown.count} “none of these” "
            f"({percent(unknown.value)})"
        )
    return f"{sentence}."


def _section(index: int, evaluation: Evaluation, most: int, made: figures.Made | None) -> dict[str, Any]:
    """Everything the template shows of one category."""
    figures_of = evaluation.to_json()
    return {
        "anchor": f"category-{index + 1}",
        "category": evaluation.category,
        "headline": headline(evaluation),
        "cards": _cards(evaluation),
        "charts": _charts(evaluation),
        "confusion": evaluation.decision,
        "types": figures_of["per_defect_type"],
        "undefined": in_words(figures_of["undefined"]),
        "named": _named(evaluation.type_confusion),
        "gallery": figures.gallery(evaluation, most, made),
        "scale": figures.colour_scale(*evaluation.map_scale, evaluation.pixel_threshold),
        "evaluation": evaluation,
    }


def _named(confusion: TypeConfusion | None) -> dict[str, Any] | None:
    """What the template shows of the types that were told: a row a truth, each cell with its share of the row."""
    if confusion is None:
        return None
    rows = []
    for truth, counts in zip(confusion.truths, confusion.counts, strict=True):
        cells = [
            {
                "count": int(count),
                "share": count / max(counts.sum(), 1),
                "right": confusion.is_right(truth, said),
            }
            for said, count in zip(confusion.said, counts, strict=True)
        ]
        learnt = truth in confusion.learnt
        recall, precision = (confusion.recall(truth), confusion.precision(truth)) if learnt else (None, None)
        rows.append(
            {"truth": truth, "cells": cells, "learnt": learnt, "recall": recall, "precision": precision}
        )
    return {
        "headline": types_headline(confusion),
        "said": confusion.said,
        "rows": rows,
        "calibration_error": confusion.calibration_error,
        "good_called_none": confusion.good_called_none,
    }


def _cards(evaluation: Evaluation) -> list[tuple[str, str, str]]:
    """Label, value and note of each metric card."""
    ranking, decision, pixels = evaluation.ranking, evaluation.decision, evaluation.pixels
    found, saturated = evaluation.detections, evaluation.saturated_overlap
    good, bad, best = evaluation.false_rejects, evaluation.escapes, ranking.best_f1()
    p50, p99 = evaluation.latency_ms()
    decode, _ = evaluation.latency_ms("decode_ms")
    unmeasured = "no masks" if evaluation.gives_maps else "the detector shows no place"
    return [
        (
            "Image AUROC",
            shown_figure(ranking.auroc()),
            f"95 % interval {_interval(evaluation.auroc_interval)}",
        ),
        (
            "Good parts rejected",
            percent(good.value),
            f"{good.count} of {good.n}; true rate {_between(good)}",
        ),
        ("Defects missed", percent(bad.value), f"{bad.count} of {bad.n}; true rate {_between(bad)}"),
        (
            "F1 at the threshold",
            shown_figure(decision.f1),
            f"precision {shown_figure(decision.precision)}, recall {shown_figure(decision.recall)}",
        ),
        (
            "Average precision",
            shown_figure(ranking.average_precision()),
            "one class only"
            if ranking.one_class
            else f"best possible F1 {shown_figure(best.f1)} at {best.threshold:.4g}",
        ),
        (
            "Pixel AUROC",
            shown_figure(pixels.auroc if pixels else math.nan),
            f"AP {shown_figure(pixels.average_precision)}, best F1 {shown_figure(pixels.f1)}"
            if pixels
            else unmeasured,
        ),
        (
            "AUPRO",
            shown_figure(pixels.aupro if pixels else math.nan),
            f"{pixels.n_regions} defect regions, up to 30 % false positives" if pixels else unmeasured,
        ),
        *([] if saturated is None else [("AU-sPRO", shown_figure(saturated), _SATURATED)]),
        (
            "Boxes found",
            shown_figure(found.average_precision[0] if found else math.nan),
            f"average precision from overlap 0.1; from 0.5 {shown_figure(found.average_precision[1])}; "
            f"{found.n_found} regions for {found.n_true}"
            if found
            else unmeasured,
        ),
        (
            "Time per image",
            f"{p50:.0f} ms",
            f"99 % within {p99:.0f} ms; {decode:.0f} ms of it to read the file",
        ),
    ]


def _charts(evaluation: Evaluation) -> list[dict[str, Any]]:
    """Title, note and Plotly JSON of each chart; ranking curves only where both classes were tested."""
    ranking, pixels = evaluation.ranking, evaluation.pixels
    charts: list[tuple[str, str, go.Figure]] = [
        (
            "Anomaly scores",
            "Good and defective parts by their score: the further apart, the surer the decision.",
            figures.score_figure(evaluation.labels, evaluation.scores, evaluation.threshold),
        )
    ]
    if not ranking.one_class:
        charts += [
            (
                "ROC curve",
                f"Area {shown_figure(ranking.auroc())}. The dot is the threshold.",
                figures.roc_figure(evaluation),
            ),
            (
                "Precision and recall",
                f"Average precision {shown_figure(ranking.average_precision())}. The dot is the threshold.",
                figures.precision_recall_figure(evaluation),
            ),
        ]
    if pixels and pixels.region_overlap[0].size:
        note = f"AUPRO {shown_figure(pixels.aupro)}: the area below, up to 30 % of the good pixels."
        charts.append(("Overlap with the defects", note, figures.region_overlap_figure(evaluation)))
    return [chart(title, note, figure) for title, note, figure in charts]


def training_charts(history: Sequence[Mapping[str, float]]) -> list[dict[str, Any]]:
    """The loss curves, and that of the IoU where masks were learnt, each with title and note, for the page."""
    best = min(
        (row for row in history if "validation_loss" in row),
        key=lambda row: row["validation_loss"],
        default=None,
    )
    kept = f" The weights of epoch {best['epoch']:.0f} had the lowest validation loss." if best else ""
    note = f"Loss in {len(history)} epochs, on the images learnt from and on those held out.{kept}"
    charts = [chart("Training", note, figures.loss_figure(history))]
    if any("validation_iou" in row for row in history):
        charts.append(_overlap_chart(history, best))
    return charts


def _overlap_chart(
    history: Sequence[Mapping[str, float]], kept: Mapping[str, float] | None
) -> dict[str, Any]:
    """The IoU by epoch, and what it was in the epoch that was kept."""
    note = (
        "Overlap with the masks of the images held out, each half at the threshold that is best on the other."
    )
    if kept is not None and "validation_iou" in kept:
        note += f" In epoch {kept['epoch']:.0f}, whose weights had the lowest validation loss, it was "
        note += f"{kept['validation_iou']:.3f}."
    return chart("IoU while training", note, figures.overlap_figure(history))


def _overview(evaluations: Sequence[Evaluation]) -> dict[str, Any]:
    """A row of figures for each category, and their mean over the categories that have each."""
    values = np.array([[measure(evaluation) for measure in _OVERVIEW.values()] for evaluation in evaluations])
    means = [
        float(np.mean(known)) if (known := column[np.isfinite(column)]).size else math.nan
        for column in values.T
    ]
    return {
        "columns": list(_OVERVIEW),
        "rows": [[_cell(name, v) for name, v in zip(_OVERVIEW, row, strict=True)] for row in values],
        "means": [_cell(name, mean) for name, mean in zip(_OVERVIEW, means, strict=True)],
    }


def _cell(column: str, value: float) -> str:
    if column in ("Good rejected", "Defects missed"):
        return percent(value)
    return f"{value:.0f}" if column == "ms per image" else shown_figure(value)


def shown_figure(value: float | None) -> str:
    """A figure to three decimals; a dash where there is none."""
    return "–" if value is None or math.isnan(value) else f"{value:.3f}"


def percent(value: float | None) -> str:
    """A share in percent with one digit behind the point; a dash where it is unknown."""
    return "–" if value is None or math.isnan(value) else f"{100 * value:.1f} %"


def _interval(edges: Sequence[float | None]) -> str:
    return f"{shown_figure(edges[0])} to {shown_figure(edges[1])}"


def _between(rate: Rate) -> str:
    low, high = rate.interval
    return "unknown" if math.isnan(low) else f"{100 * low:.1f} to {percent(high)}"


def _s(count: int) -> str:
    return "" if count == 1 else "s"
