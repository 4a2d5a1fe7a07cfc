"""One JSON file for all photographs, as VIA, Label Studio and CreateML write it.

- via: VGG Image Annotator (robots.ox.ac.uk/~vgg/software/via): a project, or its export of annotations, with `regions`
  by photograph. One without a region is a good part.
- label-studio: its full JSON (labelstud.io/guide/task_format): tasks with shapes in hundredths of the photograph. One
  that was annotated with an empty result is a good part; one that nobody annotated is left out. Brushes mark their
  photograph as defective, without a mask.
- createml: Apple's and Roboflow's `_annotations.createml.json`: boxes by their middle. A photograph without one is a
  good part.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import unquote

from blemish.core.errors import CatalogError
from blemish.data.entries import ANOMALOUS_NAMES, NORMAL_NAMES, Problem, Reading, named
from blemish.data.layouts.annotation_files import (
    Photographs,
    box_around,
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
from blemish.data.layouts.shapes import ellipse, line, rectangle, turned
from blemish.data.layouts.tree import FolderTree
from blemish.data.marks import Mark, Polygon

_MOST_FILES = 20
_WORDS = NORMAL_NAMES | ANOMALOUS_NAMES
_UPLOADED = re.compile(r"^[0-9a-f]{8}-")
"""What Label Studio puts before the names of uploaded files."""


@dataclass(frozen=True)
class _Said:
    """What a file says of one photograph: marks, what it is called as a whole, its size, and whether it is labelled."""

    name: str
    marks: Sequence[Mark] = ()
    kinds: Sequence[str] = ()
    size: tuple[int, int] | None = None
    labelled: bool = True


def _layout(
    name: str, program: str, keys: Sequence[tuple[bytes, ...]], said: Callable[[Path, Any], Iterator[_Said]]
) -> Layout:
    """The layout of one program; a file of its holds all of the `keys` of one choice, or is named after it."""

    def tables(tree: FolderTree) -> list[Path]:
        files = [path for path in tree.others("*.json") if is_of_whole(tree, path)]
        return [
            path
            for path in files[:_MOST_FILES]
            if path.name.lower().endswith(f".{name}.json") or any(says(path, *choice) for choice in keys)
        ]

    def recognise(tree: FolderTree) -> str | None:
        found = tables(tree)
        return f"{tree.relative(found[0])} holds annotations of {program}" if found else None

    def read(tree: FolderTree) -> Reading:
        export, photographs, unlabelled = Export(name, tree), Photographs(tree), []
        found = tables(tree)
        for table in found:
            export.reading.known.add(table)
            split = split_of_folders(tree, table)
            for one in said(table, json_of(table)):
                path = photographs.named(one.name, table.parent, split)
                path = path or photographs.named(_UPLOADED.sub("", Path(one.name).name), table.parent, split)
                if path is None:
                    export.missing(table.parent / Path(one.name).name, table)
                elif one.labelled:
                    export.add(path, split or split_of_folders(tree, path), one.marks, one.kinds, one.size)
                else:
                    unlabelled.append(path)
        if unlabelled:
            detail = (
                f"nobody has annotated {len(unlabelled)} photographs ({unlabelled[0].name} is the first), so they "
                "are left out; label them."
            )
            export.reading.problems.append(Problem("label-missing", str(found[0]), detail))
            export.reading.set_aside(unlabelled)
        return export.finished(named([tree.relative(path) for path in found], 3))

    return Layout(name, f"{program}'s JSON for all photographs", recognise, read)


def _refuse(table: Path, photograph: str, wrong: str) -> NoReturn:
    raise CatalogError(
        f"{table}, {photograph[:80]!r}: {wrong[:120]} cannot be meant; export the annotations anew."
    )


def _objects(table: Path, value: Any, name: str) -> list[dict[str, Any]]:
    """A list of objects, or the values of an object of objects."""
    found = list(value.values()) if isinstance(value, dict) else value
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise CatalogError(f"{table}: {name} must be a list of objects; export the annotations anew.")
    return found


def _numbers(shape: Mapping[str, Any], *names: str) -> list[float]:
    """Numbers of a shape.

    Raises:
        ValueError: one is none.
    """
    found = numbers_of(shape.get(name) for name in names)
    if found is None:
        raise ValueError(", ".join(f"{name} {shape.get(name)}" for name in names))
    return found


def _corners(shape: Mapping[str, Any], across: Any, down: Any, least: int) -> Polygon:
    """Corners from two lists of numbers.

    Raises:
        ValueError: they are none.
    """
    if isinstance(across, list) and isinstance(down, list) and len(across) == len(down) >= least:
        columns, rows = numbers_of(across), numbers_of(down)
        if columns is not None and rows is not None:
            return tuple(zip(columns, rows, strict=True))
    raise ValueError(f"the outline of {str(dict(shape))[:80]}")


def _via(table: Path, document: Any) -> Iterator[_Said]:
    """What VIA says of every photograph."""
    metadata = document.get("_via_img_metadata", document) if isinstance(document, dict) else document
    for one in _objects(table, metadata, "the photographs"):
        name = one.get("filename")
        if not isinstance(name, str):
            raise CatalogError(f"{table}: a photograph has no filename; export the annotations anew.")
        marks = []
        for region in _objects(table, one.get("regions") or [], "regions"):
            shape = region.get("shape_attributes")
            try:
                outline = _via_outline(shape if isinstance(shape, dict) else {})
            except ValueError as error:
                _refuse(table, name, str(error))
            kind = next(iter(_attributes(region.get("region_attributes"))), "defect")
            exact = isinstance(shape, dict) and shape.get("name") == "rect"
            marks.append(Mark(kind, box_around(outline), () if exact else (outline,)))
        kinds = [kind for kind in _attributes(one.get("file_attributes")) if kind.lower() in _WORDS]
        yield _Said(name, marks, kinds)


def _attributes(attributes: Any) -> list[str]:
    """The values of VIA's attributes: texts, or choices that are set."""
    found = []
    for value in attributes.values() if isinstance(attributes, dict) else ():
        found += (
            [name for name, chosen in value.items() if chosen is True] if isinstance(value, dict) else [value]
        )
    return [type_name(value) for value in found if isinstance(value, str) and value.strip()]


def _via_outline(shape: Mapping[str, Any]) -> Polygon:
    """The outline of a region.

    Raises:
        ValueError: it cannot be meant.
    """
    kind = shape.get("name")
    if kind == "rect":
        x, y, width, height = _numbers(shape, "x", "y", "width", "height")
        if min(width, height) < 0:
            raise ValueError(f"a box of {width:g} x {height:g}")
        return rectangle(x, y, x + width, y + height)
    if kind in ("polygon", "polyline"):
        corners = _corners(
            shape, shape.get("all_points_x"), shape.get("all_points_y"), 3 if kind == "polygon" else 2
        )
        return corners if kind == "polygon" else line(corners)
    if kind == "point":
        x, y = _numbers(shape, "cx", "cy")
        return ((x, y),)
    if kind in ("circle", "ellipse"):
        x, y, across, down = _numbers(shape, "cx", "cy", *(("r", "r") if kind == "circle" else ("rx", "ry")))
        (theta,) = _numbers(shape, "theta") if shape.get("theta") else (0.0,)
        return turned(ellipse(x, y, across, down), math.degrees(theta), x, y)
    raise ValueError(f"the shape {kind}")


def _createml(table: Path, document: Any) -> Iterator[_Said]:
    """What CreateML says of every photograph."""
    for one in _objects(table, document, "the photographs"):
        name = one.get("image", one.get("imagefilename"))
        if not isinstance(name, str):
            raise CatalogError(f"{table}: a photograph has no name; export the annotations anew.")
        marks = []
        for annotation in _objects(table, one.get("annotations", one.get("annotation")) or [], "annotations"):
            place = annotation.get("coordinates")
            try:
                x, y, width, height = _numbers(
                    place if isinstance(place, dict) else {}, "x", "y", "width", "height"
                )
                if min(width, height) <= 0:
                    raise ValueError(f"a box of {width:g} x {height:g}")
            except ValueError as error:
                _refuse(table, name, str(error))
            marks.append(
                Mark(type_name(annotation.get("label")), (x - width / 2, y - height / 2, width, height))
            )
        yield _Said(name, marks)


def _label_studio(table: Path, document: Any) -> Iterator[_Said]:
    """What Label Studio says of every photograph."""
    if not isinstance(document, list):
        raise CatalogError(f"{table} is not Label Studio's list of tasks: export it as JSON anew.")
    for task in _objects(table, document, "the tasks"):
        data = task.get("data")
        names = [value for value in data.values() if isinstance(value, str)] if isinstance(data, dict) else []
        if not names:
            raise CatalogError(f"{table}: a task names no photograph; export it anew.")
        name = unquote(names[0].split("?d=")[-1])
        done = [
            one
            for one in _objects(table, task.get("annotations", task.get("completions")) or [], "annotations")
            if one.get("was_cancelled") is not True
        ]
        marks: list[Mark] = []
        kinds: list[str] = []
        size = None
        for result in (one for each in done for one in _objects(table, each.get("result") or [], "result")):
            try:
                mark, size = _result(result, size)
            except ValueError as error:
                _refuse(table, name, str(error))
            if isinstance(mark, Mark):
                marks.append(mark)
            else:
                kinds += mark
        yield _Said(name, marks, kinds, size, bool(done))


def _result(
    result: Mapping[str, Any], size: tuple[int, int] | None
) -> tuple[Mark | list[str], tuple[int, int] | None]:
    """A mark, or names for the whole photograph; and the photograph's size, as far as it is known.

    Raises:
        ValueError: it cannot be meant.
    """
    value, kind = result.get("value"), str(result.get("type"))
    if not isinstance(value, dict):
        raise ValueError(f"a result of the type {kind}")
    labels = value.get(kind) or value.get("labels") or ["defect"]
    names = [type_name(label) for label in (labels if isinstance(labels, list) else [labels])]
    if kind in ("choices", "brushlabels", "brush") or "rle" in value:
        return names, size
    if kind in ("textarea", "rating", "relation", "labels"):
        return [], size
    width, height = whole_number(result.get("original_width")), whole_number(result.get("original_height"))
    if not width or not height:
        raise ValueError(f"the size {result.get('original_width')} x {result.get('original_height')}")
    # A thousandth of a pixel is more than anyone draws, and more than hundredths lose.
    outline = tuple((round(x * width / 100, 3), round(y * height / 100, 3)) for x, y in _hundredths(value))
    if value.get("rotation"):
        (degrees,) = _numbers(value, "rotation")
        about = (
            outline[0] if "radiusX" not in value else (value["x"] * width / 100, value["y"] * height / 100)
        )
        outline = turned(outline, degrees, *about)
    exact = "height" in value and "points" not in value and not value.get("rotation")
    return Mark(names[0], box_around(outline), () if exact else (outline,)), (width, height)


def _hundredths(value: Mapping[str, Any]) -> Polygon:
    """The outline of a result, in hundredths of the photograph.

    Raises:
        ValueError: it cannot be meant.
    """
    points = value.get("points", value.get("vertices"))
    if points is not None:
        pairs = (
            [one for one in points if isinstance(one, list) and len(one) == 2]
            if isinstance(points, list)
            else []
        )
        if len(pairs) != len(points):
            raise ValueError(f"the points {str(points)[:60]}")
        return _corners(value, [x for x, _ in pairs], [y for _, y in pairs], 3)
    if "radiusX" in value:
        return ellipse(*_numbers(value, "x", "y", "radiusX", "radiusY"))
    if "height" not in value:
        x, y = _numbers(value, "x", "y")
        return ((x, y),)
    x, y, width, height = _numbers(value, "x", "y", "width", "height")
    if min(width, height) <= 0:
        raise ValueError(f"a box of {width:g} x {height:g}")
    return rectangle(x, y, x + width, y + height)


VIA = _layout(
    "via",
    "VGG Image Annotator",
    [
        (b'"_via_img_metadata"',),
        (b'"shape_attributes"', b'"region_attributes"'),
        (b'"regions"', b'"file_attributes"'),
    ],
    _via,
)
LABEL_STUDIO = _layout(
    "label-studio", "Label Studio", [(b'"annotations"', b'"data"', b'"result"')], _label_studio
)
CREATEML = _layout(
    "createml",
    "CreateML",
    [(b'"annotations"', b'"image"', b'"coordinates"'), (b'"annotation"', b'"coordinates"')],
    _createml,
)
