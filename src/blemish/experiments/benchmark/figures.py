"""Charts of a comparison (Plotly)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import plotly.graph_objects as go

from blemish.core.chart_labels import label_places
from blemish.core.charts import chart_layout, chart_line, logarithmic_axis
from blemish.evaluation import figures
from blemish.evaluation.curves import RocCurve, precision_recall_comparison, roc_comparison
from blemish.evaluation.metrics import decide, rank
from blemish.experiments.benchmark.cell import CellResult
from blemish.experiments.benchmark.table import Block

# Okabe and Ito's colours, which stay apart for every kind of colour blindness, without their yellow and black.
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9", "#8a63d2", "#7f8c8d")
_DASHES = ("solid", "dash", "dot", "dashdot")
_SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "x", "triangle-down", "star")
_MOST_POINTS = 600
# The drawing of a chart between its axes where it is the smallest, in two columns of a tablet, in pixels.
_SMALLEST_WIDTH, _SMALLEST_HEIGHT = 180.0, 165.0


def colour(number: int) -> str:
    """Colour of the detector in a column."""
    return COLOURS[number % len(COLOURS)]


def dash(number: int) -> str:
    """Style of the lines of the detector in a column: neighbours differ, and so do those of one colour."""
    return _DASHES[(number + number // len(COLOURS)) % len(_DASHES)]


def symbol(number: int) -> str:
    """Mark of the detector in a column: neighbours differ, and so do those of one colour."""
    return _SYMBOLS[(number + number // len(COLOURS)) % len(_SYMBOLS)]


def roc_figure(results: Mapping[str, CellResult], columns: Mapping[str, int]) -> go.Figure:
    """ROC curves of several detectors on one category, each with the point where its threshold works.

    Args:
        results: by the detector's label.
        columns: of each label the number that its colour hangs on; it stays where another detector has failed.
    """
    return roc_comparison(_curves(results, columns), _MOST_POINTS)


def precision_recall_figure(results: Mapping[str, CellResult], columns: Mapping[str, int]) -> go.Figure:
    """Precision against recall, with the same points; arguments as of `roc_figure`."""
    return precision_recall_comparison(_curves(results, columns), _MOST_POINTS)


def _curves(results: Mapping[str, CellResult], columns: Mapping[str, int]) -> list[RocCurve]:
    curves = []
    for label, result in results.items():
        labels, scores = result.arrays["labels"], result.arrays["scores"]
        decision = decide(labels, scores, result.metrics["threshold"])
        number, ranking = columns[label], rank(labels, scores)
        look = colour(number), dash(number), symbol(number)
        curves.append(RocCurve(label, label, ranking, decision, *look))
    return curves


def score_figure(result: CellResult) -> go.Figure:
    """Histograms of the scores of good and defective parts, with the threshold."""
    threshold = float(result.metrics["threshold"])
    figure = figures.score_figure(result.arrays["labels"], result.arrays["scores"], threshold)
    return figure.update_layout(showlegend=False, margin_t=26)


def speed_figure(block: Block) -> go.Figure:
    """Image AUROC against milliseconds an image, a point for each detector."""
    figure = go.Figure(layout=chart_layout("Time, ms an image (logarithmic)", "Image AUROC"))
    known = [
        (number, row.label, row.value("ms"), row.value("image_auroc"))
        for number, row in enumerate(block.rows)
        if math.isfinite(row.value("ms")) and math.isfinite(row.value("image_auroc"))
    ]
    if not known:
        return figure
    (left, right), (bottom, top) = (
        _room([math.log10(one[2]) for one in known]),
        _room([one[3] for one in known]),
    )
    points = [
        ((math.log10(ms) - left) / (right - left), (auroc - bottom) / (top - bottom))
        for _, _, ms, auroc in known
    ]
    names = [label for _, label, _, _ in known]
    places = label_places(points, names, _SMALLEST_WIDTH, _SMALLEST_HEIGHT)
    for (number, label, ms, auroc), place in zip(known, places, strict=True):
        figure.add_scatter(
            x=[ms],
            y=[auroc],
            mode="markers+text" if place else "markers",
            name=label,
            text=[label],
            textposition=place or "top center",
            cliponaxis=False,
            marker={
                "size": 12,
                "color": colour(number),
                "symbol": symbol(number),
                "line": {"width": 1, "color": "#fff"},
            },
            hovertemplate=label + ": %{y:.3f} at %{x:.1f} ms<extra></extra>",
        )
    figure.update_xaxes(**logarithmic_axis(10**left, 10**right))
    figure.update_yaxes(range=[bottom, top])
    return figure.update_layout(showlegend=not all(places))


def _room(values: Sequence[float]) -> tuple[float, float]:
    """An axis that holds all values, with room for their names."""
    low, high = min(values), max(values)
    room = max(0.2 * (high - low), 0.02)
    return low - room, high + room


def type_figure(
    results: Mapping[str, CellResult], columns: Mapping[str, int], metric: str, title: str
) -> go.Figure:
    """A metric of each defect type, a line a type and on it a mark for each detector; `columns` as of `roc_figure`."""
    figure = go.Figure(layout=chart_layout(title, ""))
    for label, result in results.items():
        types = result.metrics["per_defect_type"]
        number = columns[label]
        figure.add_scatter(
            x=[of_type[metric] for of_type in types.values()],
            y=list(types),
            mode="markers",
            name=label,
            cliponaxis=False,
            marker={
                "size": 11,
                "color": colour(number),
                "symbol": symbol(number),
                "opacity": 0.85,
                "line": {"width": 1, "color": "#fff"},
            },
            hovertemplate=label + ", %{y}: %{x:.3f}<extra></extra>",
        )
    figure.add_vline(x=0.5, line=chart_line("#8888", 1, "dot"))
    figure.update_xaxes(range=[-0.02, 1.03])
    figure.update_yaxes(autorange="reversed", automargin=True, dtick=1, showgrid=True)
    return figure
