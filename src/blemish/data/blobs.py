"""Shapes that defects have: where they may lie, irregular blobs, and curved strokes of changing width."""

from __future__ import annotations

import cv2
import numpy as np

from blemish.core.types import BoolArray, FloatArray

_STROKE_SUPERSAMPLING = 4


def random_place(
    shape: tuple[int, int], foreground: BoolArray | None, reach: float, rng: np.random.Generator
) -> tuple[float, float]:
    """A random point (x, y) of the foreground whose surroundings, `reach` pixels wide, lie in it too.

    Where the foreground is too thin for that, a point of its inner half. Without foreground the whole image
    counts, its border excepted.
    """
    inside = (
        np.ones(shape, np.uint8)
        if foreground is None or not foreground.any()
        else foreground.astype(np.uint8)
    )
    depth = cv2.distanceTransform(np.pad(inside, 1), cv2.DIST_L2, 3)[1:-1, 1:-1]
    rows, columns = np.nonzero(depth >= min(reach, 0.5 * float(depth.max())))
    pick = int(rng.integers(rows.size))
    return float(columns[pick]), float(rows[pick])


def blob_distance(
    shape: tuple[int, int],
    centre: tuple[float, float],
    radius: float,
    rng: np.random.Generator,
    roughness: float = 0.2,
    elongation: float = 1.4,
) -> FloatArray:
    """Signed distance in pixels, float32 H x W, to the outline of a random irregular blob: positive inside.

    The outline is an ellipse (axes' ratio up to `elongation`) whose radius is modulated by a few random
    harmonics of total relative amplitude about `roughness`.
    """
    turn, ratio = rng.uniform(0, np.pi), float(np.sqrt(rng.uniform(1, elongation)))
    rows, columns = np.mgrid[0 : shape[0], 0 : shape[1]].astype(np.float32)
    dx, dy = columns - centre[0], rows - centre[1]
    cosine, sine = float(np.cos(turn)), float(np.sin(turn))
    along, across = (cosine * dx + sine * dy) / ratio, (cosine * dy - sine * dx) * ratio
    distance, angle = np.hypot(along, across), np.arctan2(across, along)
    outline = np.ones_like(distance)
    for order in range(2, 8):
        outline += (
            roughness * rng.standard_normal() / order * np.cos(order * angle + rng.uniform(0, 2 * np.pi))
        )
    return np.asarray(radius * np.clip(outline, 0.4, 1.8) - distance, dtype=np.float32)


def polygon_distance(
    shape: tuple[int, int], centre: tuple[float, float], radius: float, corners: int, rng: np.random.Generator
) -> FloatArray:
    """Signed distance in pixels, float32 H x W, to a random polygon such as a splinter: positive inside."""
    angles = np.sort(rng.uniform(0, 2 * np.pi / corners, corners) + np.arange(corners) * 2 * np.pi / corners)
    radii = radius * rng.uniform(0.65, 1.15, corners)
    points = np.stack([centre[0] + radii * np.cos(angles), centre[1] + radii * np.sin(angles)], axis=1)
    fine = _STROKE_SUPERSAMPLING
    canvas = np.zeros((shape[0] * fine, shape[1] * fine), np.uint8)
    cv2.fillPoly(canvas, [np.rint((points + 0.5) * fine).astype(np.int32)], 1)
    inner = cv2.distanceTransform(canvas, cv2.DIST_L2, 3) - cv2.distanceTransform(1 - canvas, cv2.DIST_L2, 3)
    return np.asarray(cv2.resize(inner, shape[::-1], interpolation=cv2.INTER_AREA) / fine, dtype=np.float32)


def coverage(distance: FloatArray, softness: float = 1.0) -> FloatArray:
    """Coverage 0..1 of a shape from its signed distance: a step `softness` pixels wide at the outline."""
    return np.asarray(np.clip(distance / max(softness, 1e-3) + 0.5, 0, 1), dtype=np.float32)


def curved_path(
    centre: tuple[float, float], length: float, bend: float, rng: np.random.Generator, points: int = 40
) -> FloatArray:
    """A smooth curve through `centre`, float32 `points` x 2 (x, y): it sets out at random and turns by up to
    `bend`
    radians in all, wavering a little."""
    steps = np.linspace(0, 1, points)
    heading = rng.uniform(0, 2 * np.pi) + bend * rng.uniform(-1, 1) * steps
    heading += 0.25 * bend * np.sin(2 * np.pi * steps * rng.uniform(0.6, 1.6) + rng.uniform(0, 6))
    path = np.cumsum(np.stack([np.cos(heading), np.sin(heading)], axis=1), axis=0) * length / points
    return np.asarray(path - path.mean(axis=0) + centre, dtype=np.float32)


def stroke(shape: tuple[int, int], path: FloatArray, width: float, opacity: FloatArray) -> FloatArray:
    """Coverage 0..1, float32 H x W, of a pen drawn along `path` (N x 2, x and y in pixels).

    `width` is in pixels and may be below 1; `opacity` (N) says how hard the pen presses at each point.
    """
    left, top = (int(v) for v in np.floor(path.min(axis=0) - width - 2))
    columns, rows = (int(v) for v in np.ceil(path.max(axis=0) + width + 2) - (left, top))
    fine = _STROKE_SUPERSAMPLING
    canvas = np.zeros((rows * fine, columns * fine), np.uint8)
    points = np.rint((path + 0.5 - (left, top)) * fine).astype(int)
    for start, end, press in zip(points[:-1], points[1:], opacity[:-1], strict=True):
        segment = np.zeros_like(canvas) if press < 1 else canvas
        cv2.line(
            segment,
            start.tolist(),
            end.tolist(),
            round(255 * press),
            max(1, round(width * fine)),
            cv2.LINE_AA,
        )
        if segment is not canvas:
            np.maximum(canvas, segment, out=canvas)
    small = cv2.resize(canvas, (columns, rows), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    result = np.zeros(shape, np.float32)
    x0, y0, x1, y1 = max(left, 0), max(top, 0), min(left + columns, shape[1]), min(top + rows, shape[0])
    if x1 > x0 and y1 > y0:
        result[y0:y1, x0:x1] = small[y0 - top : y1 - top, x0 - left : x1 - left]
    return result
