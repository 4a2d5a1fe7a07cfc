"""Drawn photographs of several washers on one mat, as a camera above a tray takes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from blemish.core.types import BoolArray, ByteArray
from blemish.data.drawn_parts import SUPERSAMPLING, draw_washer, rubber_mat
from blemish.data.lighting import blend, drop_shadow, photograph, random_light
from blemish.data.sample_line import SEVERITY
from blemish.data.synthetic import DEFECT_PAINTERS


@dataclass(frozen=True)
class Tray:
    """A photograph of washers.

    Attributes:
        image: uint8 RGB H x W x 3.
        washers: where each washer is, its bore left out, bool H x W.
        mask: where a washer is damaged, bool H x W.
    """

    image: ByteArray
    washers: tuple[BoolArray, ...]
    mask: BoolArray


def render_tray(
    rng: np.random.Generator,
    rows: int,
    columns: int,
    cell: int,
    taken: Sequence[int] | None = None,
    defect: str | None = None,
) -> Tray:
    """A photograph of a tray of good washers, one of which may be damaged.

    Args:
        rng: source of all randomness.
        rows, columns: places for washers.
        cell: side of a place in pixels.
        taken: places that hold a washer, numbered row by row; None for all.
        defect: one of `blemish.data.synthetic.DEFECT_PAINTERS`, on a washer drawn by chance; None for none.
    """
    side, light = round(cell * SUPERSAMPLING), random_light(rng)
    longer = max(rows, columns) * side
    picture = rubber_mat(rng, longer)[: rows * side, : columns * side]
    covers = []
    for place in range(rows * columns) if taken is None else taken:
        scene = draw_washer(rng, side, light)
        top, left = place // columns * side, place % columns * side
        cover = np.zeros(picture.shape[:2], np.float32)
        cover[top : top + side, left : left + side] = scene.coverage
        drawn = np.zeros_like(picture)
        drawn[top : top + side, left : left + side] = scene.picture
        picture = blend(picture * drop_shadow(cover, light, side / 45)[..., None], drawn, cover)
        covers.append(cover)
    size = (columns * cell, rows * cell)
    small = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.float32)
    image = photograph(small, rng, sharp_as=cell)
    washers = tuple(cv2.resize(cover, size, interpolation=cv2.INTER_AREA) > 0.5 for cover in covers)
    mask = np.zeros(image.shape[:2], np.bool_)
    if defect is not None:
        image, mask = _damaged(image, washers[rng.integers(len(washers))], cell, defect, rng)
    return Tray(image, washers, mask)


def _damaged(
    image: ByteArray, washer: BoolArray, cell: int, defect: str, rng: np.random.Generator
) -> tuple[ByteArray, BoolArray]:
    """The photograph with one washer damaged as alone in a photograph of its place."""
    ys, xs = np.nonzero(washer)
    top = int(np.clip((ys.min() + ys.max() - cell) // 2, 0, image.shape[0] - cell))
    left = int(np.clip((xs.min() + xs.max() - cell) // 2, 0, image.shape[1] - cell))
    rows, columns = slice(top, top + cell), slice(left, left + cell)
    larger, stronger = SEVERITY["washer"]
    painter = DEFECT_PAINTERS[defect]
    after, damage = painter(
        image[rows, columns],
        washer[rows, columns],
        rng,
        size=(painter.size[0] * larger, painter.size[1] * larger),
        strength=(painter.strength[0] * stronger, painter.strength[1] * stronger),
    )
    whole, mask = image.copy(), np.zeros(image.shape[:2], np.bool_)
    whole[rows, columns], mask[rows, columns] = after, damage
    return whole, mask
