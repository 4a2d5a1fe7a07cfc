"""Charts of a search (Plotly)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from blemish.core.charts import ANOMALOUS_COLOUR, NORMAL_COLOUR, chart_layout, chart_line
from blemish.experiments.shown import shown
from blemish.experiments.trial import Trial


def history_figure(trials: Sequence[Trial]) -> go.Figure:
    """Mean validation AUROC of every trial, with the range over its folds, and the best so far."""
    done = [trial for trial in trials if not trial.error]
    numbers, means = [trial.number for trial in done], np.array([trial.auroc for trial in done])
    figure = go.Figure(layout=chart_layout("Trial", "Validation AUROC") | {"showlegend": True})
    figure.add_scatter(
        x=numbers,
        y=means,
        mode="markers",
        name="mean of the folds",
        marker={"size": 9, "color": NORMAL_COLOUR},
        error_y={
            "type": "data",
            "symmetric": False,
            "array": [max(trial.aurocs) - trial.auroc for trial in done],
            "arrayminus": [trial.auroc - min(trial.aurocs) for trial in done],
            "thickness": 1,
            "width": 0,
            "color": NORMAL_COLOUR,
        },
        hovertemplate="trial %{x}: %{y:.3f}<extra></extra>",
    )
    figure.add_scatter(
        x=numbers,
        y=np.maximum.accumulate(means),
        mode="lines",
        name="best so far",
        line=chart_line(ANOMALOUS_COLOUR, 2, shape="hv"),
        hovertemplate="best after trial %{x}: %{y:.3f}<extra></extra>",
    )
    return figure.update_xaxes(tickformat="d")


def importance_figure(shares: Mapping[str, float]) -> go.Figure:
    """Share of the variance that each parameter explains, the largest on top."""
    names = list(shares)[::-1]
    figure = go.Figure(layout=chart_layout("Share of the AUROC's variance", ""))
    figure.add_bar(
        x=[shares[name] for name in names],
        y=names,
        orientation="h",
        marker={"color": NORMAL_COLOUR},
        hovertemplate="%{y}: %{x:.1%}<extra></extra>",
    )
    figure.update_xaxes(range=[0, 1.02 * max(shares.values())], tickformat=".0%")
    return figure.update_layout(margin_l=24 + 7 * max(map(len, names)))


def value_figure(trials: Sequence[Trial], parameter: str, log: bool = False) -> go.Figure:
    """Mean validation AUROC of every trial by the value of one parameter, on a logarithmic axis if wanted."""
    done = [trial for trial in trials if not trial.error]
    values = [trial.setting[parameter] for trial in done]
    numeric = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
    figure = go.Figure(layout=chart_layout(parameter, "Validation AUROC"))
    figure.add_scatter(
        x=values if numeric else [shown(value) for value in values],
        y=[trial.auroc for trial in done],
        customdata=[trial.number for trial in done],
        mode="markers",
        marker={"size": 9, "color": NORMAL_COLOUR, "opacity": 0.75},
        hovertemplate="trial %{customdata}: %{y:.3f}<extra></extra>",
    )
    return figure.update_xaxes(type=("log" if log else "linear") if numeric else "category")
