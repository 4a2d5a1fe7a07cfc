"""AUROC against milliseconds a photograph, an SVG that reads on light ground and on dark; the front is a line."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from blemish.core.chart_labels import label_places
from blemish.core.charts import ANOMALOUS_COLOUR, NORMAL_COLOUR

_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 760, 560, 58, 20, 20, 46
_GREY = "#888888"
_ANCHOR = {"left": "end", "center": "middle", "right": "start"}
_TICKS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
_AUROC_TICKS = (0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999)
_AUROC_SAYS = "image AUROC (what it lacks of 1, logarithmic)"
_NEAREST = 1e-4
"""To 1, which has no place on a logarithmic axis."""


@dataclass(frozen=True)
class Measured:
    """A detector: milliseconds a photograph, and its mean image AUROC."""

    name: str
    milliseconds: float
    auroc: float


def front(points: Sequence[Measured]) -> list[Measured]:
    """Those that no other beats in both, the quickest first; of equals all."""
    return sorted(
        (one for one in points if not any(_beats(other, one) for other in points)),
        key=lambda one: (one.milliseconds, -one.auroc),
    )


def _beats(other: Measured, one: Measured) -> bool:
    as_good = other.milliseconds <= one.milliseconds and other.auroc >= one.auroc
    return as_good and (other.milliseconds, other.auroc) != (one.milliseconds, one.auroc)


def chart(points: Sequence[Measured]) -> str:
    """A dot for each detector, those of the front filled and joined.

    Time is logarithmic, and so is what an AUROC lacks of 1, or all good ones would stand on one another.
    """
    best = front(points)
    low, high = min(one.milliseconds for one in points) / 1.4, max(one.milliseconds for one in points) * 1.6
    missing = [_missing(one.auroc) for one in points]
    most, least = max(missing) * 1.3, min(missing) / 1.3

    def x(milliseconds: float) -> float:
        return _LEFT + (_WIDTH - _LEFT - _RIGHT) * math.log(milliseconds / low) / math.log(high / low)

    def up(auroc: float) -> float:
        return math.log(most / _missing(auroc)) / math.log(most / least)

    def y(auroc: float) -> float:
        return _HEIGHT - _BOTTOM - (_HEIGHT - _TOP - _BOTTOM) * up(auroc)

    drawn = []
    for tick in (one for one in _TICKS if low <= one <= high):
        drawn += [
            _line(x(tick), _TOP, x(tick), _HEIGHT - _BOTTOM),
            _text(x(tick), _HEIGHT - _BOTTOM + 16, f"{tick}"),
        ]
    for share in (one for one in _AUROC_TICKS if 0 <= up(one) <= 1):
        drawn += [
            _line(_LEFT, y(share), _WIDTH - _RIGHT, y(share)),
            _text(_LEFT - 6, y(share) + 4, f"{share:g}", "end"),
        ]
    path = " ".join(f"{x(one.milliseconds):.1f},{y(one.auroc):.1f}" for one in best)
    drawn.append(f'<polyline points="{path}" fill="none" stroke="{ANOMALOUS_COLOUR}" stroke-opacity="0.6"/>')
    inside = [((x(one.milliseconds) - _LEFT) / (_WIDTH - _LEFT - _RIGHT), up(one.auroc)) for one in points]
    places = label_places(
        inside, [one.name for one in points], _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM
    )
    for one, place in zip(points, places, strict=True):
        on_front = one in best
        colour, filled = (ANOMALOUS_COLOUR, ANOMALOUS_COLOUR) if on_front else (NORMAL_COLOUR, "none")
        left, above = x(one.milliseconds), y(one.auroc)
        title = f"<title>{one.name}: {one.auroc:.3f} at {one.milliseconds:.1f} ms</title>"
        drawn.append(
            f'<circle cx="{left:.1f}" cy="{above:.1f}" r="5" fill="{filled}" stroke="{colour}">{title}</circle>'
        )
        drawn.append(_name(one.name, left, above, place or "top center", colour))
    drawn += [
        _text((_LEFT + _WIDTH - _RIGHT) / 2, _HEIGHT - 8, "milliseconds a decoded photograph (logarithmic)"),
        _text(14, _HEIGHT / 2, _AUROC_SAYS, more=f'transform="rotate(-90 14 {_HEIGHT / 2:.0f})"'),
    ]
    inner = "\n".join(drawn)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="system-ui, sans-serif" '
        f'font-size="12" role="img" aria-label="Image AUROC against time">\n{inner}\n</svg>\n'
    )


def _missing(auroc: float) -> float:
    return max(1 - auroc, _NEAREST)


def _line(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{_GREY}" stroke-opacity="0.25"/>'


def _text(x: float, y: float, text: str, anchor: str = "middle", colour: str = _GREY, more: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}" {more}>{text}</text>'


def _name(name: str, x: float, y: float, place: str, colour: str) -> str:
    """A detector's name beside its dot; `place` as Plotly says it: "top center"."""
    vertical, horizontal = place.split()
    down = {"top": -9.0, "middle": 4.0, "bottom": 17.0}[vertical]
    across = {"left": -9.0, "center": 0.0, "right": 9.0}[horizontal]
    return _text(x + across, y + down, name, _ANCHOR[horizontal], colour)
