"""The chart of what corrections do: escapes and false rejects, part by part."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Protocol

from blemish.core.storage import write_text

_WIDTH, _HEIGHT, _LEFT, _TOP, _GAP = 230, 150, 46, 44, 30
_COLOURS = {False: "#0b6e99", True: "#c2571a"}


class Measured(Protocol):
    """A line of the table: see `bench/corrections.py`."""

    part: str
    asked: int
    noisy: bool
    before: tuple[float, float, float]
    after: tuple[float, float, float]


def write_chart(rows: Sequence[Measured], path: Path) -> None:
    """A panel for each part and figure: over the number of corrections, and with a tenth of them wrong."""
    parts = list(dict.fromkeys(row.part for row in rows))
    figures = (("escapes", 1), ("false rejects", 0))
    width = _LEFT + len(parts) * (_WIDTH + _GAP) + 20
    height = _TOP + len(figures) * (_HEIGHT + 54) + 30
    drawn = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" '
        'font-size="11" role="img" aria-label="Escapes and false rejects over corrections">',
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
    ]
    for column, part in enumerate(parts):
        mine = [row for row in rows if row.part == part]
        for line, (name, place) in enumerate(figures):
            left, top = _LEFT + column * (_WIDTH + _GAP), _TOP + line * (_HEIGHT + 54)
            drawn += _panel(mine, f"{part}: {name}", place, left, top)
    drawn.append(_legend(_LEFT, height - 12))
    write_text(path, "\n".join([*drawn, "</svg>"]) + "\n")


def _panel(rows: Sequence[Measured], title: str, place: int, left: int, top: int) -> list[str]:
    """One panel: a line with corrections that are right, and one with a tenth of them wrong."""
    counts = sorted({0, *(row.asked for row in rows)})
    most = max(0.05, *(max(row.before[place], row.after[place]) for row in rows)) * 1.15
    across = {count: left + index * _WIDTH / (len(counts) - 1) for index, count in enumerate(counts)}

    def down(value: float) -> float:
        return top + _HEIGHT * (1 - value / most)

    drawn = [f'<text x="{left}" y="{top - 10}" font-weight="bold">{escape(title)}</text>']
    for step in range(4):
        value = most * step / 3
        drawn.append(
            f'<line x1="{left}" x2="{left + _WIDTH}" y1="{down(value):.1f}" y2="{down(value):.1f}" stroke="#ddd"/>'
            f'<text x="{left - 5}" y="{down(value) + 4:.1f}" text-anchor="end">{value:.0%}</text>'
        )
    for count in counts:
        drawn.append(
            f'<text x="{across[count]:.1f}" y="{top + _HEIGHT + 16}" text-anchor="middle">{count}</text>'
        )
    for noisy, colour in _COLOURS.items():
        mine = {row.asked: row.after[place] for row in rows if row.noisy == noisy}
        mine[0] = rows[0].before[place]
        points = [(across[count], down(mine[count])) for count in counts if count in mine]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        dashed = ' stroke-dasharray="5 3"' if noisy else ""
        drawn.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"{dashed}/>')
        drawn += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in points]
    return drawn


def _legend(left: int, top: int) -> str:
    return (
        f'<text x="{left}" y="{top}">corrections</text>'
        f'<circle cx="{left + 90}" cy="{top - 4}" r="4" fill="{_COLOURS[False]}"/>'
        f'<text x="{left + 100}" y="{top}">all right</text>'
        f'<circle cx="{left + 170}" cy="{top - 4}" r="4" fill="{_COLOURS[True]}"/>'
        f'<text x="{left + 180}" y="{top}">a tenth of them wrong</text>'
    )
