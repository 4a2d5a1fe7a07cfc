"""Drawn parts whose defects anything learns to see in seconds: what `check_detector` shows to a detector."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from blemish.core.types import BoolArray, ByteArray
from blemish.data.defect_files import write_image, write_mask

SIDE = 128

_COLOURS = {"black": (10, 10, 10), "red": (220, 30, 30)}
_COUNTS = {"train/good": 12, "test/good": 6, "test/black": 6, "test/red": 6}


def write_plain_parts(root: Path, seed: int = 0) -> None:
    """Write one category in the MVTec AD layout: 12 good parts to learn from, 6 good and 12 defective to test."""
    rng = np.random.default_rng(seed)
    for folder, count in _COUNTS.items():
        kind = Path(folder).name
        for number in range(count):
            image, mask = _plain_part(rng, _COLOURS.get(kind))
            write_image(root / folder / f"{number:03d}.png", image)
            if mask.any():
                write_mask(root / "ground_truth" / kind / f"{number:03d}_mask.png", mask)


def _plain_part(rng: np.random.Generator, colour: tuple[int, int, int] | None) -> tuple[ByteArray, BoolArray]:
    """A grey disc on a lighter ground with grain, with a square of `colour` on it, and the mask of that."""
    image = np.full((SIDE, SIDE, 3), 170.0)
    cv2.circle(image, (64 + int(rng.integers(-1, 2)), 64), 44, (110.0,) * 3, -1)
    mask = np.zeros((SIDE, SIDE), np.bool_)
    if colour is not None:
        x, y = rng.integers(40, 74, 2)
        mask[y : y + 16, x : x + 16] = True
        image[mask] = colour
    return np.clip(image + rng.normal(0, 2, image.shape), 0, 255).astype(np.uint8), mask
