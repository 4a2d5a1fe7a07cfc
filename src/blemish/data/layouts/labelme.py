"""LabelMe's JSON (github.com/wkentaro/labelme): a file a photograph, beside it and of its name.

Its shapes are polygons, rectangles, circles, lines, points, and masks as PNG in Base64. A photograph without a file is
a good part, if any other has one; the copy of the photograph in the file (`imageData`) is not looked at. `flags` that
are set speak of the whole photograph, where they are words for good or defective.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from blemish.core.errors import CatalogError
from blemish.data.entries import ANOMALOUS_NAMES, NORMAL_NAMES, Reading
from blemish.data.layouts.annotation_files import (
    box_around,
    corners_of,
    is_of_whole,
    json_of,
    numbers_of,
    says,
    split_of_folders,
    type_name,
    whole_number,
)
from blemish.data.layouts.layout import Layout
from blemish.data.layouts.marked import Export
from blemish.data.layouts.shapes import base64_of, ellipse, line, png_runs
from blemish.data.layouts.tree import FolderTree
from blemish.data.marks import Mark, Polygon

_LOOKED_INTO = 10
_HEAD = 1 << 16
"""Bytes at the beginning of a file that are looked into; `imageData` comes later."""


def _annotations(tree: FolderTree) -> dict[Path, Path]:
    """Photographs with their files: of the same name in the same folder, or in one of annotations beside it."""
    files = {path.with_suffix("").as_posix().lower(): path for path in tree.others("*.json")}
    found = {}
    for photograph in tree.images():
        beside = photograph.with_suffix("")
        places = [
            beside,
            *(photograph.parent.parent / name / beside.name for name in ("annotations", "json", "labels")),
        ]
        file = next((files[key] for place in places if (key := place.as_posix().lower()) in files), None)
        if file is not None:
            found[photograph] = file
    return found


def _recognise(tree: FolderTree) -> str | None:
    files = [file for photograph, file in _annotations(tree).items() if is_of_whole(tree, photograph)]
    for file in files[:_LOOKED_INTO]:
        if says(file, b'"shapes"', among=_HEAD):
            return f"{tree.relative(file)} holds LabelMe's shapes"
    return None


def _read(tree: FolderTree) -> Reading:
    """Entries of a folder with LabelMe's files; see `blemish.data.marks` for what marks become.

    Raises:
        CatalogError: a file is broken, or a shape cannot be meant.
    """
    export, annotated = Export("labelme", tree), _annotations(tree)
    for path in tree.images():
        split = split_of_folders(tree, path)
        if path not in annotated:
            export.add_unlabelled(path, split)
            continue
        document = _document(annotated[path])
        marks = [_mark(annotated[path], number, shape) for number, shape in enumerate(document["shapes"])]
        width, height = (whole_number(document.get(side)) for side in ("imageWidth", "imageHeight"))
        export.add(path, split, marks, _flags(document), (width, height) if width and height else None)
    export.reading.known.update(annotated.values())
    for file in sorted(set(tree.others("*.json")) - set(annotated.values())):
        if says(file, b'"shapes"', among=_HEAD):
            export.add_stray(file)
    return export.finished("LabelMe's files")


def _document(file: Path) -> dict[str, Any]:
    document = json_of(file)
    shapes = document.get("shapes") if isinstance(document, dict) else None
    if not isinstance(shapes, list) or not all(isinstance(shape, dict) for shape in shapes):
        raise CatalogError(f"{file} is not LabelMe's: shapes must be a list of objects; mark it anew.")
    return dict(document)


def _flags(document: Mapping[str, Any]) -> list[str]:
    """Flags of the whole photograph that are set and say what it is."""
    flags = document.get("flags")
    names = [name for name, value in flags.items() if value is True] if isinstance(flags, dict) else []
    return [type_name(name) for name in names if name.lower() in NORMAL_NAMES | ANOMALOUS_NAMES]


def _mark(file: Path, number: int, shape: Mapping[str, Any]) -> Mark:
    """One shape.

    Raises:
        CatalogError: it cannot be meant.
    """
    name, kind = type_name(shape.get("label")), shape.get("shape_type") or "polygon"
    points = shape.get("points")
    flat = (
        [value for point in points if isinstance(point, list) and len(point) == 2 for value in point]
        if (isinstance(points, list))
        else []
    )
    numbers = numbers_of(flat)
    try:
        if numbers is None or not isinstance(points, list) or len(numbers) != 2 * len(points) or not numbers:
            raise ValueError("its points are no list of x and y in pixels")
        corners = corners_of(numbers)
        if kind == "mask":
            runs = png_runs(base64_of(shape.get("mask")), int(corners[0][0]), int(corners[0][1]))
            return Mark(name, runs.box, (), runs)
        outline = _outline(str(kind), corners)
    except ValueError as error:
        raise CatalogError(
            f"{file}, shape {number}: the {str(kind)[:20]} {name!r} cannot be meant, for {error}; mark it anew."
        ) from error
    return Mark(name, box_around(outline), (outline,) if kind != "rectangle" else ())


def _outline(kind: str, corners: Polygon) -> Polygon:
    """The outline of a shape.

    Raises:
        ValueError: it has too few points, or is of an unknown type.
    """
    least = {"polygon": 3, "rectangle": 2, "circle": 2, "line": 2, "linestrip": 2, "point": 1, "points": 1}
    if kind not in least:
        raise ValueError(f"shapes are {', '.join(least)} and mask")
    if len(corners) < least[kind]:
        raise ValueError(f"it has {len(corners)} points")
    if kind == "circle":
        (x, y), edge = corners[0], corners[1]
        radius = math.dist((x, y), edge)
        return ellipse(x, y, radius, radius)
    return line(corners) if kind in ("line", "linestrip", "points") else corners


LABELME = Layout("labelme", "LabelMe's JSON beside each photograph", _recognise, _read)
"""Read after COCO, whose JSON lies beside photographs too."""
