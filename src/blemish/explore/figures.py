"""Charts of an exploration (Plotly), for the report and for notebooks: each takes plain tables and arrays."""

from __future__ import annotations

import colorsys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import plotly.graph_objects as go

from blemish.core.charts import (
    ANOMALOUS_COLOUR,
    NORMAL_COLOUR,
    THRESHOLD_COLOUR,
    chart_layout,
    chart_line,
    hatched_bars,
)
from blemish.core.histogram_axis import histogram_axis
from blemish.core.types import FloatArray
from blemish.data.entries import ANOMALOUS, GOOD, NORMAL, TEST, TRAIN, VALIDATION
from blemish.explore.defects import WHOLE_CELL, DefectMap, InputSize
from blemish.explore.measures import HISTOGRAM_BINS
from blemish.explore.survey import ClassHistogram

_CHANNELS = (("red", "#d64545"), ("green", "#2f9e58"), ("blue", "#3b6fd4"))
_GREY = "#7b8794"
_BINS = 40
_MOST_HEATMAPS = 12
_PATTERNS = ("", "/", "x", "-", "\\", "|", "+", ".")
_UNITS = {
    "brightness": "Mean grey value, 0 to 255",
    "contrast": "Spread of grey values, 0 to 255",
    "focus": "Variance of the Laplacian",
    "noise": "Noise, grey values",
    "aspect_ratio": "Width over height",
    "black_share": "Black pixels, share",
    "white_share": "White pixels, share",
}
"""Title and unit of the axis of a measure."""
_CLASS_COLOURS = {NORMAL: NORMAL_COLOUR, ANOMALOUS: ANOMALOUS_COLOUR}
_CLASS_NAMES = {NORMAL: "good", ANOMALOUS: "defective"}


def balance_figure(counts: Mapping[str, Mapping[str, Mapping[str, int]]]) -> go.Figure:
    """Stacked bars: photographs of each category by split and defect type (`Catalog.counts` by category)."""
    names = list(counts)
    figure = go.Figure(layout=chart_layout("Photographs", ""))
    types = sorted({kind for splits in counts.values() for kind in splits[TEST]} - {GOOD})
    stacks = [("good, train", TRAIN, GOOD, "#2b5f94"), ("good, test", TEST, GOOD, "#86b6e4")]
    if any(VALIDATION in splits for splits in counts.values()):
        stacks.insert(1, ("good, validation", VALIDATION, GOOD, "#5a8fc4"))
    stacks += [(kind, TEST, kind, colour) for kind, colour in zip(types, shades(len(types)), strict=True)]
    for place, (title, split, kind, colour) in enumerate(stacks):
        figure.add_bar(
            y=names,
            x=[counts[name].get(split, {}).get(kind, 0) for name in names],
            orientation="h",
            name=title,
            marker={"color": colour, "pattern": hatched_bars(_PATTERNS[place % len(_PATTERNS)])},
            hovertemplate="%{x} " + title + "<br>%{y}<extra></extra>",
        )
    figure.update_layout(
        barmode="stack",
        showlegend=True,
        legend={"traceorder": "normal"},
        bargap=max(0.3, 1 - 0.2 * len(names)),
        yaxis={"autorange": "reversed", "automargin": True},
        margin_t=60,
    )
    return figure


def pareto_figure(counts: Mapping[str, int]) -> go.Figure:
    """Defect types by frequency, with the cumulated share."""
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    names, values = [name for name, _ in ranked], [count for _, count in ranked]
    figure = go.Figure(layout=chart_layout("", "Photographs"))
    figure.add_bar(
        x=names, y=values, marker={"color": ANOMALOUS_COLOUR}, hovertemplate="%{y} %{x}<extra></extra>"
    )
    figure.add_scatter(
        x=names,
        y=np.cumsum(values) / max(sum(values), 1),
        yaxis="y2",
        mode="lines+markers",
        line=chart_line(THRESHOLD_COLOUR, 2),
        hovertemplate="%{y:.0%} with %{x}<extra></extra>",
    )
    figure.update_layout(
        yaxis2={
            "title": {"text": "Cumulated share"},
            "overlaying": "y",
            "side": "right",
            "range": [0, 1.05],
            "tickvals": [0, 0.25, 0.5, 0.75, 1],
            "tickformat": ".0%",
            "showgrid": False,
        },
        xaxis={"tickvals": names, "ticktext": [_wrapped(name) for name in names], "automargin": True},
        margin_r=52,
    )
    return figure


def class_histogram_figure(histograms: Mapping[str, ClassHistogram]) -> go.Figure:
    """Mean colour histogram of each class, with a band of one standard deviation over its photographs."""
    figure = _histogram_layout()
    choices = []
    for label, histogram in histograms.items():
        choices.append((_CLASS_NAMES.get(label, label), _band_traces(histogram.mean(), histogram.spread())))
    return with_choice(figure, choices)


def image_histogram_figure(images: Mapping[str, FloatArray]) -> go.Figure:
    """Colour histogram of one photograph, to be chosen by name (each 3 x 64, as `histograms` returns)."""
    choices = [(name, _band_traces(np.asarray(values, np.float64), None)) for name, values in images.items()]
    return with_choice(_histogram_layout(), choices)


def distribution_figure(table: pd.DataFrame, measure: str) -> go.Figure:
    """Distribution of one measure among good and among defective photographs, as shares of each."""
    values = table[measure].to_numpy(float)
    finite = values[np.isfinite(values)]
    axis = histogram_axis(finite if finite.size else np.array([0.0, 1.0]), (), _BINS)
    edges = axis.edges
    figure = go.Figure(layout=chart_layout("", "Share of the class"))
    for label in (NORMAL, ANOMALOUS):
        chosen = values[(table["label"] == label).to_numpy() & np.isfinite(values)]
        if not chosen.size:
            continue
        counts = axis.counts(chosen)
        name = _CLASS_NAMES[label]
        figure.add_bar(
            x=((edges[1:] + edges[:-1]) / 2).tolist(),
            y=(counts / chosen.size).tolist(),
            width=np.diff(edges).tolist(),
            name=name,
            marker={
                "color": _CLASS_COLOURS[label],
                "opacity": 0.65,
                "pattern": hatched_bars("" if label == NORMAL else "/"),
            },
            hovertemplate="%{y:.1%} of " + name + " at about %{x:.4g}<extra></extra>",
        )
    figure.update_layout(barmode="overlay", bargap=0, showlegend=True, yaxis_tickformat=".0%", margin_t=40)
    figure.update_xaxes(**axis.layout(_UNITS.get(measure, measure.replace("_", " ").capitalize())))
    return figure


def defect_heatmap_figure(defects: DefectMap) -> go.Figure:
    """Where defects are: share of masks that mark each place, for all types or one."""
    figure = go.Figure(layout=chart_layout("", ""))
    frequent = sorted(defects.grids, key=lambda name: (-defects.counts[name], name))[:_MOST_HEATMAPS]
    names = [None, *sorted(frequent)] if len(defects.grids) > 1 else [None]
    choices = []
    for name in names:
        trace = go.Heatmap(
            z=np.round(defects.heatmap(name), 3).tolist(),
            colorscale="Turbo",
            zmin=0,
            colorbar={"tickformat": ".0%", "thickness": 12, "outlinewidth": 0},
            hovertemplate="%{z:.1%} of the masks<extra></extra>",
        )
        choices.append(("all types" if name is None else name, [trace]))
    figure = with_choice(figure, choices)
    hidden = {"visible": False, "constrain": "domain", "fixedrange": True}
    figure.update_layout(
        xaxis=hidden, yaxis={**hidden, "autorange": "reversed", "scaleanchor": "x"}, margin={"l": 10, "b": 14}
    )
    return figure


def region_figure(regions: pd.DataFrame, column: str) -> go.Figure:
    """Histogram of one property of the defect regions by type; areas on a logarithmic axis."""
    titles = {
        "area": "Area of a region, % of the photograph",
        "elongation": "Long side over short side",
        "solidity": "Area over convex hull: 1 is compact",
        "count": "Regions in one photograph",
    }
    if column == "count":
        groups = regions.groupby(["defect_type", "path"]).size().rename("count").reset_index()
    else:
        groups = regions
    values = groups[column].to_numpy(float) * (100 if column == "area" else 1)
    logarithmic = column in ("area", "elongation")
    scaled = np.log10(np.maximum(values, 1e-9)) if logarithmic else values
    edges = _edges(scaled, whole=column == "count")
    figure = go.Figure(layout=chart_layout(titles[column], "Photographs" if column == "count" else "Regions"))
    types = sorted(groups["defect_type"].unique())
    kinds = groups["defect_type"].to_numpy()
    for place, (kind, colour) in enumerate(zip(types, shades(len(types)), strict=True)):
        counts, _ = np.histogram(scaled[kinds == kind], bins=edges)
        figure.add_bar(
            x=((edges[1:] + edges[:-1]) / 2).tolist(),
            y=counts.tolist(),
            width=np.diff(edges).tolist(),
            name=kind,
            marker={"color": colour, "pattern": hatched_bars(_PATTERNS[place % len(_PATTERNS)])},
            hovertemplate="%{y} " + kind + "<extra></extra>",
        )
    figure.update_layout(barmode="stack", bargap=0.04, showlegend=len(types) > 1, margin_t=46)
    if logarithmic:
        ticks = _nice_ticks(edges)
        figure.update_xaxes(tickvals=np.log10(ticks).tolist(), ticktext=[f"{tick:g}" for tick in ticks])
    return figure


def input_size_figure(size: InputSize) -> go.Figure:
    """Pixels of the smallest defects at each input size, against one cell of the finest feature map."""
    figure = go.Figure(layout=chart_layout("Side of the input", "Area, pixels (log)"))
    names = [f"{side} px" for side in size.small]
    series = ((size.small, "95 % are at least", NORMAL_COLOUR), (size.smallest, "smallest of all", _GREY))
    for values, name, colour in series:
        figure.add_bar(
            x=names,
            y=list(values.values()),
            name=name,
            marker={"color": colour},
            hovertemplate="%{y:.0f} pixels at %{x}<extra></extra>",
        )
    figure.add_scatter(
        x=names,
        y=[WHOLE_CELL**2] * len(names),
        mode="lines",
        name=f"room for a whole cell: {WHOLE_CELL} x {WHOLE_CELL}",
        line=chart_line(THRESHOLD_COLOUR, 2, "dash"),
        hoverinfo="skip",
    )
    areas = [*size.small.values(), *size.smallest.values(), 2.0 * WHOLE_CELL**2]
    ticks = _nice_ticks(np.log10([max(min(areas), 1e-3), max(areas)]))
    figure.update_layout(barmode="group", showlegend=True, margin_t=40)
    figure.update_yaxes(type="log", tickvals=ticks, ticktext=[f"{tick:g}" for tick in ticks])
    return figure


def shades(count: int) -> list[str]:
    """Colours for defect types that stay apart from each other and from the blue of good parts."""
    hues = [0.07, 0.95, 0.13, 0.80, 0.36, 0.02, 0.88, 0.46, 0.20, 0.74]
    colours = []
    for index in range(count):
        hue = hues[index % len(hues)]
        lightness = 0.52 if index < len(hues) else 0.68
        red, green, blue = (round(255 * value) for value in colorsys.hls_to_rgb(hue, lightness, 0.68))
        colours.append(f"#{red:02x}{green:02x}{blue:02x}")
    return colours


def _histogram_layout() -> go.Figure:
    figure = go.Figure(layout=chart_layout("Value of a pixel, 0 to 255", "Share of pixels"))
    figure.update_layout(yaxis_tickformat=".0%", yaxis_rangemode="tozero")
    return figure


def _band_traces(mean: npt.NDArray[np.float64], spread: npt.NDArray[np.float64] | None) -> list[Any]:
    """A line for each channel (one where they are the same), with a band of one spread."""
    grey = bool(np.allclose(mean[0], mean[1], atol=1e-6) and np.allclose(mean[0], mean[2], atol=1e-6))
    channels = [("grey", _GREY)] if grey else list(_CHANNELS)
    x = ((np.arange(HISTOGRAM_BINS) + 0.5) * 256 / HISTOGRAM_BINS).round(1).tolist()
    traces: list[Any] = []
    for index, (name, colour) in enumerate(channels):
        if spread is not None:
            upper, lower = mean[index] + spread[index], np.maximum(mean[index] - spread[index], 0)
            traces.append(
                go.Scatter(
                    x=x + x[::-1],
                    y=np.round(np.append(upper, lower[::-1]), 5).tolist(),
                    fill="toself",
                    fillcolor=colour + "2e",
                    line={"width": 0},
                    mode="lines",
                    hoverinfo="skip",
                )
            )
        traces.append(
            go.Scatter(
                x=x,
                y=np.round(mean[index], 5).tolist(),
                mode="lines",
                line=chart_line(colour, 2),
                hovertemplate="%{y:.2%} " + name + " at about %{x}<extra></extra>",
            )
        )
    return traces


def with_choice(figure: go.Figure, choices: Sequence[tuple[str, list[Any]]]) -> go.Figure:
    """Add groups of traces of which one is seen at a time, with a menu to choose where there are several."""
    total = sum(len(traces) for _, traces in choices)
    buttons, start = [], 0
    for number, (name, traces) in enumerate(choices):
        visible = [start <= index < start + len(traces) for index in range(total)]
        buttons.append({"label": name, "method": "restyle", "args": [{"visible": visible}]})
        start += len(traces)
        for trace in traces:
            trace.visible = number == 0
            figure.add_trace(trace)
    if len(choices) > 1:
        figure.update_layout(
            updatemenus=[
                {
                    "buttons": buttons,
                    "x": 1,
                    "xanchor": "right",
                    "y": 1.02,
                    "yanchor": "bottom",
                    "pad": {"t": 0, "r": 0},
                    "bgcolor": "#dfe6ee",
                    "font": {"color": "#1a1f27", "size": 12},
                    "borderwidth": 0,
                }
            ],
            margin_t=46,
        )
    return figure


def _wrapped(name: str) -> str:
    """A name of several words on as many lines, so that it stands upright under its bar."""
    return name.replace("_", "<br>").replace(" ", "<br>")


def _edges(values: npt.NDArray[np.float64], whole: bool) -> npt.NDArray[np.float64]:
    if whole:
        highest = int(values.max(initial=1))
        return np.arange(0.5, min(highest, 60) + 1.5)
    return np.asarray(np.histogram_bin_edges(values, bins=24), np.float64)


def _nice_ticks(edges: npt.NDArray[np.float64]) -> list[float]:
    """Round numbers between the powers of ten that `edges` are exponents of."""
    low, high = 10 ** edges[0], 10 ** edges[-1]
    ticks = [float(f"{step}e{power}") for power in range(-9, 4) for step in (1, 2, 5)]
    found = [tick for tick in ticks if low * 0.999 <= tick <= high * 1.001]
    return found[:: max(1, len(found) // 7)] or [float(f"{low:.2g}")]
