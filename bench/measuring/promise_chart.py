"""What was promised against what happened, as an SVG on two logarithmic axes that reads on light ground and on dark."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from blemish.core.charts import ANOMALOUS_COLOUR, NORMAL_COLOUR, THRESHOLD_COLOUR

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 720, 460, 64, 16, 40, 48
GREY, COLOURS = "#888888", (NORMAL_COLOUR, ANOMALOUS_COLOUR, THRESHOLD_COLOUR, "#2f9e6e", "#c2506a")
LOW_X, HIGH_X, LOW, HIGH = 0.007, 0.13, 0.002, 0.3
TICKS_X, TICKS = (0.01, 0.02, 0.05, 0.1), (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2)
APART = 3.0
"""Points between marks of different sets at one rate."""


@dataclass(frozen=True)
class Mark:
    """One cell; shares in [0, 1]."""

    name: str
    promised: float
    rejected: float
    interval: tuple[float, float]
    darker: float


def _x(share: float) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * math.log(share / LOW_X) / math.log(HIGH_X / LOW_X)


def _y(share: float) -> float:
    inside = min(max(share, LOW), HIGH)
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * math.log(inside / LOW) / math.log(HIGH / LOW)


def _line(x1: float, y1: float, x2: float, y2: float, colour: str, more: str = "") -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" {more}/>'


def _text(x: float, y: float, text: str, anchor: str = "middle", colour: str = GREY, more: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}" {more}>{text}</text>'


def _axes() -> list[str]:
    faint = 'stroke-opacity="0.25"'
    drawn = []
    for share in TICKS_X:
        drawn += [
            _line(_x(share), TOP, _x(share), HEIGHT - BOTTOM, GREY, faint),
            _text(_x(share), HEIGHT - BOTTOM + 16, f"{share:.0%}"),
        ]
    for share in TICKS:
        drawn += [
            _line(LEFT, _y(share), WIDTH - RIGHT, _y(share), GREY, faint),
            _text(LEFT - 6, _y(share) + 4, f"{100 * share:g} %", "end"),
        ]
    middle = (TOP + HEIGHT - BOTTOM) / 2
    return [
        *drawn,
        _line(_x(LOW_X), _y(LOW_X), _x(HIGH_X), _y(HIGH_X), GREY, 'stroke-dasharray="5 4"'),
        _text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 10, "good parts rejected, promised"),
        _text(16, middle, "good parts rejected, measured", more=f'transform="rotate(-90 16 {middle})"'),
    ]


def chart(marks: Sequence[Mark]) -> str:
    """Dots with their intervals, in the colour of their set; rings are the same parts in darker light."""
    names = list(dict.fromkeys(mark.name for mark in marks))
    drawn = _axes()
    for mark in marks:
        place = names.index(mark.name)
        colour, x = COLOURS[place % len(COLOURS)], _x(mark.promised) + APART * (place - (len(names) - 1) / 2)
        low, high = mark.interval
        dot, ring = (
            f'<circle cx="{x:.1f}" cy="{_y(share):.1f}" r="3.5"' for share in (mark.rejected, mark.darker)
        )
        drawn += [
            _line(x, _y(low), x, _y(high), colour, 'stroke-opacity="0.6"'),
            f'{dot} fill="{colour}"/>',
            f'{ring} fill="none" stroke="{colour}"/>',
        ]
    for place, name in enumerate(names):
        x = LEFT + place * (WIDTH - LEFT - RIGHT) / len(names)
        drawn += [
            f'<circle cx="{x:.1f}" cy="20" r="4" fill="{COLOURS[place % len(COLOURS)]}"/>',
            _text(x + 9, 24, name, "start"),
        ]
    inner = "\n".join(drawn)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="system-ui, sans-serif" '
        f'font-size="12">\n{inner}\n</svg>\n'
    )
