"""Supervisely's projects (developer.supervisely.com): `meta.json`, and photographs in `img/` with `ann/` beside it.

`ann/NAME.jpg.json` has the objects of `img/NAME.jpg`: rectangles, polygons with holes, lines, points, and bitmaps, PNG
that are packed by zlib in Base64. One without objects is a good part.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from blemish.core.errors import CatalogError
from blemish.core.images import DEFAULT_LIMITS
from blemish.data.entries import ANOMALOUS_NAMES, NORMAL_NAMES, Reading
from blemish.data.layouts.annotation_files import (
    box_around,
    json_of,
    numbers_of,
    says,
    split_of_folders,
    type_name,
    whole_number,
)
from blemish.data.layouts.layout import Layout
from blemish.data.layouts.marked import Export
from blemish.data.layouts.shapes import base64_of, line, png_runs
from blemish.data.layouts.tree import FolderTree
from blemish.data.marks import Mark, Polygon
from blemish.data.run_lengths import runs_of

_LARGEST_PNG = 1 << 26
"""Bytes of an unpacked bitmap."""


def _annotations(tree: FolderTree) -> list[Path]:
    return [path for path in tree.others("*.json") if path.parent.name.lower() == "ann"]


def _recognise(tree: FolderTree) -> str | None:
    meta = next(iter(tree.others("meta.json", recursive=False)), None)
    if meta is None or not says(meta, b'"classes"') or not _annotations(tree):
        return None
    return "it has Supervisely's meta.json and ann/"


def _read(tree: FolderTree) -> Reading:
    """Entries of a project; see `blemish.data.marks` for what marks become.

    Raises:
        CatalogError: a file is broken, or an object cannot be meant.
    """
    export = Export("supervisely", tree)
    photographs = {
        (path.parent.parent, path.name.lower()): path for path in tree.images() if _is_photograph(path)
    }
    for file in _annotations(tree):
        path = photographs.pop((file.parent.parent, file.name.lower().removesuffix(".json")), None)
        if path is None:
            export.add_stray(file)
            continue
        document = json_of(file)
        objects = document.get("objects") if isinstance(document, dict) else None
        if not isinstance(objects, list) or not all(isinstance(one, dict) for one in objects):
            raise CatalogError(
                f"{file} is not Supervisely's: objects must be a list of objects; export it anew."
            )
        size = document.get("size") if isinstance(document.get("size"), dict) else {}
        width, height = whole_number(size.get("width")), whole_number(size.get("height"))
        marks = [_mark(file, number, one) for number, one in enumerate(objects)]
        stated = (width, height) if width and height else None
        export.add(path, split_of_folders(tree, path), marks, _tags(document), stated)
    for path in photographs.values():
        export.add_unlabelled(path, split_of_folders(tree, path))
    export.reading.known.update(tree.others("*.json"))
    return export.finished("Supervisely's ann/")


def _is_photograph(path: Path) -> bool:
    return path.parent.name.lower() == "img"


def _tags(document: Mapping[str, Any]) -> list[str]:
    """Tags of the whole photograph that are words for good or defective."""
    tags = document.get("tags")
    names = [one.get("name") for one in tags if isinstance(one, dict)] if isinstance(tags, list) else []
    return [type_name(name) for name in names if str(name).lower() in NORMAL_NAMES | ANOMALOUS_NAMES]


def _mark(file: Path, number: int, one: Mapping[str, Any]) -> Mark:
    """One object.

    Raises:
        CatalogError: it cannot be meant.
    """
    name, kind = type_name(one.get("classTitle")), one.get("geometryType", one.get("shape"))
    try:
        if kind == "bitmap":
            return _bitmap(name, one.get("bitmap"))
        points = one.get("points")
        rings = points if isinstance(points, dict) else {}
        outer = _ring(
            rings.get("exterior"), {"polygon": 3, "rectangle": 2, "line": 2, "point": 1}.get(str(kind))
        )
        holes = [_ring(ring, 3) for ring in rings.get("interior") or ()]
        if kind == "polygon" and holes:
            return _with_holes(name, outer, holes)
    except (ValueError, TypeError) as error:
        raise CatalogError(
            f"{file}, object {number}: the {str(kind)[:20]} {name!r} cannot be meant, for {error}; export it anew."
        ) from error
    outline = line(outer) if kind == "line" else outer
    return Mark(name, box_around(outline), () if kind == "rectangle" else (outline,))


def _ring(points: Any, least: int | None) -> Polygon:
    """Corners of a ring.

    Raises:
        ValueError: they are none, or too few.
    """
    if least is None:
        raise ValueError("objects are polygon, rectangle, line, point and bitmap")
    pairs = (
        [one for one in points if isinstance(one, list) and len(one) == 2] if isinstance(points, list) else []
    )
    numbers = numbers_of(value for one in pairs for value in one)
    if numbers is None or len(pairs) < least or len(pairs) != len(points):
        raise ValueError(f"its points are {str(points)[:60]}")
    return tuple(zip(numbers[::2], numbers[1::2], strict=True))


def _with_holes(name: str, outer: Polygon, holes: list[Polygon]) -> Mark:
    """A polygon with holes as pixels; the edges of holes belong to the polygon.

    Raises:
        ValueError: it has no pixel, or too many.
    """
    x, y, across, down = box_around(outer)
    left, top = max(int(x), 0), max(int(y), 0)
    width, height = int(x + across) - left + 1, int(y + down) - top + 1
    if min(width, height) < 1 or width * height > DEFAULT_LIMITS.max_pixels:
        raise ValueError(f"it has {across:g} x {down:g} pixels, or lies outside of the photograph")
    mask = np.zeros((height, width), np.uint8)
    rings = [np.floor(np.array(ring) - (left, top)).astype(np.int32) for ring in (outer, *holes)]
    cv2.fillPoly(mask, rings, 1)
    runs = runs_of(mask.view(np.bool_), left, top)
    return Mark(name, runs.box, (), runs)


def _bitmap(name: str, bitmap: Any) -> Mark:
    """Pixels that were painted.

    Raises:
        ValueError: they cannot be meant.
    """
    if not isinstance(bitmap, dict):
        raise ValueError("it has no bitmap")
    (corner,) = _ring([bitmap.get("origin")], 1)
    unpacked = zlib.decompressobj()
    try:
        content = unpacked.decompress(base64_of(bitmap.get("data")), _LARGEST_PNG)
    except zlib.error as error:
        raise ValueError("its bitmap is not packed by zlib") from error
    runs = png_runs(content, int(corner[0]), int(corner[1]))
    return Mark(name, runs.box, (), runs)


SUPERVISELY = Layout("supervisely", "Supervisely's meta.json with img/ and ann/", _recognise, _read)
