"""The look of charts: plain and transparent, so that the page can colour them for light, dark and paper."""

from __future__ import annotations

from typing import Any

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
