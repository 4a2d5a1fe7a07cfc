"""Charts of scores that every report shows: ROC and precision-recall curves of detectors, and histograms by class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go

from blemish.core.charts import (
    ANOMALOUS_COLOUR,
    NORMAL_COLOUR,
    THRESHOLD_COLOUR,
    chart_layout,
    chart_line,
    hatched_bars,
    thinned,
)
from blemish.core.histogram_axis import HistogramAxis
from blemish.evaluation.metrics import Decision, Ranking


@dataclass(frozen=True)
class RocCurve:
    """One detector's curve.

    Attributes:
        name: in the legend.
        title: in the hover texts.
        ranking: of its scores.
        decision: at its threshold, which is marked; None for no mark.
        colour, dash: of the line.
        symbol: of the mark.
    """

    name: str
    title: str
    ranking: Ranking
    decision: Decision | None
    colour: str
    dash: str = "solid"
    symbol: str = "circle"


def rate_figure(horizontal: str, vertical: str) -> go.Figure:
    """An empty chart of two rates, 0 to 100 % each."""
    figure = go.Figure(layout=chart_layout(horizontal, vertical))
    figure.update_xaxes(range=[-0.02, 1.02], tickformat=".0%")
    figure.update_yaxes(range=[-0.02, 1.04], tickformat=".0%")
    return figure


def roc_axes() -> go.Figure:
    """An empty ROC chart with the line of chance."""
    figure = rate_figure("Good parts rejected", "Defects found")
    return figure.add_scatter(
        x=[0, 1],
        y=[0, 1],
        mode="lines",
        line=chart_line("#8888", 1, "dot"),
        hoverinfo="skip",
        showlegend=False,
    )


def roc_comparison(curves: Sequence[RocCurve], most_points: int) -> go.Figure:
    """ROC curves of several detectors, each with the point where its threshold works."""
    figure = roc_axes()
    for curve in curves:
        rate, recall = thinned(*curve.ranking.roc_curve(), most_points)
        _add_curve(
            figure, curve, rate, recall, "%{y:.1%} of defects found<br>%{x:.1%} of good parts rejected"
        )
        if curve.decision is not None:
            _add_mark(figure, curve, curve.decision.false_reject_rate, curve.decision.recall)
    return figure


def precision_recall_comparison(curves: Sequence[RocCurve], most_points: int) -> go.Figure:
    """Precision against recall of several detectors, each with the point where its threshold works."""
    figure = rate_figure("Recall (share of defects rejected)", "Precision")
    for curve in curves:
        recall, precision = thinned(*curve.ranking.precision_recall_curve(), most_points)
        _add_curve(
            figure,
            curve,
            recall,
            precision,
            "%{y:.1%} of rejects defective<br>%{x:.1%} of defects found",
            "vh",
        )
        if curve.decision is not None:
            _add_mark(figure, curve, curve.decision.recall, curve.decision.precision)
    return figure


def _add_curve(
    figure: go.Figure,
    curve: RocCurve,
    x: npt.NDArray[np.float64],
    y: npt.NDArray[np.float64],
    said: str,
    shape: str | None = None,
) -> None:
    figure.add_scatter(
        x=x,
        y=y,
        mode="lines",
        name=curve.name,
        legendgroup=curve.title,
        line=chart_line(curve.colour, 2.2, curve.dash, shape),
        hovertemplate=f"{curve.title}: {said}<extra></extra>",
    )


def _add_mark(figure: go.Figure, curve: RocCurve, x: float, y: float) -> None:
    """Where the threshold works; nothing where it is undefined."""
    if not np.isfinite([x, y]).all():
        return
    figure.add_scatter(
        x=[x],
        y=[y],
        mode="markers",
        name=f"{curve.name}, at its threshold",
        legendgroup=curve.title,
        showlegend=False,
        marker={
            "size": 11,
            "color": curve.colour,
            "symbol": curve.symbol,
            "line": {"width": 1.5, "color": "#fff"},
        },
        hovertemplate=curve.title + " at its threshold: %{x:.1%}, %{y:.1%}<extra></extra>",
    )


def add_histograms(
    figure: go.Figure,
    labels: npt.NDArray[np.bool_],
    scores: npt.NDArray[np.floating],
    axis: HistogramAxis,
    yaxis: str = "y",
    showlegend: bool = True,
) -> int:
    """Add histograms of the scores (N) by class, defective where `labels` is True; the largest count, at least 1."""
    highest = 1
    for name, of_class, colour, hatching in (
        ("good", ~labels, NORMAL_COLOUR, ""),
        ("defective", labels, ANOMALOUS_COLOUR, "/"),
    ):
        if not of_class.any():
            continue
        counts = axis.counts(scores[of_class])
        highest = max(highest, int(counts.max()))
        edges = axis.edges
        figure.add_bar(
            x=(edges[1:] + edges[:-1]) / 2,
            y=counts,
            width=np.diff(edges),
            name=name,
            yaxis=yaxis,
            showlegend=showlegend,
            marker={"color": colour, "opacity": 0.72, "pattern": hatched_bars(hatching)},
            hovertemplate="%{y} " + name + " at about %{x:.4g}<extra></extra>",
        )
    return highest


def add_score_line(
    figure: go.Figure, axis: HistogramAxis, score: float, text: str, dash: str = "dash"
) -> None:
    """A labelled vertical line at a score; the label stands on the side that has more room."""
    place = axis.on_axis(score)
    start, end = axis.on_axis(axis.edges[0]), axis.on_axis(axis.edges[-1])
    left = place - start > end - place
    figure.add_shape(
        type="line", x0=score, x1=score, y0=0, y1=1, yref="paper", line=chart_line(THRESHOLD_COLOUR, 2, dash)
    )
    figure.add_annotation(
        text=text,
        x=place,
        y=1,
        yref="paper",
        yanchor="bottom",
        xanchor="right" if left else "left",
        showarrow=False,
    )
