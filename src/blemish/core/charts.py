"""The look of charts: plain and transparent, so that the page can colour them for light, dark and paper."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

# Blue and orange stay apart for every kind of colour blindness, on light ground and on dark.
NORMAL_COLOUR, ANOMALOUS_COLOUR, THRESHOLD_COLOUR = "#3b82c4", "#e8792b", "#8a63d2"


def chart_layout(horizontal: str, vertical: str) -> dict[str, Any]:
    """Plotly layout of a chart whose axes have these titles."""
    return {
        "template": "none",
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "margin": {"l": 58, "r": 14, "t": 26, "b": 48},
        "font": {"family": "system-ui, sans-serif", "size": 12},
        "xaxis": {"title": {"text": horizontal}, "fixedrange": True, "zeroline": False},
        "yaxis": {"title": {"text": vertical}, "fixedrange": True, "zeroline": False},
        "legend": {"orientation": "h", "x": 0, "y": 1.22},
        "showlegend": False,
        "dragmode": False,
    }


def chart_line(
    colour: str, width: float = 2.5, dash: str = "solid", shape: str | None = None
) -> dict[str, Any]:
    """Plotly style of a line."""
    line: dict[str, Any] = {"color": colour, "width": width, "dash": dash}
    return line | {"shape": shape} if shape else line


def hatched_bars(shape: str, colour: str = "#ffffff") -> dict[str, Any]:
    """Plotly pattern of bars, which tells them apart without colours; `shape` as `/`, or empty for none."""
    return {
        "shape": shape,
        "fillmode": "overlay",
        "fgcolor": colour,
        "fgopacity": 0.55,
        "size": 6,
        "solidity": 0.28,
    }


def logarithmic_axis(low: float, high: float) -> dict[str, Any]:
    """Plotly settings of a logarithmic axis from `low` to `high`, both positive, with plain ticks, as 1, 2, 5, 10."""
    from_power, to_power = math.log10(low), math.log10(high)
    powers = range(math.floor(from_power), math.ceil(to_power) + 1)
    span = to_power - from_power
    steps = (1.0, 1.5, 2.0, 3.0, 5.0, 7.0) if span < 1 else (1.0, 2.0, 5.0) if span < 3 else (1.0,)
    values = [step * 10.0**power for power in powers for step in steps]
    ticks: Sequence[float] = [value for value in values if from_power <= math.log10(value) <= to_power]
    return {
        "type": "log",
        "range": [from_power, to_power],
        "tickvals": ticks,
        "ticktext": [f"{value:g}" for value in ticks],
    }


def count_step(highest: int) -> int | None:
    """Plotly's distance between the ticks of an axis of counts: 1 where few are counted, else as Plotly likes it."""
    return 1 if highest <= 5 else None


def thinned(
    x: npt.NDArray[np.float64], y: npt.NDArray[np.float64], most: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """At most so many points of a curve, evenly chosen, its ends among them."""
    if x.size <= most:
        return x, y
    kept = np.linspace(0, x.size - 1, most).round().astype(int)
    return x[kept], y[kept]
