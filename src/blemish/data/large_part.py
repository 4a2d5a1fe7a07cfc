"""A large drawn part: the front plate of a machine, photographed at 4000 x 3000 pixels.

Brushed aluminium with drilled and countersunk holes, slots, a milled pocket with a printed label, socket screws that
stand at any angle, an engraved scale and a row of gilt contacts. What is milled is the same in every photograph; the
brushing, the screws' angles, the place, the light and the camera's grain are not.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from blemish.core.types import BoolArray, ByteArray, FloatArray
from blemish.data.artwork import label_artwork
from blemish.data.lighting import blend, blur, drop_shadow, photograph, random_light, relief, smooth_noise

WIDTH, HEIGHT = 4000, 3000
FOCUS = (0.7, 1.1)
"""Blur of the lens, in pixels: a sensor of 12 megapixels shows a little of it."""

_MARGIN = 140
_ALUMINIUM, _BLASTED, _GOLD, _STEEL, _ENGRAVED = (
    (176, 178, 181),
    (139, 142, 146),
    (196, 164, 96),
    (118, 119, 123),
    (58, 60, 64),
)
_HOLES = (*((x, y) for x in (330, 1180, 2830, 3670) for y in (330, 2670)), (330, 1500), (3670, 1500))
_SCREWS = ((760, 620), (3240, 620), (760, 2380), (3240, 2380), (2000, 330), (2000, 2670))
_POCKET = (1180, 900, 2830, 1720)
_SLOTS = ((500, 980, 940), (500, 1180, 940), (500, 1380, 940), (500, 1580, 940), (500, 1780, 940))


_EXPOSED = 0.85
"""Of the label's white: a camera at a line is set so that no good part is clipped in any light."""


@dataclass(frozen=True)
class _Drawing:
    """What is milled and printed: colour, height in pixels, coverage, and how much the brushing shows, H x W each."""

    colour: ByteArray
    height: FloatArray
    coverage: ByteArray
    brushed: ByteArray


def render_large_part(rng: np.random.Generator) -> tuple[ByteArray, BoolArray]:
    """A photograph of a good plate, uint8 3000 x 4000 x 3 RGB, and the part's foreground, bool 3000 x 4000."""
    drawing, light = _drawing(), random_light(rng)
    shape = (HEIGHT, WIDTH)
    turned = cv2.getRotationMatrix2D((WIDTH / 2, HEIGHT / 2), rng.uniform(-0.35, 0.35), 1.0)
    turned[:, 2] = turned[:, 2] + rng.uniform(-22, 22, size=2)

    def placed(pixels: ByteArray | FloatArray) -> FloatArray:
        moved = cv2.warpAffine(pixels, turned, (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR)
        return np.asarray(moved, np.float32)

    height = drawing.height.copy()
    colour = drawing.colour.copy()
    for place in _SCREWS:
        _screw(colour, height, place, rng)
    coverage, brushed = (placed(layer) / np.float32(255) for layer in (drawing.coverage, drawing.brushed))
    plate = placed(colour)
    plate *= (1 + brushed * _brushing(shape, rng))[..., None]
    plate *= relief(placed(height), light)[..., None]
    plate *= (1 + 0.05 * smooth_noise(shape, (3, 4), rng) * brushed)[..., None]
    ground = _bench(shape, rng)
    ground *= drop_shadow(coverage, light, 14)[..., None]
    scene = blend(ground, plate, coverage)
    return photograph(scene, rng, contrast=0.8, focus=float(rng.uniform(*FOCUS))), coverage > 0.5


@lru_cache(maxsize=1)
def _drawing() -> _Drawing:
    """The plate as the drawing has it."""
    colour = np.empty((HEIGHT, WIDTH, 3), np.uint8)
    colour[:] = _ALUMINIUM
    height = np.zeros((HEIGHT, WIDTH), np.float32)
    coverage = np.zeros((HEIGHT, WIDTH), np.uint8)
    brushed = np.full((HEIGHT, WIDTH), 255, np.uint8)
    _rounded(coverage, (_MARGIN, _MARGIN, WIDTH - _MARGIN, HEIGHT - _MARGIN), 90, 255)
    inside = cv2.distanceTransform(coverage, cv2.DIST_L2, 5)
    height += np.minimum(inside / 2, 9).astype(np.float32)  # a chamfer all around
    for x, y in _HOLES:
        cv2.circle(height, (x, y), 70, 2.0, -1)
        cv2.circle(colour, (x, y), 66, _BLASTED, -1, cv2.LINE_AA)
        cv2.circle(brushed, (x, y), 66, 60, -1)
        cv2.circle(coverage, (x, y), 42, 0, -1, cv2.LINE_AA)
    for x, y, end in _SLOTS:
        cv2.line(colour, (x, y), (end, y), _BLASTED, 76, cv2.LINE_AA)
        cv2.line(coverage, (x, y), (end, y), 0, 56, cv2.LINE_AA)
    _pocket(colour, height, brushed)
    _scale(colour, brushed)
    _contacts(colour, height, brushed)
    return _Drawing(colour, blur(height, 1.2), coverage, brushed)


def _pocket(colour: ByteArray, height: FloatArray, brushed: ByteArray) -> None:
    """A blasted pocket, with a printed label in it."""
    left, top, right, bottom = _POCKET
    cv2.rectangle(height, (left, top), (right, bottom), 0.0, -1)
    cv2.rectangle(colour, (left, top), (right, bottom), _BLASTED, -1)
    cv2.rectangle(brushed, (left, top), (right, bottom), 30, -1)
    label = label_artwork(1500)
    rows, columns = np.nonzero(label.coverage > 0.5)
    art = label.colour[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    art = (art * _EXPOSED).astype(np.uint8)
    across, down = 1180, 640
    x, y = (left + right - across) // 2, (top + bottom - down) // 2
    colour[y : y + down, x : x + across] = cv2.resize(art, (across, down), interpolation=cv2.INTER_AREA)
    brushed[y : y + down, x : x + across] = 0
    cv2.rectangle(height, (x, y), (x + across, y + down), 1.2, -1)


def _scale(colour: ByteArray, brushed: ByteArray) -> None:
    """An engraved scale under the pocket."""
    for step in range(101):
        x = 1210 + 16 * step
        tall = 90 if step % 10 == 0 else 62 if step % 5 == 0 else 40
        cv2.line(colour, (x, 2150), (x, 2150 - tall), _ENGRAVED, 4, cv2.LINE_AA)
        cv2.line(brushed, (x, 2150), (x, 2150 - tall), 60, 4)
        if step % 10 == 0:
            cv2.putText(
                colour, str(step), (x - 24, 2210), cv2.FONT_HERSHEY_DUPLEX, 1.5, _ENGRAVED, 3, cv2.LINE_AA
            )
    cv2.putText(
        colour, "REF 40-3000 / B", (1210, 2380), cv2.FONT_HERSHEY_DUPLEX, 2.6, _ENGRAVED, 5, cv2.LINE_AA
    )


def _contacts(colour: ByteArray, height: FloatArray, brushed: ByteArray) -> None:
    """Two rows of gilt contacts in a dark carrier."""
    cv2.rectangle(colour, (3080, 960), (3560, 2040), (44, 46, 49), -1)
    cv2.rectangle(brushed, (3080, 960), (3560, 2040), 0, -1)
    for row in range(18):
        for x in (3180, 3390):
            y = 1000 + 57 * row
            cv2.rectangle(colour, (x, y), (x + 74, y + 30), _GOLD, -1, cv2.LINE_AA)
            cv2.rectangle(height, (x, y), (x + 74, y + 30), float(height[y, x]) + 2.5, -1)


def _screw(colour: ByteArray, height: FloatArray, place: tuple[int, int], rng: np.random.Generator) -> None:
    """A socket screw in its counterbore, turned to any angle."""
    cv2.circle(colour, place, 88, _BLASTED, -1, cv2.LINE_AA)
    cv2.circle(height, place, 88, 0.0, -1)
    cv2.circle(colour, place, 74, _STEEL, -1, cv2.LINE_AA)
    cv2.circle(height, place, 74, 5.0, -1)
    cv2.circle(colour, place, 66, tuple(channel + 14 for channel in _STEEL), 3, cv2.LINE_AA)
    angles = rng.uniform(0, np.pi / 3) + np.arange(6) * np.pi / 3
    corners = np.stack([place[0] + 38 * np.cos(angles), place[1] + 38 * np.sin(angles)], axis=1)
    cv2.fillPoly(colour, [np.rint(corners).astype(np.int32)], (30, 31, 34), cv2.LINE_AA)
    cv2.fillPoly(height, [np.rint(corners).astype(np.int32)], 0.0)


def _brushing(shape: tuple[int, int], rng: np.random.Generator) -> FloatArray:
    """Relative brightness of a brushed surface: long fine lines, and a few deeper ones."""
    height, width = shape
    lines = 0.030 * smooth_noise(shape, (height, width // 330), rng)
    lines += 0.022 * smooth_noise(shape, (height // 2, width // 60), rng)
    deep = np.maximum(smooth_noise(shape, (height // 3, width // 800), rng) - 2.4, 0)
    return np.asarray(lines + 0.05 * deep + 0.012 * smooth_noise(shape, 12, rng), np.float32)


def _bench(shape: tuple[int, int], rng: np.random.Generator) -> FloatArray:
    """A dark bench mat with a fine pebble."""
    shade = (
        54 + 4 * smooth_noise(shape, (shape[0] // 9, shape[1] // 9), rng) + 2 * smooth_noise(shape, 5, rng)
    )
    return np.asarray(shade[..., None] * np.array([0.96, 1.0, 1.05], np.float32), np.float32)


def _rounded(canvas: ByteArray, box: tuple[int, int, int, int], radius: int, value: int) -> None:
    """A filled rectangle with round corners."""
    left, top, right, bottom = box
    cv2.rectangle(canvas, (left + radius, top), (right - radius, bottom), value, -1)
    cv2.rectangle(canvas, (left, top + radius), (right, bottom - radius), value, -1)
    for x in (left + radius, right - radius):
        for y in (top + radius, bottom - radius):
            cv2.circle(canvas, (x, y), radius, value, -1, cv2.LINE_AA)
