"""Marks that people made on photographs, as masks that detectors learn from and are measured by.

A mask is a file (see `blemish.data.catalog`), so marks become one in the cache, named by all that it follows from:
nothing is written beside the photographs, and a mask that is there already is not made again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import astuple, dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from blemish.core.errors import CatalogError, ImageError
from blemish.core.images import DEFAULT_LIMITS, read_content, read_mask
from blemish.core.settings import cache_folder
from blemish.core.storage import write_bytes
from blemish.core.types import BoolArray
from blemish.data.entries import ANOMALOUS, GOOD, NORMAL, NORMAL_NAMES, TEST, TRAIN, Entry, part_normal
from blemish.data.run_lengths import Runs

Polygon = tuple[tuple[float, float], ...]
"""Corners, x and y in pixels of the photograph."""


@dataclass(frozen=True)
class Mark:
    """One marked defect.

    Attributes:
        defect_type: what it was called.
        box: x, y, width and height in pixels of the photograph.
        polygons: its outline where more than the box is known.
        runs: its pixels, where these are known.
    """

    defect_type: str
    box: tuple[float, float, float, float]
    polygons: tuple[Polygon, ...] = ()
    runs: Runs | None = None

    @property
    def area(self) -> float:
        """Area of the box, in pixels."""
        return self.box[2] * self.box[3]


def marked_entry(path: Path, split: str, marks: Sequence[Mark], width: int, height: int) -> Entry:
    """The entry of a photograph: defective with a mask where a defect is marked, named after its largest; else good.

    Args:
        path: the photograph.
        split: its split.
        marks: what is marked on it; marks whose name means a good part count as none.
        width, height: size of the photograph in pixels, upright.

    Raises:
        CatalogError: the size cannot be that of a photograph.
        BlemishError: the cache of masks cannot be written.
    """
    if not 0 < width * height <= DEFAULT_LIMITS.max_pixels or width < 0:
        raise CatalogError(
            f"{path} is said to have {width} x {height} pixels: correct its annotations; photographs have at most "
            f"{DEFAULT_LIMITS.max_pixels:,}."
        )
    defects = [mark for mark in marks if mark.defect_type.lower() not in NORMAL_NAMES]
    if not defects:
        return Entry(path, split, NORMAL, GOOD)
    largest = max(defects, key=lambda mark: mark.area)
    return Entry(path, split, ANOMALOUS, largest.defect_type, mask_file(defects, width, height))


def with_known_splits(entries: Sequence[Entry], root: Path) -> list[Entry]:
    """The entries as a catalog needs them: defective ones are for testing, good ones where their split says.

    Exports for detectors of objects have their defects in every split; here most detectors learn from good parts alone,
    and those that learn from defects are given a share of the tested ones. Where no good photograph is for testing,
    `part_normal` chooses.
    """
    if not any(entry.label == NORMAL and entry.split == TEST for entry in entries):
        return part_normal(entries, root)
    return [
        replace(entry, split=TEST if entry.label == ANOMALOUS or entry.split == TEST else TRAIN)
        for entry in entries
    ]


def mask_of(marks: Sequence[Mark], width: int, height: int) -> BoolArray:
    """The marks as a mask, bool H x W: painted pixels, or those in a polygon or on its edge, or that a box touches."""
    mask = np.zeros((height, width), np.uint8)
    for mark in marks:
        x, y, across, down = mark.box
        if mark.runs:
            runs = mark.runs
            part = mask[runs.top : runs.top + runs.height, runs.left : runs.left + runs.width]
            part |= runs.pixels()[: part.shape[0], : part.shape[1]]
        elif not mark.polygons:
            left, top, right, bottom = (
                max(int(edge), 0)
                for edge in (np.floor(x), np.floor(y), np.ceil(x + across), np.ceil(y + down))
            )
            mask[top:bottom, left:right] = 1
        for polygon in mark.polygons:
            corners = np.floor(np.array(polygon, np.float64)).astype(np.int32)
            cv2.fillPoly(mask, [corners], 1)
    return mask.view(np.bool_)


def mask_file(marks: Sequence[Mark], width: int, height: int) -> Path:
    """A PNG with the mask of the marks, 0 and 255, made once.

    Raises:
        BlemishError: the cache cannot be written.
    """
    shapes = [[mark.box, mark.polygons, *([astuple(mark.runs)] if mark.runs else [])] for mark in marks]
    known = json.dumps([width, height, shapes])
    path = cache_folder() / "marks" / f"{hashlib.sha256(known.encode()).hexdigest()}.png"
    if not path.is_file():
        pixels = mask_of(marks, width, height).view(np.uint8) * np.uint8(255)
        write_bytes(path, cv2.imencode(".png", pixels)[1].tobytes())
    return path


def united_mask(paths: Sequence[Path]) -> Path:
    """One mask for a photograph that has several, each for one of its defects: their union, made once.

    Args:
        paths: at least one; a single one is its own union.

    Raises:
        ImageError: one of them cannot be read, or is not of the size of the first.
        BlemishError: the cache cannot be written.
    """
    if len(paths) == 1:
        return paths[0]
    known = hashlib.sha256()
    for path in paths:
        known.update(hashlib.sha256(read_content(path, DEFAULT_LIMITS.max_bytes)).digest())
    united = cache_folder() / "marks" / f"{known.hexdigest()}.png"
    if not united.is_file():
        mask = read_mask(paths[0])
        for path in paths[1:]:
            other = read_mask(path)
            if other.shape != mask.shape:
                detail = (
                    f"its size is not that of {paths[0].name}, which marks the same photograph; draw it anew."
                )
                raise ImageError(path, "unsupported", detail)
            mask = mask | other
        write_bytes(united, cv2.imencode(".png", mask.view(np.uint8) * np.uint8(255))[1].tobytes())
    return united
