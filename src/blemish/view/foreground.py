"""Where the part is: foreground by its difference from the ground that the border of a photograph shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from blemish.core.types import BoolArray, ByteArray, FloatArray

SIDE = 256
FEWEST, MOST, MOST_OF_BORDER = 0.02, 0.95, 0.12
_SEPARATION = 3.0
_HALF_AREA = 0.5


@dataclass(frozen=True)
class Ground:
    """A photograph, made small, compared with the ground that its border shows.

    Attributes:
        difference: of each pixel from the ground, in the CIE Lab space of 8-bit images, float32 h x w.
        spread: usual difference of the border's own pixels, at least 1.
        colour: median of the border, RGB, 0 to 255.
    """

    difference: FloatArray
    spread: float
    colour: tuple[int, int, int]


class Foreground(BaseModel):
    """The part alone counts, before a plain ground: learnt by `blemish.view_planning`, carried in the artifact.

    Attributes:
        threshold: difference from the ground above which a pixel is the part's, see `Ground.difference`.
        margin: how far around the part the ground still counts, as a share of the photograph's longer side.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    threshold: float = Field(gt=0, le=500, allow_inf_nan=False)
    margin: float = Field(ge=0, le=1, allow_inf_nan=False)


def counted_by(image: ByteArray, foreground: Foreground) -> BoolArray:
    """Which pixels count, bool H x W: the largest part, its holes, and a margin; all where no part is seen.

    Other parts of at least half its area count too; what is smaller, as dust on the ground, does not.

    Args:
        image: uint8 RGB H x W x 3.
        foreground: what is learnt of the ground.
    """
    height, width = image.shape[:2]
    part = part_mask(ground_of(image).difference, foreground.threshold)
    _, labels, statistics, _ = cv2.connectedComponentsWithStats(part, connectivity=8)
    areas = statistics[:, cv2.CC_STAT_AREA].astype(float)
    areas[0] = 0
    if not areas.max(initial=0):
        return np.ones((height, width), np.bool_)
    kept = (areas >= _HALF_AREA * areas.max())[labels].astype(np.uint8)
    # As far as the margin reaches, by the distance from the part.
    away = cv2.distanceTransform(1 - kept, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    near = (away <= max(1.0, foreground.margin * max(kept.shape))).astype(np.uint8)
    return np.asarray(cv2.resize(near, (width, height), interpolation=cv2.INTER_NEAREST), np.bool_)


def estimate_foreground(image: ByteArray) -> BoolArray | None:
    """The part on an even ground, bool H x W; None where the photograph shows no such ground.

    The colour of the ground is the median along the border; what differs from it by more than Otsu's threshold is the
    part, its holes included. None if that is under 2 % or over 95 % of the photograph, if the border itself is not
    even, or if part and ground hardly differ: then the part fills the photograph, as surfaces do.

    Args:
        image: uint8 RGB H x W x 3.
    """
    height, width = image.shape[:2]
    ground = ground_of(image)
    threshold = ground_threshold(ground)
    if threshold is None:
        return None
    filled = part_mask(ground.difference, threshold)
    if not FEWEST < filled.mean() < MOST:
        return None
    # A little wider, so that the soft edge of the part belongs to it.
    wider = cv2.dilate(filled, np.ones((3, 3), np.uint8))
    return cv2.resize(wider, (width, height), interpolation=cv2.INTER_NEAREST).astype(np.bool_)


def ground_of(image: ByteArray, side: int = SIDE) -> Ground:
    """A photograph compared with the ground that its border shows; its longer side is `side` pixels at most."""
    height, width = image.shape[:2]
    scale = min(1.0, side / max(height, width))
    size = (max(8, round(width * scale)), max(8, round(height * scale)))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    colours = cv2.cvtColor(cv2.GaussianBlur(small, (0, 0), 1.5), cv2.COLOR_RGB2LAB).astype(np.float32)
    border = _border(colours)
    middle = np.median(border, axis=0)
    difference = np.linalg.norm(colours - middle, axis=2).astype(np.float32)
    spread = max(1.0, float(np.median(np.linalg.norm(border - middle, axis=1))))
    red, green, blue = np.rint(np.median(_border(small), axis=0)).astype(int).tolist()
    return Ground(difference, spread, (red, green, blue))


def ground_threshold(ground: Ground, most_of_border: float = MOST_OF_BORDER) -> float | None:
    """Otsu's threshold between ground and part; None if they hardly differ, or more of the border is part."""
    levels = np.clip(ground.difference, 0, 255).astype(np.uint8)
    threshold, part = cv2.threshold(levels, 0, 1, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    if threshold < _SEPARATION * ground.spread or _border(part).mean() > most_of_border:
        return None
    return float(threshold)


def part_mask(difference: FloatArray, threshold: float) -> ByteArray:
    """What differs by more than the threshold, its holes included, 0 or 1; single pixels and thin lines are dropped."""
    levels = np.clip(difference, 0, 255).astype(np.uint8)
    part = (levels > threshold).astype(np.uint8)
    opened = cv2.morphologyEx(part, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)).astype(np.uint8)
    outlines, _ = cv2.findContours(opened, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return np.asarray(cv2.drawContours(np.zeros_like(opened), outlines, -1, 1, cv2.FILLED), np.uint8)


def _border(picture: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The outermost pixels, N or N x 3."""
    return np.concatenate([picture[0], picture[-1], picture[:, 0], picture[:, -1]])
