"""Where the names of points stand on a chart, so that none covers another or a point."""

from __future__ import annotations

from collections.abc import Sequence

_LETTER, _LINE, _MARK = 6.4, 14.0, 9.0
"""Pixels that a letter of 12 px takes on average, a line of text, and half a mark with a little air."""

_PLACES = {
    "top center": (0.0, -1.0), "bottom center": (0.0, 1.0), "middle right": (1.0, 0.0), "middle left": (-1.0, 0.0),
    "top right": (1.0, -1.0), "top left": (-1.0, -1.0), "bottom right": (1.0, 1.0), "bottom left": (-1.0, 1.0),
}  # fmt: skip

Box = tuple[float, float, float, float]


def label_places(
    points: Sequence[tuple[float, float]], names: Sequence[str], width: float, height: float
) -> list[str | None]:
    """For each of N points Plotly's `textposition` of its name, or None where there is no room.

    Args:
        points: from (0, 0) at the lower left to (1, 1) at the upper right of the chart.
        names: of the points.
        width, height: of the drawing, in pixels.
    """
    places = [(x * width, (1 - y) * height) for x, y in points]
    taken: list[Box] = [(x - _MARK, y - _MARK, x + _MARK, y + _MARK) for x, y in places]
    found: list[str | None] = []
    for own, ((x, y), name) in enumerate(zip(places, names, strict=True)):
        others = [box for number, box in enumerate(taken) if number != own]
        fitting = [
            (place, box)
            for place, side in _PLACES.items()
            if _inside(box := _box(x, y, name, side), width) and not any(_overlap(box, one) for one in others)
        ]
        found.append(fitting[0][0] if fitting else None)
        taken += [box for _, box in fitting[:1]]
    return found


def _box(x: float, y: float, name: str, side: tuple[float, float]) -> Box:
    """What a name on one side of a point covers: left, top, right, bottom, in pixels from the upper left."""
    half_width, half_height = _LETTER * len(name) / 2, _LINE / 2
    across, down = side
    x += across * (half_width + _MARK * (0.4 if down else 1))
    y += down * (half_height + _MARK * 0.7)
    return x - half_width, y - half_height, x + half_width, y + half_height


def _inside(box: Box, width: float) -> bool:
    return box[0] >= 0 and box[2] <= width


def _overlap(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
