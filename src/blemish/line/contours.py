"""Contours: the polygon around a region of a map, in pixels of the photograph."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import numpy.typing as npt

from blemish.core.types import BoolArray, ByteArray, Point

MOST_POINTS = 32
"""Corners of a contour: a log of a million inspections holds them too."""

_Polygon = npt.NDArray[np.float64]
"""N x 2: x, y."""

Box = tuple[int, int, int, int]
"""Left, top, right and bottom in pixels of the photograph; the last two behind the last pixel."""


def enclosing_polygon(
    mask: BoolArray, origin: tuple[int, int], scale: tuple[float, float], box: Box
) -> tuple[Point, ...]:
    """One polygon around all True pixels of a mask, with at most `MOST_POINTS` corners, within a box.

    The mask is widened by a pixel before its outline is simplified by half of one, so that the middle of every pixel
    stays inside; by two, four and so on until the outline is in one piece and simple enough.

    Args:
        mask: bool H x W, some of it True.
        origin: column and row of its first pixel on the map.
        scale: pixels of the photograph for each pixel of the map, across and down.
        box: what the polygon is cut to.
    """
    for corners in _outlines(mask):
        # The middle of the map's pixel (0, 0) lies at half a pixel.
        placed = (corners + origin + 0.5) * scale
        polygon = _cut(placed, box)
        if len(polygon) <= MOST_POINTS:
            break
    return tuple((x, y) for x, y in np.round(polygon, 2).tolist())


def _outlines(mask: BoolArray) -> Iterator[_Polygon]:
    """Simpler and simpler outlines of a mask, in its pixels; the last is a rectangle."""
    pixels: ByteArray = np.ascontiguousarray(mask).view(np.uint8)
    step = 1
    while True:
        whole = step >= max(mask.shape)
        edge = 2 * step + 1
        wide = cv2.dilate(np.pad(pixels, step + 1), np.ones((edge, edge), np.uint8))
        found, _ = cv2.findContours(wide, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        if len(found) == 1:
            corners = cv2.approxPolyDP(found[0], 0.5 * step, closed=True)
            yield corners[:, 0].astype(np.float64) - (step + 1)
        if whole:
            return
        step *= 2


def _cut(polygon: _Polygon, box: Box) -> _Polygon:
    """What of a polygon lies in a box.

    References:
        Sutherland, Hodgman, "Reentrant polygon clipping", Communications of the ACM 17, 1974.
    """
    for axis, bound, sign in ((0, box[0], 1), (1, box[1], 1), (0, box[2], -1), (1, box[3], -1)):
        depth = sign * (polygon[:, axis] - bound)
        came, came_from = np.roll(depth, 1), np.roll(polygon, 1, axis=0)
        crosses = (came < 0) != (depth < 0)
        share = np.divide(came, came - depth, out=np.zeros_like(came), where=crosses)
        # Before each corner comes where the edge that leads to it crosses the bound.
        corners = np.stack([came_from + share[:, None] * (polygon - came_from), polygon], axis=1)
        polygon = corners[np.stack([crosses, depth >= 0], axis=1)]
    return polygon
