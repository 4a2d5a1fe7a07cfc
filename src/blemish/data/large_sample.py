"""The large category of the sample line: photographs of 4000 x 3000 pixels with defects of 14 to 30."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from blemish.core.ahead import look_ahead
from blemish.core.errors import BlemishError, UsageError
from blemish.core.pictures import encoded
from blemish.core.progress import task
from blemish.core.types import BoolArray, ByteArray
from blemish.data.defect_files import write_mask
from blemish.data.folders import made_folder, refuse_foreign_folder
from blemish.data.large_part import render_large_part
from blemish.data.sample_line import SampleImage
from blemish.data.synthetic import DEFECT_PAINTERS

LARGE_CATEGORY = "plate"
LARGE_DEFECTS: tuple[str, ...] = ("scratch", "stain", "hole", "foreign_body", "missing_piece")
SMALLEST, LARGEST = 14, 30
"""Longest side of a defect, in pixels."""

_AT_EDGES = "missing_piece"
_WINDOW = 320
"""Side in pixels of what is looked at around a defect."""

_ATTEMPTS = 60
_QUALITY = 93  # of the JPEG files, as cameras on a line write them
_WORKERS = 4  # of 700 MB each


def write_large_sample(
    out: Path, train: int = 16, good: int = 8, per_defect_type: int = 4, seed: int = 0
) -> Path:
    """Write the category as JPEG photographs with PNG masks, in the MVTec AD layout.

    An image depends only on (seed, split, type, index); the same call writes the same bytes.

    Args:
        out: folder for the category's folder.
        train: good images to learn from, at least 1.
        good: good images to test with.
        per_defect_type: test images of each of `LARGE_DEFECTS`.
        seed: 0 or above.

    Returns:
        The category's folder.

    Raises:
        UsageError: a number out of its range, or a folder that holds other files.
    """
    for name, value, least in (
        ("train", train, 1),
        ("good", good, 0),
        ("per defect type", per_defect_type, 0),
    ):
        if not least <= value <= 10_000:
            raise UsageError(f"{name} {value} is out of range: give a whole number from {least} to 10000.")
    if seed < 0:
        raise UsageError(f"seed {seed} is out of range: give a whole number from 0.")
    folder = Path(out) / LARGE_CATEGORY
    refuse_foreign_folder(folder)
    origin = {"made_by": "blemish sample --large", "category": LARGE_CATEGORY, "seed": seed}
    total = train + good + per_defect_type * len(LARGE_DEFECTS)
    with task("Making the large sample", total) as advance, made_folder(folder, origin) as draft:
        for sample in large_images(train, good, per_defect_type, seed):
            _write(draft, sample)
            advance(1)
    return folder


def large_images(train: int, good: int, per_defect_type: int, seed: int = 0) -> Iterator[SampleImage]:
    """Make the images, a few at a time; arguments as for `write_large_sample`."""
    wanted = [("train", "good", index) for index in range(train)]
    wanted += [("test", "good", index) for index in range(good)]
    wanted += [("test", kind, index) for kind in LARGE_DEFECTS for index in range(per_defect_type)]
    workers = min(os.cpu_count() or 1, _WORKERS)
    return look_ahead(lambda what: _large_image(*what, seed), wanted, workers, workers)


def _large_image(split: str, kind: str, index: int, seed: int) -> SampleImage:
    rng = np.random.default_rng([seed, zlib.crc32(f"{LARGE_CATEGORY}/{split}/{kind}".encode()), index])
    image, foreground = render_large_part(rng)
    if kind == "good":
        return SampleImage(split, kind, index, image, None)
    damaged, mask = damage_a_little(image, foreground, kind, rng)
    return SampleImage(split, kind, index, damaged, mask)


def damage_a_little(
    image: ByteArray, foreground: BoolArray, kind: str, rng: np.random.Generator
) -> tuple[ByteArray, BoolArray]:
    """A large photograph with one small defect somewhere on the part, `SMALLEST` to `LARGEST` pixels long; its mask.

    Args:
        image: uint8 H x W x 3 RGB.
        foreground: of the part, bool H x W.
        kind: of `LARGE_DEFECTS`.
        rng: source of all randomness.

    Raises:
        BlemishError: no such defect could be seen anywhere.
    """
    painter, places = DEFECT_PAINTERS[kind], _places(foreground, kind)
    extents = (SMALLEST / _WINDOW, LARGEST / _WINDOW)
    for _ in range(_ATTEMPTS):
        row, column = places[int(rng.integers(len(places)))]
        top = int(np.clip(row - _WINDOW // 2, 0, image.shape[0] - _WINDOW))
        left = int(np.clip(column - _WINDOW // 2, 0, image.shape[1] - _WINDOW))
        window = np.s_[top : top + _WINDOW, left : left + _WINDOW]
        part = foreground[window]
        try:
            painted, mask = painter(image[window], part, rng, size=extents)
        except BlemishError:  # nowhere in this window
            continue
        _, _, across, down = cv2.boundingRect(mask.view(np.uint8))
        if SMALLEST <= max(across, down) <= LARGEST:
            damaged, whole = image.copy(), np.zeros(foreground.shape, np.bool_)
            damaged[window], whole[window] = painted, mask
            return damaged, whole
    raise BlemishError(f"No {kind.replace('_', ' ')} could be seen anywhere on this photograph.")


def _places(foreground: BoolArray, kind: str) -> npt.NDArray[np.intp]:
    """Rows and columns where a defect may lie: on the part, or at its edges."""
    inside = foreground.view(np.uint8)
    if kind == _AT_EDGES:
        inside = inside & (cv2.erode(inside, np.ones((3, 3), np.uint8)) == 0).view(np.uint8)
    # Every fourth pixel is choice enough.
    return np.argwhere(inside[::4, ::4]) * 4


def _write(folder: Path, sample: SampleImage) -> None:
    path = folder / sample.split / sample.kind / f"{sample.index:03d}.jpg"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encoded(sample.image, ".jpg", _QUALITY))
    if sample.mask is not None:
        write_mask(folder / "ground_truth" / sample.kind / f"{sample.index:03d}_mask.png", sample.mask)
