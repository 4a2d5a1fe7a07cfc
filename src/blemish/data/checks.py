"""Checks of a catalog that need its pixels: every image and mask is decoded once, one at a time."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from blemish.core.errors import ImageError
from blemish.core.image_files import open_regular
from blemish.core.image_formats import FORMAT_SUFFIXES, has_wrong_suffix, image_format
from blemish.core.images import (
    DEFAULT_LIMITS,
    DecodeLimits,
    bits_per_sample,
    decode_image,
    pixel_digest,
    read_content,
    read_header,
    read_mask,
    stored_channels,
)
from blemish.core.progress import track
from blemish.core.types import BoolArray, ByteArray
from blemish.data.catalog import Catalog
from blemish.data.entries import NORMAL, TRAIN, Problem

MOST_DEEP_DECODED = 16
"""16-bit images that `glance_at_catalog` decodes, for the bits that they use."""
_HEADER_BYTES = 64
LARGE_MASK = 0.5
"""Share of an image above which a mask is reported."""


class Row(NamedTuple):
    """One row of a catalog's table."""

    path: str
    split: str
    label: str
    defect_type: str
    mask: str | None


@dataclass(frozen=True)
class Examined:
    """What decoding one row's files told; the pixels are for whoever measures more, and soon let go.

    Attributes:
        row: the row of the catalog's table.
        problems: what is wrong with the image file or its mask by themselves.
        image: uint8 RGB H x W x 3; None if the file cannot be read.
        mask: bool H x W; None if there is none, or none that can be read.
        width, height: in pixels, upright; 0 if the file cannot be read.
        digest: of the pixels, or of the file at a glance; "" if it cannot be read.
        bits: stored for each sample.
        channels: stored for each pixel: 1 grey or palette, 3 RGB, 4 with alpha.
        brightest: highest value of the image, 0 to 255; None if it was not decoded.
    """

    row: Row
    problems: tuple[Problem, ...]
    image: ByteArray | None = None
    mask: BoolArray | None = None
    width: int = 0
    height: int = 0
    digest: str = ""
    bits: int = 8
    channels: int = 0
    brightest: int | None = None

    def without_pixels(self) -> Examined:
        """All but the arrays."""
        return replace(self, image=None, mask=None)


def check_catalog(catalog: Catalog, limits: DecodeLimits = DEFAULT_LIMITS) -> list[Problem]:
    """Decode every image and mask of a catalog, and list what is wrong with them.

    Finds unreadable files, wrong extensions, masks that are unreadable, empty, of another size or too large,
    the same pixels more than once (above all in train and test), 16-bit images that use fewer bits, and mixed
    sizes. Memory does not grow with the number of images but for a digest each.

    Returns:
        `catalog.problems` first, then those of the images in the table's order, then those of the whole.
    """
    checks = CatalogChecks(catalog)
    problems = list(catalog.problems)
    for row in track(rows_of(catalog), "Checking images"):
        problems += checks.add(examine(row, limits))
    return problems + checks.whole()


def glance_at_catalog(catalog: Catalog, limits: DecodeLimits = DEFAULT_LIMITS) -> list[Problem]:
    """What headers, the bytes of files and masks tell, for those who learn or measure and read the photographs anyway.

    As `check_catalog`, but copies are known by equal files, the bits in use by the first 16-bit images alone, and a
    photograph that is damaged behind its header is left to whoever decodes it.
    """
    checks, deep = CatalogChecks(catalog), 0
    problems, rows = list(catalog.problems), rows_of(catalog)
    sizes = Counter(map(_bytes_of, rows))
    for row in rows:
        examined = glance(row, limits, sizes[_bytes_of(row)] > 1, deep < MOST_DEEP_DECODED)
        deep += examined.brightest is not None
        problems += checks.add(examined)
    return problems + checks.whole()


def rows_of(catalog: Catalog) -> list[Row]:
    """The rows of a catalog's table, in its order."""
    return [Row(*values) for values in catalog.table[list(Row._fields)].itertuples(index=False, name=None)]


def examine(row: Row, limits: DecodeLimits = DEFAULT_LIMITS) -> Examined:
    """Read and decode the image and the mask of one row; may run on any thread."""
    try:
        content = read_content(row.path, limits.max_bytes)
        image = decode_image(content, row.path, limits)
    except ImageError as error:
        return Examined(row, (Problem(error.kind, row.path, error.detail),))
    height, width = image.shape[:2]
    mask, problems = _mask_of(row, width, height, limits)
    return Examined(
        row,
        (*_extension_problems(row.path, content), *problems),
        image,
        mask,
        width,
        height,
        pixel_digest(image),
        bits_per_sample(content, row.path),
        stored_channels(content, row.path),
        int(image.max()),
    )


def glance(
    row: Row, limits: DecodeLimits = DEFAULT_LIMITS, digested: bool = True, decode_deep: bool = True
) -> Examined:
    """As `examine`, but no image is decoded, unless it has 16 bits and `decode_deep` asks for it.

    Where it is not `digested`, its digest is that of no other file.
    """
    try:
        with open_regular(row.path) as stream:
            content = stream.read(_HEADER_BYTES)
        width, height, bits = read_header(row.path)
        brightest, deep = None, bits == 16 and decode_deep
        if digested or deep:
            content = read_content(row.path, limits.max_bytes)
        if deep:
            brightest = int(decode_image(content, row.path, limits).max())
    except ImageError as error:
        return Examined(row, (Problem(error.kind, row.path, error.detail),))
    mask, problems = _mask_of(row, width, height, limits)
    return Examined(
        row,
        (*_extension_problems(row.path, content), *problems),
        None,
        mask,
        width,
        height,
        hashlib.sha256(content if digested else os.fsencode(row.path)).hexdigest(),
        bits,
        brightest=brightest,
    )


def _mask_of(
    row: Row, width: int, height: int, limits: DecodeLimits
) -> tuple[BoolArray | None, list[Problem]]:
    """The mask of a row, if it has one that can be read, and what is wrong with it."""
    if row.mask is None:
        return None, []
    try:
        mask = read_mask(row.mask, limits)
    except ImageError as error:
        return None, [Problem(error.kind, row.mask, error.detail)]
    return mask, _mask_problems(row.mask, mask, width, height)


def _bytes_of(row: Row) -> int:
    """Size of a row's file; 0 if it cannot be asked."""
    try:
        return Path(row.path).stat().st_size
    except OSError:
        return 0


class CatalogChecks:
    """What only shows when the images of a catalog are seen together; keeps a digest of each, no pixels."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._seen: dict[str, Row] = {}
        self._sizes: Counter[tuple[int, int]] = Counter()
        self._brightest_deep: int | None = None
        self._readable_normal = False

    def add(self, examined: Examined) -> list[Problem]:
        """Problems of one more image, those with earlier ones included."""
        if not examined.width:
            return list(examined.problems)
        row = examined.row
        self._readable_normal |= row.split == TRAIN and row.label == NORMAL
        self._sizes[examined.width, examined.height] += 1
        if examined.bits == 16 and examined.brightest is not None:
            self._brightest_deep = max(self._brightest_deep or 0, examined.brightest)
        return [
            *examined.problems,
            *_duplicate_problems(row, self._seen.setdefault(examined.digest, row)),
        ]

    def whole(self) -> list[Problem]:
        """Problems of the catalog as a whole, after the last image."""
        problems = _size_problems(self._catalog, self._sizes)
        if proposal := bit_depth_problem(str(self._catalog.root), self._brightest_deep):
            problems.append(proposal)
        if not self._readable_normal and self._catalog.train_normal():
            detail = "none of the photographs of good parts can be read, so there is nothing to learn from."
            problems.append(Problem("empty-class", str(self._catalog.root), detail, fatal=True))
        return problems


def _extension_problems(path: str, content: bytes) -> list[Problem]:
    """A name that says another format than the content."""
    kind = image_format(content) or ""
    if not has_wrong_suffix(path, kind):
        return []
    detail = f"it holds a {kind} image and is read as such; rename it to end in {FORMAT_SUFFIXES[kind][0]}."
    return [Problem("wrong-extension", path, detail)]


def _duplicate_problems(row: Row, first: Row) -> list[Problem]:
    """The same pixels as in an earlier row; the gravest meaning is reported."""
    if first is row:
        return []
    same = f"its pixels are the same as those of {first.path}"
    if first.split != row.split:
        detail = f"{same}, which is in {first.split}: results would flatter; remove one."
        return [Problem("duplicate-across-splits", row.path, detail, other=first.path)]
    if first.label != row.label:
        detail = f"{same}, which is marked {first.label}; remove the wrong one."
        return [Problem("duplicate-across-labels", row.path, detail, other=first.path)]
    return [Problem("duplicate", row.path, f"{same}; remove one.", other=first.path)]


def _mask_problems(path: str, mask: BoolArray, width: int, height: int) -> list[Problem]:
    """A mask that does not fit its image of that size, or says little."""
    if mask.shape != (height, width):
        rows, columns = mask.shape
        detail = f"it has {columns} x {rows} pixels, but its image {width} x {height}; draw it on the image."
        return [Problem("mask-size", path, detail)]
    share = float(np.mean(mask))
    if share == 0:
        detail = "it marks no pixel, though its image is defective; draw it again."
        return [Problem("mask-empty", path, detail)]
    if share > LARGE_MASK:
        detail = f"it covers {share:.0%} of the image, so pixel metrics say little; draw the defect alone."
        return [Problem("mask-large", path, detail)]
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


def proposed_bit_depth(brightest: int | None) -> int | None:
    """The bit depth to read 16-bit photographs with, where they leave upper bits unused: 8, 10, 12 or 14.

    Args:
        brightest: highest value of all of them, as `decode_image` gives it at a bit depth of 16 (0 to 255); None if no
            photograph has 16 bits.

    Returns:
        None where nothing is to be proposed, as for cameras that fill the upper bits.

    Example:
        >>> proposed_bit_depth(15), proposed_bit_depth(200)
        (12, None)
    """
    if brightest is None:
        return None
    used = brightest.bit_length() + 8
    return next((bits for bits in (8, 10, 12, 14) if used <= bits), None)


def bit_depth_problem(where: str, brightest: int | None) -> Problem | None:
    """What to say of 16-bit photographs in `where` that leave upper bits unused; see `proposed_bit_depth`."""
    bits = proposed_bit_depth(brightest)
    if bits is None:
        return None
    detail = (
        f"the 16-bit images stay below {2**bits:,}, so they are read dark; if the camera delivers {bits} bits, "
        f"read them with a bit depth of {bits}: --bit-depth {bits}."
    )
    return Problem("bit-depth", where, detail)
