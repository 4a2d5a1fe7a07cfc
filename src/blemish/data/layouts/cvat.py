"""CVAT for images 1.1 (docs.cvat.ai/docs/dataset_management/formats/format-cvat): `annotations.xml` and `images/`.

An `image` holds boxes, polygons, lines, points, ellipses, and masks as run lengths along the rows of their rectangle;
a `tag` speaks of the whole photograph. One without any of them is a good part; one that is not listed is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree.ElementTree import Element

from blemish.core.errors import CatalogError
from blemish.data.entries import Reading, split_of
from blemish.data.layouts.annotation_files import (
    Photographs,
    box_around,
    corners_of,
    is_of_whole,
    line_of,
    numbers_of,
    says,
    split_of_folders,
    type_name,
    whole_number,
    xml_of,
)
from blemish.data.layouts.layout import Layout
from blemish.data.layouts.marked import Export
from blemish.data.layouts.shapes import ellipse, line, rectangle, turned
from blemish.data.layouts.tree import FolderTree
from blemish.data.marks import Mark, Polygon
from blemish.data.run_lengths import Runs

_SHAPES = frozenset({"box", "polygon", "polyline", "points", "ellipse", "mask", "cuboid", "skeleton"})


def _tables(tree: FolderTree) -> list[Path]:
    files = [path for path in tree.others("*.xml") if is_of_whole(tree, path)]
    return [path for path in files[:20] if says(path, b"<annotations", among=4096)]


def _recognise(tree: FolderTree) -> str | None:
    tables = _tables(tree)
    return f"{tree.relative(tables[0])} holds CVAT's annotations" if tables else None


def _read(tree: FolderTree) -> Reading:
    """Entries of an export of CVAT; see `blemish.data.marks` for what marks become.

    Raises:
        CatalogError: the file is broken, or a shape cannot be meant.
    """
    export, photographs, tables = Export("cvat", tree), Photographs(tree), _tables(tree)
    for table in tables:
        export.reading.known.add(table)
        root = xml_of(table)
        if root.find("track") is not None:
            raise CatalogError(f"{table} is CVAT's export of a video: export it as CVAT for images.")
        for image in root.iter("image"):
            name = image.get("name", "")
            size = whole_number(image.get("width")), whole_number(image.get("height"))
            if not name or not size[0] or not size[1]:
                raise CatalogError(
                    f"{line_of(table, image)}: an image needs name, width and height; export it anew."
                )
            split = split_of(image.get("subset", "")) or split_of_folders(tree, table)
            marks = [_mark(table, shape) for shape in image if shape.tag in _SHAPES]
            kinds = [type_name(tag.get("label")) for tag in image if tag.tag == "tag"]
            path = photographs.named(name, table.parent, split)
            if path is None:
                export.missing(table.parent / "images" / name, table)
            else:
                export.add(path, split or split_of_folders(tree, path), marks, kinds, (size[0], size[1]))
    return export.finished(tree.relative(tables[0]) if tables else "no file of CVAT's")


def _mark(table: Path, shape: Element) -> Mark:
    """One shape.

    Raises:
        CatalogError: it cannot be meant.
    """
    kind = type_name(shape.get("label"))
    try:
        if shape.tag == "mask":
            runs = _runs(shape)
            return Mark(kind, runs.box, (), runs)
        outline = _outline(shape)
    except ValueError as error:
        raise CatalogError(
            f"{line_of(table, shape)}: the {shape.tag} {kind!r} cannot be meant, for {error}; export it anew."
        ) from error
    straight = shape.tag == "box" and not float(shape.get("rotation") or 0)
    return Mark(kind, box_around(outline), () if straight else (outline,))


def _runs(shape: Element) -> Runs:
    """The run lengths of a mask.

    Raises:
        ValueError: they cannot be meant.
    """
    left, top, width, height = (
        _whole(shape.get(name, ""), name) for name in ("left", "top", "width", "height")
    )
    counts = [_whole(text, "rle") for text in shape.get("rle", "").split(",")]
    return Runs(left, top, width, height, tuple(counts))


def _whole(text: str, name: str) -> int:
    number = whole_number(text.strip())
    if number is None:
        raise ValueError(f"{name} has {text[:30]!r} where a whole number stands")
    return number


def _outline(shape: Element) -> Polygon:
    """The outline of a shape that is no mask.

    Raises:
        ValueError: it cannot be meant.
    """
    if shape.tag == "box":
        left, top, right, bottom = _floats(shape, "xtl", "ytl", "xbr", "ybr")
        if left > right or top > bottom:
            raise ValueError(f"it goes from {left:g}, {top:g} to {right:g}, {bottom:g}")
        return _turned(rectangle(left, top, right, bottom), shape)
    if shape.tag == "ellipse":
        x, y, across, down = _floats(shape, "cx", "cy", "rx", "ry")
        return _turned(ellipse(x, y, across, down), shape)
    if shape.tag == "cuboid":
        names = [name for name in shape.keys() if re.fullmatch(r"[xy](tl|tr|bl|br)[12]", name)]  # noqa: SIM118
        values = _floats(shape, *names)
        columns = [value for name, value in zip(names, values, strict=True) if name[0] == "x"]
        rows = [value for name, value in zip(names, values, strict=True) if name[0] == "y"]
        if not columns or not rows:
            raise ValueError("it has no corners")
        return rectangle(min(columns), min(rows), max(columns), max(rows))
    flat = [value for text in _texts(shape) for value in re.split("[;,]", text)]
    numbers = numbers_of(flat)
    if not numbers or len(numbers) % 2 or (shape.tag == "polygon" and len(numbers) < 6):
        raise ValueError(f"its points are {';'.join(flat)[:60]!r}")
    corners = corners_of(numbers)
    return corners if shape.tag == "polygon" else line(corners)


def _texts(shape: Element) -> Iterator[str]:
    """The points of a shape, or of the parts of a skeleton."""
    parts = [shape] if shape.tag != "skeleton" else list(shape.iter("points"))
    return (part.get("points", "") for part in parts)


def _turned(corners: Polygon, shape: Element) -> Polygon:
    """Corners turned about their middle by the shape's rotation, in degrees."""
    (degrees,) = _floats(shape, "rotation") if shape.get("rotation") else (0.0,)
    left, top, across, down = box_around(corners)
    return turned(corners, degrees, left + across / 2, top + down / 2) if degrees else corners


def _floats(shape: Element, *names: str) -> list[float]:
    numbers = numbers_of(shape.get(name) for name in names)
    if numbers is None:
        raise ValueError(f"{', '.join(names)} are {', '.join(str(shape.get(name)) for name in names)[:80]}")
    return numbers


CVAT = Layout("cvat", "CVAT for images: annotations.xml with images/", _recognise, _read)
