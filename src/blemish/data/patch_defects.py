"""Synthetic defects of the literature: pasted patches, scars, foreign textures and blur.

Painters as in `blemish.data.synthetic`, whose page says what they take and give; there defects follow real damage, here
they follow papers. They stand apart because the sample line and the detectors that paint while they learn keep to the
others. `PAINTERS` holds both.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from blemish.core.types import BoolArray, FloatArray
from blemish.data.blobs import blob_distance, coverage, random_place
from blemish.data.lighting import blend, blur
from blemish.data.painting import Brush, DefectPainter, Painted, Range
from blemish.data.perlin import perlin_noise
from blemish.data.synthetic import DEFECT_PAINTERS
from blemish.data.textures import TEXTURES, render_texture

PATCH_PAINTERS: dict[str, DefectPainter] = {}

_NOISE_THRESHOLD = 0.15
_Point = tuple[float, float]


def _patch_painter(name: str, size: Range, strength: Range) -> Callable[[Brush], Brush]:
    """Register a brush as the painter `name`, with its usual ranges of size and strength."""

    def register(brush: Brush) -> Brush:
        PATCH_PAINTERS[name] = DefectPainter(name, size, strength, brush)
        return brush

    return register


@_patch_painter("cutpaste", size=(0.10, 0.25), strength=(0.5, 1.0))
def _cutpaste(
    picture: FloatArray,
    foreground: BoolArray | None,
    rng: np.random.Generator,
    extent: float,
    strength: float,
) -> Painted:
    """An upright piece of the picture pasted elsewhere, hard at its edges (Li et al., CutPaste, CVPR 2021).

    Its longer side is `extent`, its aspect ratio up to 3; brightness and contrast change by up to a tenth.
    """
    aspect = rng.uniform(1 / 3, 1)
    sides = (extent, extent * aspect) if rng.random() < 0.5 else (extent * aspect, extent)
    return _pasted(picture, foreground, rng, sides, 0.0, strength)


@_patch_painter("scar", size=(0.10, 0.25), strength=(0.5, 1.0))
def _scar(
    picture: FloatArray,
    foreground: BoolArray | None,
    rng: np.random.Generator,
    extent: float,
    strength: float,
) -> Painted:
    """A long, thin piece of the picture pasted elsewhere at any angle (CutPaste-Scar of the same paper)."""
    width = max(2.0, extent * rng.uniform(0.08, 0.25))
    return _pasted(picture, foreground, rng, (extent, width), float(rng.uniform(-90, 90)), strength)


def _pasted(
    picture: FloatArray,
    foreground: BoolArray | None,
    rng: np.random.Generator,
    sides: tuple[float, float],
    angle: float,
    strength: float,
) -> Painted:
    """A piece of `sides` (width, height in pixels), turned by `angle` degrees, taken from one place to another."""
    shape = picture.shape[:2]
    target = random_place(shape, foreground, 0.3 * min(sides), rng)
    source = random_place(shape, foreground, 0.5 * min(sides), rng)
    turn = float(rng.uniform(-45, 45)) if angle else 0.0
    # Where each pixel of the piece comes from: turned about the target, then moved to the source.
    matrix = cv2.getRotationMatrix2D(target, turn, 1.0)
    matrix[:, 2] += np.array(source) - np.array(target)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    piece = cv2.warpAffine(picture, matrix, shape[::-1], flags=flags, borderMode=cv2.BORDER_REFLECT_101)
    contrast, brightness = rng.uniform(0.9, 1.1, 2)
    mean = piece.mean(axis=(0, 1))
    piece = (piece - mean) * contrast + mean * brightness
    inside = np.zeros(shape, np.float32)
    cv2.fillPoly(inside, [np.rint(cv2.boxPoints((target, sides, angle))).astype(np.int32)], 1.0)
    share = strength * _within(inside, foreground)
    return blend(picture, piece.astype(np.float32), share), np.zeros(shape, np.float32)


@_patch_painter("perlin", size=(0.10, 0.30), strength=(0.35, 0.9))
def _perlin(
    picture: FloatArray,
    foreground: BoolArray | None,
    rng: np.random.Generator,
    extent: float,
    strength: float,
) -> Painted:
    """An area that Perlin noise cuts out, blended with a foreign texture (Zavrtanik et al., DRAEM, ICCV 2021).

    The textures are the sample line's photographs of brick, grass and gravel, tinted at random; the noise has bumps of
    `extent` pixels, of which one is taken. `strength` is the texture's opacity.
    """
    shape = picture.shape[:2]
    place = random_place(shape, foreground, 0.3 * extent, rng)
    area = _noise_area(shape, place, extent, rng)
    texture = render_texture(TEXTURES[int(rng.integers(len(TEXTURES)))], rng, max(64, round(2 * extent)))
    foreign = _tiled(texture.astype(np.float32) * rng.uniform(0.6, 1.4, 3).astype(np.float32), shape)
    share = strength * _within(blur(area, 0.7), foreground)
    return blend(picture, foreign, share), np.zeros(shape, np.float32)


def _noise_area(shape: tuple[int, int], place: _Point, extent: float, rng: np.random.Generator) -> FloatArray:
    """The bump of Perlin noise that is nearest to a place, within 0.75 `extent` of it, 0 or 1, H x W."""
    cells = tuple(max(1, round(side / extent)) for side in shape)
    noise = perlin_noise(shape, (cells[0], cells[1]), rng)
    rows, columns = np.mgrid[0 : shape[0], 0 : shape[1]].astype(np.float32)
    away = np.hypot(columns - place[0], rows - place[1])
    # A bump is about as large as a cell; of ridges that run on, the part nearby is taken.
    _, labels = cv2.connectedComponents(
        ((noise > _NOISE_THRESHOLD) & (away < 0.75 * extent)).astype(np.uint8)
    )
    if not labels.any():
        return np.zeros(shape, np.float32)
    nearest = int(np.argmin(np.where(labels > 0, away, np.inf)))
    return np.asarray(labels == labels.flat[nearest], np.float32)


def _tiled(texture: FloatArray, shape: tuple[int, int]) -> FloatArray:
    """The texture, mirrored where the picture is larger, float32 H x W x 3."""
    rows = -(-shape[0] // texture.shape[0])
    columns = -(-shape[1] // texture.shape[1])
    mirrored = np.pad(
        texture,
        ((0, (rows - 1) * texture.shape[0]), (0, (columns - 1) * texture.shape[1]), (0, 0)),
        mode="symmetric",
    )
    return np.asarray(mirrored[: shape[0], : shape[1]], np.float32)


@_patch_painter("blur", size=(0.15, 0.35), strength=(0.4, 1.0))
def _blur(
    picture: FloatArray,
    foreground: BoolArray | None,
    rng: np.random.Generator,
    extent: float,
    strength: float,
) -> Painted:
    """A place out of focus, as under a drop of oil: detail is lost, the mean stays; soft at its edge.

    `strength` is the blur's deviation as a share of a sixth of the extent.
    """
    shape = picture.shape[:2]
    place = random_place(shape, foreground, 0.3 * extent, rng)
    distance = blob_distance(shape, place, extent / 2, rng, roughness=0.15, elongation=1.6)
    deviation = max(1.0, strength * extent / 6)
    share = _within(coverage(distance, 0.15 * extent), foreground)
    return blend(picture, blur(picture, deviation), share), np.zeros(shape, np.float32)


def _within(share: FloatArray, foreground: BoolArray | None) -> FloatArray:
    """A coverage limited to the part, to the pixel."""
    return share if foreground is None else np.asarray(share * foreground, np.float32)


PAINTERS: dict[str, DefectPainter] = DEFECT_PAINTERS | PATCH_PAINTERS
"""All painters by name: those of `blemish.data.synthetic`, then those of this page."""
