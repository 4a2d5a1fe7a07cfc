"""Checks of a catalog that need its pixels: every image and mask is decoded once, one at a time."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import NamedTuple

import numpy as np

from blemish.core.errors import ImageError
from blemish.core.image_formats import FORMAT_SUFFIXES, image_format
from blemish.core.images import (
    DEFAULT_LIMITS,
    DecodeLimits,
    bits_per_sample,
    decode_image,
    pixel_digest,
    read_content,
    read_mask,
)
from blemish.core.progress import track
from blemish.core.types import ByteArray
from blemish.data.catalog import Catalog
from blemish.data.entries import NORMAL, TRAIN, Problem

LARGE_MASK = 0.5
"""Share of an image above which a mask is reported."""


class _Row(NamedTuple):
    """One row of a catalog's table."""

    path: str
    split: str
    label: str
    defect_type: str
    mask: str | None


def check_catalog(catalog: Catalog, limits: DecodeLimits = DEFAULT_LIMITS) -> list[Problem]:
    """Decode every image and mask of a catalog, and list what is wrong with them.

    Finds unreadable files, wrong extensions, masks that are unreadable, empty, of another size or too large,
    the same pixels more than once (above all in train and test), 16-bit images that use fewer bits, and mixed
    sizes. Memory does not grow with the number of images but for a digest each.

    Returns:
        `catalog.problems` first, then those of the images in the table's order, then those of the whole.
    """
    problems = list(catalog.problems)
    seen: dict[str, _Row] = {}
    sizes: Counter[tuple[int, int]] = Counter()
    brightest_deep: int | None = None
    readable_normal = False
    rows = [_Row(*values) for values in catalog.table.itertuples(index=False, name=None)]
    for row in track(rows, "Checking images"):
        try:
            content = read_content(row.path, limits.max_bytes)
            image = decode_image(content, row.path, limits)
        except ImageError as error:
            problems.append(Problem(error.kind, row.path, error.detail))
            continue
        readable_normal |= row.split == TRAIN and row.label == NORMAL
        sizes[image.shape[1], image.shape[0]] += 1
        if bits_per_sample(content, row.path) == 16:
            brightest_deep = max(brightest_deep or 0, int(image.max()))
        problems += _extension_problems(row.path, content)
        problems += _duplicate_problems(row, seen.setdefault(pixel_digest(image), row))
        problems += _mask_problems(row, image, limits)
    problems += _size_problems(catalog, sizes) + _bit_depth_problems(catalog, brightest_deep)
    if not readable_normal:
        detail = "none of the photographs of good parts can be read, so there is nothing to learn from."
        problems.append(Problem("empty-class", str(catalog.root), detail, fatal=True))
    return problems


def _extension_problems(path: str, content: bytes) -> list[Problem]:
    """A name that says another format than the content."""
    kind = image_format(content) or ""
    suffixes = FORMAT_SUFFIXES[kind]
    if Path(path).suffix.lower() in suffixes:
        return []
    detail = f"it holds a {kind} image and is read as such; rename it to end in {min(suffixes)}."
    return [Problem("wrong-extension", path, detail)]


def _duplicate_problems(row: _Row, first: _Row) -> list[Problem]:
    """The same pixels as in an earlier row; the gravest meaning is reported."""
    if first is row:
        return []
    same = f"its pixels are the same as those of {first.path}"
    if first.split != row.split:
        detail = f"{same}, which is in {first.split}: results would flatter; remove one."
        return [Problem("duplicate-across-splits", row.path, detail)]
    if first.label != row.label:
        detail = f"{same}, which is marked {first.label}; remove the wrong one."
        return [Problem("duplicate-across-labels", row.path, detail)]
    return [Problem("duplicate", row.path, f"{same}; remove one.")]


def _mask_problems(row: _Row, image: ByteArray, limits: DecodeLimits) -> list[Problem]:
    """A mask that cannot be read, does not fit its image, or says little."""
    if row.mask is None:
        return []
    try:
        mask = read_mask(row.mask, limits)
    except ImageError as error:
        return [Problem(error.kind, row.mask, error.detail)]
    if mask.shape != image.shape[:2]:
        (height, width), (rows, columns) = mask.shape, image.shape[:2]
        detail = f"it has {width} x {height} pixels, but its image {columns} x {rows}; draw it on the image."
        return [Problem("mask-size", row.mask, detail)]
    share = float(np.mean(mask))
    if share == 0:
        return [
            Problem(
                "mask-empty", row.mask, "it marks no pixel, though its image is defective; draw it again."
            )
        ]
    if share > LARGE_MASK:
        detail = f"it covers {share:.0%} of the image, so pixel metrics say little; draw the defect alone."
        return [Problem("mask-large", row.mask, detail)]
    return []


def _size_problems(catalog: Catalog, sizes: Counter[tuple[int, int]]) -> list[Problem]:
    """Images of several sizes."""
    if len(sizes) < 2:
        return []
    by_area = sorted(sizes, key=lambda size: (size[0] * size[1], size))
    smallest, largest = (f"{width} x {height}" for width, height in (by_area[0], by_area[-1]))
    detail = (
        f"the images have {len(sizes)} different sizes, from {smallest} to {largest}; all are scaled to one, "
        "so the same defect may look larger in one than in another."
    )
    return [Problem("mixed-sizes", str(catalog.root), detail)]


def _bit_depth_problems(catalog: Catalog, brightest: int | None) -> list[Problem]:
    """16-bit images whose highest value, over all of them, leaves the upper bits unused.

    `brightest` is the highest value of them all, shifted to 8 bits.
    """
    if brightest is None or brightest >= 128:
        return []
    bits = brightest.bit_length() + 8
    bound = f"{2**bits:,}"
    detail = (
        f"the 16-bit images stay below {bound}, so they are read dark; if the camera delivers {bits} bits, "
        f"read them with a bit depth of {bits}."
    )
    return [Problem("bit-depth", str(catalog.root), detail)]
