"""The map of the images as a chart (Plotly): points to hover over, and a density of all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go

from blemish.core.charts import NORMAL_COLOUR, chart_layout
from blemish.core.types import FloatArray
from blemish.data.entries import GOOD
from blemish.explore.embedding import ImageMap
from blemish.explore.figures import shades, with_choice

_DENSITY_CELLS = 48
_SYMBOLS = ("diamond", "square", "triangle-up", "x", "triangle-down", "star", "cross")


def map_figure(
    maps: Sequence[ImageMap], labels: Sequence[str], shown: npt.NDArray[np.intp], names: Sequence[str]
) -> go.Figure:
    """Photographs on a map, coloured by class; those not shown as points are in the density below.

    Args:
        maps: places of N photographs by one or more methods.
        labels: defect type of each of the N, "good" for a good one.
        shown: which of the N are points; their order is the `customdata` of the points.
        names: a caption for each shown one.
    """
    figure = go.Figure(layout=chart_layout("", ""))
    classes = sorted({labels[index] for index in shown}, key=lambda name: (name != GOOD, name))
    colours = {GOOD: NORMAL_COLOUR}
    bad = [name for name in classes if name != GOOD]
    colours |= dict(zip(bad, shades(len(bad)), strict=True))
    symbols = {GOOD: "circle"} | {name: _SYMBOLS[place % len(_SYMBOLS)] for place, name in enumerate(bad)}
    choices = []
    for one in maps:
        traces: list[Any] = [_density(one.points)] if len(shown) < len(one.points) else []
        for name in classes:
            places = [place for place, index in enumerate(shown) if labels[index] == name]
            traces.append(_points(one, shown, places, name, names, colours[name], symbols[name]))
        choices.append((one.method, traces))
    figure = with_choice(figure, choices)
    axis = {"showticklabels": False, "zeroline": False, "fixedrange": False, "title": {"text": ""}}
    frames = [_frame(maps[0].points[:, side]) for side in (0, 1)]
    figure.update_layout(
        xaxis={**axis, "range": frames[0]},
        yaxis={**axis, "range": frames[1]},
        dragmode="zoom",
        hovermode="closest",
        showlegend=True,
        legend={"y": 1.02, "yanchor": "bottom"},
        margin={"l": 14, "b": 14, "t": 64},
    )
    if len(maps) > 1:
        figure.update_layout(
            xaxis={"range": None, "autorange": True}, yaxis={"range": None, "autorange": True}
        )
    return figure


def _points(
    one: ImageMap,
    shown: npt.NDArray[np.intp],
    places: Sequence[int],
    name: str,
    names: Sequence[str],
    colour: str,
    symbol: str,
) -> go.Scatter:
    points = one.points[shown[list(places)]]
    return go.Scatter(
        x=np.round(points[:, 0], 3).tolist(),
        y=np.round(points[:, 1], 3).tolist(),
        mode="markers",
        name=name,
        customdata=list(places),
        text=[names[place] for place in places],
        marker={
            "size": 7,
            "color": colour,
            "opacity": 0.8,
            "symbol": symbol,
            "line": {"width": 0.5, "color": "#fff"},
        },
        hovertemplate="%{text}<extra></extra>",
    )


def _frame(places: FloatArray) -> list[float]:
    """What a map shows at first: a few outliers must not squeeze all others into a corner."""
    low, high = (float(value) for value in np.quantile(places, [0.03, 0.97]))
    reach = max(high - low, 1e-6) * 0.5
    return [
        max(low - reach, float(places.min()) - reach / 8),
        min(high + reach, float(places.max()) + reach / 8),
    ]


def _density(points: FloatArray) -> go.Heatmap:
    """How many photographs lie where: a grid of fixed size, whatever their number."""
    counts, x, y = np.histogram2d(points[:, 0], points[:, 1], bins=_DENSITY_CELLS)
    return go.Heatmap(
        x=((x[1:] + x[:-1]) / 2).tolist(),
        y=((y[1:] + y[:-1]) / 2).tolist(),
        z=np.log1p(counts.T).round(2).tolist(),
        colorscale=[[0, "rgba(123,135,148,0)"], [1, "rgba(123,135,148,0.75)"]],
        showscale=False,
        hoverinfo="skip",
        name="all",
    )
