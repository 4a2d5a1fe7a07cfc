"""Charts of a study (Plotly)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from blemish.core.charts import chart_layout, chart_line, hatched_bars
from blemish.core.histogram_axis import histogram_axis
from blemish.core.json_values import number_or_none
from blemish.evaluation.curves import RocCurve, add_histograms, roc_comparison
from blemish.evaluation.thresholds import Threshold
from blemish.experiments.final import Final
from blemish.experiments.study.plan import MODELS
from blemish.experiments.study.summary import Reached

# Okabe and Ito's colours, which stay apart for every kind of colour blindness.
_MODEL_COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7")
_MODEL_DASHES = ("solid", "dash", "dot", "dashdot")
_MODEL_SYMBOLS = ("circle", "square", "diamond", "triangle-up")
_MODEL_PATTERNS = ("", "/", "x", "-")
_RULE_LINES = {
    "f1": ("#8a63d2", "solid"),
    "youden": ("#009e73", "dash"),
    "deviations": ("#cc79a7", "dot"),
    "quantile": ("#7f8c8d", "dashdot"),
}
_SYMBOLS = {"test": "circle", "train": "diamond-open"}
_MOST_POINTS, _BINS = 600, 32


def colour(model: str) -> str:
    """Colour of a model in all charts."""
    return _MODEL_COLOURS[MODELS.index(model) % len(_MODEL_COLOURS)]


def dash(model: str) -> str:
    """Style of a model's lines, which tells it from the others without colours."""
    return _MODEL_DASHES[MODELS.index(model) % len(_MODEL_DASHES)]


def symbol(model: str) -> str:
    """A model's mark, which tells it from the others without colours."""
    return _MODEL_SYMBOLS[MODELS.index(model) % len(_MODEL_SYMBOLS)]


def bar_figure(groups: Mapping[str, Mapping[str, Reached]]) -> go.Figure:
    """Test AUROC as bars with 95 % intervals: a group for each key, a bar in it for each model."""
    figure = go.Figure(layout=chart_layout("", "Test AUROC"))
    models = list(dict.fromkeys(model for group in groups.values() for model in group))
    for model in models:
        found = [group.get(model, Reached(math.nan, math.nan)) for group in groups.values()]
        edges = [_distances(one) for one in found]
        figure.add_bar(
            x=list(groups),
            y=[number_or_none(one.test) for one in found],
            name=model,
            marker={
                "color": colour(model),
                "pattern": hatched_bars(_MODEL_PATTERNS[MODELS.index(model) % len(_MODEL_PATTERNS)]),
            },
            error_y={
                "type": "data",
                "symmetric": False,
                "arrayminus": [low for low, _ in edges],
                "array": [high for _, high in edges],
                "thickness": 1,
                "width": 3,
                "color": "#7f8c8d",
            },
            hovertemplate=model + ", %{x}: %{y:.3f}<extra></extra>",
        )
    figure.add_hline(y=0.5, line=chart_line("#8888", 1, "dot"))
    figure.update_yaxes(range=[0, 1.04])
    return figure.update_layout(barmode="group", showlegend=True, margin_t=64)


def promise_figure(cells: Sequence[tuple[str, str, str, Reached]]) -> go.Figure:
    """Test AUROC against validation AUROC: a point for each cell, given as its title, model, split and figures."""
    figure = go.Figure(layout=chart_layout("Validation AUROC, setting chosen", "Test AUROC"))
    known = [cell for cell in cells if not math.isnan(cell[3].test)]
    low = min([0.5, *(min(one.validation, one.test) for *_, one in known)]) - 0.03
    figure.add_scatter(
        x=[low, 1], y=[low, 1], mode="lines", line=chart_line("#8888", 1, "dot"), hoverinfo="skip",
        showlegend=False,
    )  # fmt: skip
    for model in dict.fromkeys(model for _, model, *_ in known):
        of = [cell for cell in known if cell[1] == model]
        figure.add_scatter(
            x=[one.validation for *_, one in of],
            y=[one.test for *_, one in of],
            customdata=[title for title, *_ in of],
            mode="markers",
            name=model,
            marker={
                "size": 10,
                "color": colour(model),
                "symbol": [_SYMBOLS[split] for _, _, split, _ in of],
            },
            hovertemplate="%{customdata}: %{x:.3f} on validation, %{y:.3f} on test<extra></extra>",
        )
    figure.update_xaxes(range=[low, 1.03])
    figure.update_yaxes(range=[low, 1.03])
    return figure.update_layout(showlegend=True, margin_t=64)


def roc_figure(found: Mapping[str, Final], rule: str) -> go.Figure:
    """ROC curves of the models on the test images, each with the point where the threshold of `rule` works."""
    curves = []
    for model, final in found.items():
        ranking = final.test_ranking()
        if ranking is None:
            continue
        decision = next((on_test for one, _, on_test in final.decisions() if one.rule == rule), None)
        curves.append(
            RocCurve(
                f"{model} {ranking.auroc():.3f}",
                model,
                ranking,
                decision,
                colour(model),
                dash(model),
                symbol(model),
            )
        )
    figure = roc_comparison(curves, _MOST_POINTS)
    return figure.update_layout(showlegend=True, margin_t=76, legend_y=1.45)


def score_figure(final: Final) -> go.Figure:
    """Histograms of the scores on validation, above, and on test, below, with a line for every threshold.

    Both have one axis, which bends or is cut where the highest scores would leave nothing to see of the others.
    """
    shown = [("Validation", final.validation), *([("Test", final.test)] if final.test else [])]
    scores = np.concatenate([of.scores for _, of in shown])
    marks = [threshold.value for threshold in final.thresholds]
    bins = histogram_axis(scores, marks, _BINS)
    figure = go.Figure(layout=chart_layout("", ""))
    for place, (name, of) in enumerate(shown):
        axis = "y" if place == 0 else "y2"
        highest = add_histograms(figure, of.labels, of.scores, bins, axis, place == 0)
        for threshold in final.thresholds:
            _add_line(figure, threshold, highest, axis, place == 0)
        figure.update_layout({f"yaxis{axis[1:]}": _axis(name, place, len(shown))})
    figure.update_xaxes(anchor="y2" if len(shown) > 1 else "y", **bins.layout("Anomaly score"))
    return figure.update_layout(barmode="overlay", bargap=0, margin_t=12)


def _distances(one: Reached) -> tuple[float, float]:
    """From the AUROC to both edges of its interval; 0 where there is none."""
    low, high = one.interval
    return (0.0, 0.0) if math.isnan(low) else (one.test - low, high - one.test)


def _axis(name: str, place: int, count: int) -> dict[str, object]:
    """One of the stacked vertical axes, the first on top."""
    domain = [0.0, 1.0] if count == 1 else [[0.54, 1.0], [0.0, 0.46]][place]
    return {"title": {"text": name}, "domain": domain, "fixedrange": True, "zeroline": False, "nticks": 4}


def _add_line(figure: go.Figure, threshold: Threshold, highest: int, axis: str, legend: bool) -> None:
    line_colour, dash = _RULE_LINES[threshold.rule]
    figure.add_scatter(
        x=[threshold.value, threshold.value],
        y=[0, 1.04 * highest],
        mode="lines",
        name=threshold.title,
        yaxis=axis,
        showlegend=legend,
        line=chart_line(line_colour, 2, dash),
        hovertemplate=f"{threshold.title}: %{{x:.4g}}<extra></extra>",
    )


def rule_lines() -> dict[str, tuple[str, str]]:
    """Colour and dash of every rule's line, for a legend."""
    return dict(_RULE_LINES)
