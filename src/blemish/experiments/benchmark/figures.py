"""Charts of a comparison (Plotly)."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import plotly.graph_objects as go

from blemish.core.charts import THRESHOLD_COLOUR, chart_layout, chart_line, count_step, logarithmic_axis
from blemish.evaluation.curves import RocCurve, add_histograms, roc_comparison
from blemish.evaluation.metrics import decide, rank
from blemish.experiments.benchmark.cell import CellResult
from blemish.experiments.benchmark.table import COLUMNS, Block

# Okabe and Ito's colours, which stay apart for every kind of colour blindness, without their yellow and black.
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9", "#8a63d2", "#7f8c8d")
_DASHES = ("solid", "dash", "dot", "dashdot")
_MOST_POINTS, _BINS = 600, 30


def colour(number: int) -> str:
    """Colour of the detector in a column."""
    return COLOURS[number % len(COLOURS)]


def dash(number: int) -> str:
    """Style of the lines of the detector in a column: colours come again, with another style."""
    return _DASHES[number // len(COLOURS) % len(_DASHES)]


def roc_figure(results: Mapping[str, CellResult], columns: Mapping[str, int]) -> go.Figure:
    """ROC curves of several detectors on one category, each with the point where its threshold works.

    Args:
        results: by the detector's label.
        columns: of each label the number that its colour hangs on; it stays where another detector has failed.
    """
    curves = []
    for label, result in results.items():
        labels, scores = result.arrays["labels"], result.arrays["scores"]
        decision = decide(labels, scores, result.metrics["threshold"])
        number = columns[label]
        curves.append(RocCurve(label, label, rank(labels, scores), decision, colour(number), dash(number)))
    return roc_comparison(curves, _MOST_POINTS)


def score_figure(result: CellResult) -> go.Figure:
    """Histograms of the scores of good and defective parts, with the threshold."""
    labels, scores = result.arrays["labels"], result.arrays["scores"]
    threshold = float(result.metrics["threshold"])
    edges = np.histogram_bin_edges(np.append(scores, threshold), bins=_BINS)
    figure = go.Figure(layout=chart_layout("Anomaly score", "Parts"))
    highest = add_histograms(figure, labels, scores, edges)
    figure.add_vline(x=threshold, line=chart_line(THRESHOLD_COLOUR, 2, "dash"))
    figure.update_layout(barmode="overlay", bargap=0, yaxis_rangemode="tozero", margin_t=12)
    figure.update_yaxes(dtick=count_step(highest))
    return figure


def speed_figure(block: Block) -> go.Figure:
    """Image AUROC against milliseconds an image, a point for each detector."""
    places = {column.key: number for number, column in enumerate(COLUMNS)}
    figure = go.Figure(layout=chart_layout("Milliseconds an image (log)", "Image AUROC"))
    figure.update_layout(margin_l=72)
    shown = []
    for number, row in enumerate(block.rows):
        x, y = row.values[places["ms"]], row.values[places["image_auroc"]]
        if math.isnan(x) or math.isnan(y):
            continue
        shown.append(x)
        figure.add_scatter(
            x=[x],
            y=[y],
            mode="markers+text",
            text=[row.label],
            textposition="top center",
            cliponaxis=False,
            marker={"size": 14, "color": colour(number), "line": {"width": 1.5, "color": "#fff"}},
            hovertemplate=row.label + ": %{y:.3f} at %{x:.1f} ms<extra></extra>",
        )
    if shown:  # room for the labels
        low, high = math.log10(min(shown)), math.log10(max(shown))
        room = max(0.25 * (high - low), 0.15)
        figure.update_xaxes(**logarithmic_axis(10 ** (low - room), 10 ** (high + room)))
    return figure


def type_figure(
    results: Mapping[str, CellResult], columns: Mapping[str, int], metric: str, title: str
) -> go.Figure:
    """A metric of each defect type, a bar for each detector; `columns` as of `roc_figure`."""
    figure = go.Figure(layout=chart_layout("", title))
    for label, result in results.items():
        types = result.metrics["per_defect_type"]
        figure.add_bar(
            x=list(types),
            y=[of_type[metric] for of_type in types.values()],
            name=label,
            marker={"color": colour(columns[label])},
            hovertemplate=label + ", %{x}: %{y:.3f}<extra></extra>",
        )
    figure.update_yaxes(range=[0, 1.04])
    figure.update_layout(barmode="group")
    return figure
