"""Drawn parts of the sample line: a washer, a printed label, a circuit board, rendered like photographs.

Each part is drawn larger than its final size as colour (albedo) and height, lit from the side, laid on a
ground with a soft shadow, and then photographed (`blemish.data.lighting`). Place, angle and light differ from
picture to picture.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from blemish.core.types import BoolArray, ByteArray, FloatArray
from blemish.data.artwork import board_artwork, label_artwork
from blemish.data.lighting import (
    Light,
    blend,
    blur,
    drop_shadow,
    photograph,
    random_light,
    relief,
    smooth_noise,
)

SUPERSAMPLING = 1.5


@dataclass(frozen=True)
class Scene:
    """A lit part on its ground, before the camera: float32 S x S x 3 (0..255), and its coverage S x S."""

    picture: FloatArray
    coverage: FloatArray


def render_part(name: str, rng: np.random.Generator, size: int = 256) -> tuple[ByteArray, BoolArray]:
    """A photograph of one good part.

    Args:
        name: "washer", "label" or "board".
        rng: source of all randomness.
        size: side of the result in pixels.

    Returns:
        The image, uint8 `size` x `size` x 3 RGB, and the part's foreground, bool `size` x `size`.
    """
    scene = PARTS[name](rng, round(size * SUPERSAMPLING))
    small = np.asarray(cv2.resize(scene.picture, (size, size), interpolation=cv2.INTER_AREA), np.float32)
    coverage = cv2.resize(scene.coverage, (size, size), interpolation=cv2.INTER_AREA)
    return photograph(small, rng), coverage > 0.5


def draw_washer(rng: np.random.Generator, side: int, light: Light | None = None) -> Scene:
    """A turned steel washer on a dark rubber mat, lit by a lamp of its own unless one is given."""
    light = light or random_light(rng)
    centre = side / 2 + side * rng.uniform(-0.05, 0.05, size=2)
    outer = side * 0.335 * rng.uniform(0.985, 1.015)
    bore = outer * 0.46
    columns = np.arange(side, dtype=np.float32)
    dx, dy = np.meshgrid(columns - np.float32(centre[0]), columns - np.float32(centre[1]))
    radius, angle = np.hypot(dx, dy), np.arctan2(dy, dx) % np.float32(2 * np.pi)
    coverage = np.clip(outer - radius + 0.5, 0, 1) * np.clip(radius - bore + 0.5, 0, 1)
    chamfer = side / 55
    height = chamfer * np.clip(np.minimum(outer - radius, radius - bore) / chamfer, 0, 1)
    steel = _turned_steel(rng, radius / outer, angle, light)
    steel *= relief(blur(height.astype(np.float32), side / 400), light)[..., None]
    ground = rubber_mat(rng, side)
    ground *= drop_shadow(coverage.astype(np.float32), light, side / 45)[..., None]
    return Scene(blend(ground, steel, coverage), coverage.astype(np.float32))


def draw_label(rng: np.random.Generator, side: int) -> Scene:
    """A printed shipping label, slightly askew, on a cardboard box."""
    light = random_light(rng)
    artwork = label_artwork(side)
    corners = _placed_corners(rng, side, width=0.80, height=0.62, shift=0.035, turn=4.0, skew=0.008)
    matrix = _placement(artwork.colour.shape, corners)
    colour = _warp(artwork.colour, matrix, side)
    coverage = _warp(artwork.coverage, matrix, side)
    ink = 1 - colour.min(axis=2, keepdims=True) / 255
    colour = colour + ink * (10 + 14 * rng.random()) * (1 + smooth_noise((side, side), 40, rng)[..., None])
    paper = cv2.GaussianBlur(smooth_noise((side, side), side // 2, rng), (0, 0), 1.0)
    colour *= (1 + 0.012 * smooth_noise((side, side), 5, rng) + 0.012 * paper)[..., None]
    edge = relief(blur(coverage, 1.0) * 2, light)[..., None]
    ground = _cardboard(rng, side) * drop_shadow(coverage, light, side / 130)[..., None]
    return Scene(blend(ground, colour * (0.5 + 0.5 * edge), coverage), coverage)


def draw_board(rng: np.random.Generator, side: int) -> Scene:
    """A bare circuit board: tinned pads, traces under green solder mask, white silkscreen."""
    light = random_light(rng)
    artwork = board_artwork(side)
    corners = _placed_corners(rng, side, width=0.88, height=0.88, shift=0.025, turn=2.5, skew=0.0)
    matrix = _placement(artwork.colour.shape, corners)
    colour, coverage = _warp(artwork.colour, matrix, side), _warp(artwork.coverage, matrix, side)
    height, metal = _warp(artwork.height, matrix, side), _warp(artwork.metal, matrix, side)
    tint = np.array([1 + rng.uniform(-0.06, 0.06), 1, 1 + rng.uniform(-0.08, 0.08)], dtype=np.float32)
    colour *= tint * (1 + 0.03 * smooth_noise((side, side), 9, rng))[..., None]
    tin = 1 + 0.10 * smooth_noise((side, side), 14, rng) + 0.05 * smooth_noise((side, side), side // 6, rng)
    colour = blend(colour, colour * tin[..., None], metal)
    x, y = light.direction
    rows, columns = np.mgrid[-0.5 : 0.5 : complex(side), -0.5 : 0.5 : complex(side)].astype(np.float32)
    glare = np.exp(-(((columns - 0.35 * x) ** 2 + (rows - 0.35 * y) ** 2) / rng.uniform(0.08, 0.2)))
    colour = colour * relief(height, light)[..., None] + (rng.uniform(4, 16) + 30 * metal * light.slant)[
        ..., None
    ] * glare[..., None].astype(np.float32)
    ground = _bench(rng, side) * drop_shadow(coverage, light, side / 60)[..., None]
    return Scene(blend(ground, colour.astype(np.float32), coverage), coverage)


PARTS: dict[str, Callable[[np.random.Generator, int], Scene]] = {
    "washer": draw_washer,
    "label": draw_label,
    "board": draw_board,
}


def _turned_steel(
    rng: np.random.Generator, radius: FloatArray, angle: FloatArray, light: Light
) -> FloatArray:
    """Steel from a lathe: fine concentric grooves, and the two bright fans that such grooves throw.

    The surface is made in polar form and then looked up at `radius` (1 at the rim) and `angle` (radians).
    """
    turns, reach = 720, 640
    around = np.linspace(0, 2 * np.pi, turns, dtype=np.float32)[:, None]
    grooves = cv2.GaussianBlur(rng.standard_normal((1, reach)).astype(np.float32), (0, 0), 1.1)
    start = rng.uniform(0, 2 * np.pi)
    # Grooves are not perfect circles: their depth changes slowly around the part.
    depth = 1 + 0.35 * np.sin(3 * (around + start)) + 0.25 * np.sin(7 * (around - 2 * start))
    fan = np.cos(around - light.azimuth) ** 2
    streaks = rng.standard_normal((turns, 1))
    polar = (112 + 62 * fan**1.6 + 11 * grooves * depth + (1.2 + 2.4 * fan) * streaks).astype(np.float32)
    grey = cv2.remap(polar, radius * (reach / 1.05), angle * ((turns - 1) / (2 * np.pi)), cv2.INTER_LINEAR)
    grey = grey + 3.0 * smooth_noise((radius.shape[0], radius.shape[1]), 10, rng)
    return np.asarray(grey[..., None] * np.array([0.98, 1.0, 1.03], dtype=np.float32), dtype=np.float32)


def rubber_mat(rng: np.random.Generator, side: int) -> FloatArray:
    """Dark matt rubber with a pebbled surface."""
    pebble = smooth_noise((side, side), side // 5, rng)
    grey = 46 + 5 * pebble + 3 * smooth_noise((side, side), 6, rng)
    return np.asarray(grey[..., None] * np.array([0.95, 1.0, 1.06], dtype=np.float32), dtype=np.float32)


def _cardboard(rng: np.random.Generator, side: int) -> FloatArray:
    """Brown corrugated cardboard: fibres along one direction, faint flutes across."""
    fibres = smooth_noise((side, side), (side // 3, side // 14), rng)
    speck = smooth_noise((side, side), side // 3, rng)
    flutes = np.sin(np.arange(side, dtype=np.float32) * (2 * np.pi * 21 / side) + rng.uniform(0, 6))[:, None]
    shade = 1 + 0.030 * fibres + 0.025 * speck + 0.020 * flutes + 0.03 * smooth_noise((side, side), 5, rng)
    return np.asarray(shade[..., None] * np.array([172, 134, 94], dtype=np.float32), dtype=np.float32)


def _bench(rng: np.random.Generator, side: int) -> FloatArray:
    """Grey anti-static bench mat."""
    speck = smooth_noise((side, side), side // 3, rng)
    shade = 1 + 0.03 * speck + 0.03 * smooth_noise((side, side), 4, rng)
    return np.asarray(shade[..., None] * np.array([92, 96, 104], dtype=np.float32), dtype=np.float32)


def _placed_corners(
    rng: np.random.Generator, side: int, width: float, height: float, shift: float, turn: float, skew: float
) -> FloatArray:
    """Where a part's corners lie, float32 4 x 2 in pixels; jitter as a share of `side` and in degrees."""
    half = np.array([[-width, -height], [width, -height], [width, height], [-width, height]]) / 2
    angle = np.deg2rad(rng.uniform(-turn, turn))
    rotation = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    jitter = rng.uniform(-shift, shift, size=2) + rng.uniform(-skew, skew, size=(4, 2))
    return np.asarray(side * (0.5 + half @ rotation * rng.uniform(0.985, 1.015) + jitter), dtype=np.float32)


def _placement(shape: tuple[int, ...], corners: FloatArray) -> FloatArray:
    """The 3 x 3 projection that lays artwork of `shape` on `corners`."""
    rows, columns = shape[:2]
    source = np.array([[0, 0], [columns, 0], [columns, rows], [0, rows]], dtype=np.float32)
    return np.asarray(cv2.getPerspectiveTransform(source, corners), dtype=np.float32)


def _warp(layer: FloatArray, matrix: FloatArray, side: int) -> FloatArray:
    return np.asarray(
        cv2.warpPerspective(layer, matrix, (side, side), flags=cv2.INTER_LINEAR), dtype=np.float32
    )
