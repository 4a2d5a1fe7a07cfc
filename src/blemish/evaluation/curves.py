"""Charts of scores that every report shows: ROC curves of one or several detectors, and histograms by class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go

from blemish.core.charts import ANOMALOUS_COLOUR, NORMAL_COLOUR, chart_layout, chart_line, thinned
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
    """

    name: str
    title: str
    ranking: Ranking
    decision: Decision | None
    colour: str
    dash: str = "solid"


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
        figure.add_scatter(
            x=rate,
            y=recall,
            mode="lines",
            name=curve.name,
            legendgroup=curve.title,
            line=chart_line(curve.colour, 2.2, curve.dash),
            hovertemplate=curve.title
            + ": %{y:.1%} of defects found<br>%{x:.1%} of good parts rejected<extra></extra>",
        )
        if curve.decision is None:
            continue
        figure.add_scatter(
            x=[curve.decision.false_reject_rate],
            y=[curve.decision.recall],
            mode="markers",
            legendgroup=curve.title,
            showlegend=False,
            marker={"size": 11, "color": curve.colour, "line": {"width": 2, "color": "#fff"}},
            hovertemplate=curve.title + " at its threshold: %{x:.1%}, %{y:.1%}<extra></extra>",
        )
    return figure


def add_histograms(
    figure: go.Figure,
    labels: npt.NDArray[np.bool_],
    scores: npt.NDArray[np.floating],
    edges: npt.NDArray[np.float64],
    yaxis: str = "y",
    showlegend: bool = True,
) -> int:
    """Add histograms of the scores (N) by class, defective where `labels` is True; the largest count, at least 1."""
    highest = 1
    for name, of_class, colour in (
        ("good", ~labels, NORMAL_COLOUR),
        ("defective", labels, ANOMALOUS_COLOUR),
    ):
        if not of_class.any():
            continue
        counts, _ = np.histogram(scores[of_class], bins=edges)
        highest = max(highest, int(counts.max()))
        figure.add_bar(
            x=(edges[1:] + edges[:-1]) / 2,
            y=counts,
            width=np.diff(edges),
            name=name,
            yaxis=yaxis,
            showlegend=showlegend,
            marker={"color": colour, "opacity": 0.72},
            hovertemplate="%{y} " + name + " at about %{x:.4g}<extra></extra>",
        )
    return highest
