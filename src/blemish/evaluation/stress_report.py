"""The stress report: how an inspector's figures go with the strength of each disturbance, and what parts look like."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

from blemish.core.charts import (
    ANOMALOUS_COLOUR,
    NORMAL_COLOUR,
    THRESHOLD_COLOUR,
    chart_layout,
    chart_line,
)
from blemish.core.errors import ImageError
from blemish.core.images import read_image
from blemish.core.pictures import fitted, picture
from blemish.core.report_page import chart, render_page
from blemish.core.storage import write_text
from blemish.evaluation.disturbances import Disturbance
from blemish.evaluation.figures import Exhibit
from blemish.evaluation.report import percent, shown_figure
from blemish.evaluation.stress_result import TIMES, Point, Stress, StressCurve, headline

if TYPE_CHECKING:
    from blemish.core.types import ByteArray

_PICTURE_SIDE = 224


def write_stress_report(
    stress: Stress,
    examples: Sequence[Path],
    out: Path,
    title: str,
    facts: Mapping[str, str],
    bit_depth: int = 16,
) -> None:
    """Write one self-contained HTML report on an inspector under disturbances.

    Args:
        stress: what was measured.
        examples: photographs, of which the first that can be read is shown at every strength.
        out: the HTML file; replaced as a whole when the report is ready.
        title: heading and window title.
        facts: what a reader must know to trust the figures.
        bit_depth: bits that 16-bit photographs really use.

    Raises:
        BlemishError: the file cannot be written.
    """
    example = _first_readable(examples, bit_depth)
    context = {
        "title": title,
        "facts": facts,
        "headline": headline(stress),
        "stress": stress,
        "promise": stress.promise,
        "times": TIMES,
        "rows": [_row(stress, curve) for curve in stress.curves],
        "sections": [_section(stress, curve, example) for curve in stress.curves],
    }
    filters: dict[str, Callable[..., str]] = {"percent": percent, "figure": shown_figure}
    write_text(out, render_page("blemish.evaluation", "stress.html.j2", get_plotlyjs(), context, filters))


def rates_figure(stress: Stress, curve: StressCurve) -> go.Figure:
    """Good parts rejected and defective ones passed by strength, with intervals, and twice the promise as a line."""
    figure = _strength_figure(curve.disturbance, "Share of parts")
    start = curve.undisturbed
    if start.false_rejects.n:
        _add_band(figure, curve, lambda point: point.false_rejects.interval, NORMAL_COLOUR)
        _add_curve(
            figure, curve, "good rejected", lambda point: point.false_rejects.value, NORMAL_COLOUR, ".1%"
        )
        figure.add_hline(
            y=stress.promise.limit,
            line=chart_line(THRESHOLD_COLOUR, 2, "dash"),
            annotation={"text": "twice the promise", "xanchor": "right", "yanchor": "bottom"},
        )
    if start.escapes.n:
        _add_band(figure, curve, lambda point: point.escapes.interval, ANOMALOUS_COLOUR)
        _add_curve(
            figure, curve, "defective passed", lambda point: point.escapes.value, ANOMALOUS_COLOUR, ".1%"
        )
    return figure.update_yaxes(range=[-0.02, 1.02], tickformat=".0%").update_layout(showlegend=True)


def auroc_figure(curve: StressCurve) -> go.Figure:
    """Image AUROC by strength, with its interval."""
    figure = _strength_figure(curve.disturbance, "Image AUROC")
    _add_band(figure, curve, lambda point: point.auroc_interval, THRESHOLD_COLOUR)
    _add_curve(figure, curve, "AUROC", lambda point: point.auroc, THRESHOLD_COLOUR, ".3f")
    lowest = min(point.auroc_interval[0] for point in curve.points)
    return figure.update_yaxes(range=[min(0.5, lowest) - 0.01, 1.01])


def _strength_figure(disturbance: Disturbance, vertical: str) -> go.Figure:
    figure = go.Figure(layout=chart_layout(disturbance.axis[0].upper() + disturbance.axis[1:], vertical))
    neutral = disturbance.shown(disturbance.neutral)
    figure.add_vline(x=neutral, line=chart_line("#8888", 1, "dot"))
    if disturbance.neutral > max(disturbance.ends):  # the stronger, the further right
        figure.update_xaxes(autorange="reversed")
    return figure


def _add_curve(
    figure: go.Figure,
    curve: StressCurve,
    name: str,
    value: Callable[[Point], float],
    colour: str,
    form: str,
) -> None:
    words = [curve.disturbance.in_words(point.strength) for point in curve.points]
    figure.add_scatter(
        x=_strengths(curve),
        y=[value(point) for point in curve.points],
        text=words,
        mode="lines+markers",
        name=name,
        line=chart_line(colour),
        marker={"size": 7, "symbol": "square" if colour == ANOMALOUS_COLOUR else "circle"},
        hovertemplate=f"%{{text}}: {name} %{{y:{form}}}<extra></extra>",
    )


def _add_band(
    figure: go.Figure, curve: StressCurve, interval: Callable[[Point], tuple[float, float]], colour: str
) -> None:
    """The 95 % interval as an area behind the curve."""
    places = _strengths(curve)
    low, high = zip(*(interval(point) for point in curve.points), strict=True)
    figure.add_scatter(
        x=[*places, *places[::-1]],
        y=[*high, *low[::-1]],
        fill="toself",
        fillcolor=f"{colour}2b",
        line={"width": 0},
        mode="lines",
        hoverinfo="skip",
        showlegend=False,
    )


def _strengths(curve: StressCurve) -> list[float]:
    return [curve.disturbance.shown(point.strength) for point in curve.points]


def _row(stress: Stress, curve: StressCurve) -> dict[str, Any]:
    """The disturbance in the overview: up to where it holds, and the worst of each figure with its strength."""
    named = curve.disturbance

    def worst(value: Callable[[Point], float], shown: Callable[[float], str], sign: int) -> str:
        known = [point for point in curve.points if not math.isnan(value(point))]
        if not known:
            return "–"
        point = max(known, key=lambda one: sign * value(one))
        same = value(point) == value(curve.undisturbed)
        return shown(value(point)) + ("" if same else f" ({named.in_words(point.strength)})")

    return {
        "anchor": named.name,
        "title": named.title,
        "range": curve.range_in_words(stress.promise) if curve.undisturbed.false_rejects.n else "–",
        "broken": bool(curve.first_over(stress.promise)) or curve.undisturbed.is_over(stress.promise),
        "false_rejects": worst(lambda point: point.false_rejects.value, percent, 1),
        "escapes": worst(lambda point: point.escapes.value, percent, 1),
        "auroc": worst(lambda point: point.auroc, shown_figure, -1),
    }


def _section(stress: Stress, curve: StressCurve, example: tuple[str, ByteArray] | None) -> dict[str, Any]:
    """Everything the page shows of one disturbance."""
    limit = percent(stress.promise.limit)
    charts = [
        chart(
            "At the inspector's decision",
            f"Shares with their 95 % intervals; the dashed line is twice the promise, {limit}.",
            rates_figure(stress, curve),
        )
    ]
    if not math.isnan(curve.undisturbed.auroc):
        note = f"{curve.undisturbed.auroc:.3f} on the photographs as they are, with 95 % intervals."
        charts.append(chart("How well good and defective are told apart", note, auroc_figure(curve)))
    return {
        "anchor": curve.disturbance.name,
        "title": curve.disturbance.title,
        "sentence": curve.in_words(stress.promise),
        "charts": charts,
        "curve": curve,
        "exhibit": None if example is None else _exhibit(curve, *example),
    }


def _exhibit(curve: StressCurve, name: str, image: ByteArray) -> Exhibit:
    """One part at every strength, disturbed at its own size and then shrunk."""
    named = curve.disturbance
    pictures = tuple(
        picture(
            named.in_words(point.strength) if point.strength != named.neutral else "as it is",
            fitted(named(image, point.strength), _PICTURE_SIDE),
            name,
        )
        for point in curve.points
    )
    return Exhibit(name, named.title, math.nan, pictures)


def _first_readable(paths: Sequence[Path], bit_depth: int) -> tuple[str, ByteArray] | None:
    for path in paths:
        try:
            return path.name, read_image(path, bit_depth=bit_depth)
        except ImageError:
            continue
    return None
