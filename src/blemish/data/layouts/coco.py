"""COCO's annotations (Lin et al., "Microsoft COCO", ECCV 2014; cocodataset.org/#format-data).

They are boxes, polygons and run lengths. The JSON file lies beside the photographs (`_annotations.coco.json` in
`train/`, `valid/` and `test/`, as Roboflow exports), or in `annotations/`, one for each split
(`instances_train2017.json`, as COCO itself). A photograph that it lists without an annotation is a good part; one that
it does not list is left out.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, NoReturn

from blemish.core.errors import CatalogError
from blemish.data.entries import Reading, named, split_of
from blemish.data.layouts.annotation_files import (
    Photographs,
    box_around,
    corners_of,
    json_of,
    numbers_of,
    says,
    split_of_folders,
    type_name,
    whole_number,
)
from blemish.data.layouts.layout import Layout
from blemish.data.layouts.marked import Export
from blemish.data.layouts.tree import FolderTree
from blemish.data.marks import Mark, Polygon
from blemish.data.run_lengths import Runs, runs_of_text

_OWN_NAMES = ("_annotations.coco.json", "instances_*.json", "instances.json")
"""Names that only COCO's files have: they count even where they are broken."""
_FOLDERS = frozenset({"annotations", "annotation", "labels"})
_MOST_FILES = 20
"""JSON files in a folder that are looked into; where there are more, each is of one photograph."""


def _tables(tree: FolderTree) -> list[Path]:
    """Files with COCO's annotations, in the folder, in folders of splits and of annotations."""
    files = [path for path in tree.others("*.json") if _may_hold(tree, path.parent)]
    counts = Counter(path.parent for path in files)
    return [path for path in files if counts[path.parent] <= _MOST_FILES and _is_table(path)]


def _may_hold(tree: FolderTree, folder: Path) -> bool:
    names = folder.relative_to(tree.root).parts
    return len(names) <= 2 and all(name.lower() in _FOLDERS or split_of(name) for name in names)


def _is_table(path: Path) -> bool:
    if any(fnmatch(path.name.lower(), name) for name in _OWN_NAMES):
        return True
    with path.open("rb") as stream:
        start = stream.read(64).lstrip(b"\xef\xbb\xbf \t\r\n")
    return start.startswith(b"{") and says(path, b'"images"', b'"annotations"')


def _recognise(tree: FolderTree) -> str | None:
    tables = _tables(tree)
    return f"{tree.relative(tables[0])} holds COCO's annotations" if tables else None


def _read(tree: FolderTree) -> Reading:
    """Entries of a folder with COCO's annotations; see `blemish.data.marks` for what marks become.

    Raises:
        CatalogError: a file is broken, or an annotation cannot be meant.
    """
    export, photographs = Export("coco", tree), Photographs(tree)
    tables = _tables(tree)
    for table in tables:
        export.reading.known.add(table)
        document = _document(table)
        names = {_key(one.get("id")): type_name(one.get("name")) for one in document["categories"]}
        marked: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
        for annotation in document["annotations"]:
            marked[_key(annotation.get("image_id"))].append(annotation)
        split = split_of(table.stem) or split_of_folders(tree, table)
        keys = Counter(_key(image.get("id")) for image in document["images"])
        for image in document["images"]:
            name, width, height = _photograph(image, table)
            key = _key(image.get("id"))
            if not key or keys[key] > 1:
                raise CatalogError(
                    f"{table}: image id {image.get('id')!r} is none, or is given twice; export it anew."
                )
            marks, kinds = _marks(marked.pop(key, []), names, table, (width, height))
            path = photographs.named(name, table.parent, split)
            if path is None:
                export.missing((table.parent / name.replace("\\", "/")).absolute(), table)
            else:
                export.add(path, split or split_of_folders(tree, path), marks, kinds, (width, height))
        for annotation in (one for rest in marked.values() for one in rest):
            _refuse(
                annotation, table, f"image_id {annotation.get('image_id')!r}", "the id of one of its images"
            )
    return export.finished(named([tree.relative(path) for path in tables], 3))


def _document(path: Path) -> dict[str, Any]:
    """The file's document, with lists of objects for images, annotations and categories.

    Raises:
        CatalogError: it is not COCO's.
    """
    document = json_of(path)
    if not isinstance(document, dict):
        raise CatalogError(f"{path} is not COCO's: it must hold an object; export the annotations anew.")
    for key in ("images", "annotations", "categories"):
        value = document.get(key, [] if key == "categories" else None)
        if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
            raise CatalogError(f"{path} is not COCO's: {key} must be a list of objects; export it anew.")
        document[key] = value
    return document


def _key(value: Any) -> str:
    """An id as text, for some programs write 7, others "7" or 7.0; "" where it can be none."""
    number = whole_number(value)
    return (value if isinstance(value, str) else "") if number is None else str(number)


def _photograph(image: Mapping[str, Any], table: Path) -> tuple[str, int, int]:
    """Name, width and height of a photograph of the file.

    Raises:
        CatalogError: one of them is missing.
    """
    name = image.get("file_name")
    width, height = whole_number(image.get("width")), whole_number(image.get("height"))
    if not isinstance(name, str) or not name or width is None or height is None:
        raise CatalogError(
            f"{table}, image {image.get('id')}: it needs file_name, width and height; export the annotations anew."
        )
    return name, width, height


def _marks(
    annotations: Iterable[Mapping[str, Any]], names: Mapping[str, str], table: Path, size: tuple[int, int]
) -> tuple[list[Mark], list[str]]:
    """The marks of one photograph, and what it is called as a whole."""
    found = [_mark(annotation, names, table, *size) for annotation in annotations]
    return [one for one in found if isinstance(one, Mark)], [one for one in found if isinstance(one, str)]


def _mark(
    annotation: Mapping[str, Any], names: Mapping[str, str], table: Path, width: int, height: int
) -> Mark | str:
    """One annotation: a mark, or its category alone where it marks no place.

    Raises:
        CatalogError: its box, its outline or its category cannot be meant.
    """
    kind = _key(annotation.get("category_id"))
    if kind not in names:
        _refuse(annotation, table, f"category_id {annotation.get('category_id')!r}", "one of its categories")
    polygons, runs = _shape(annotation, table, width, height)
    box = annotation.get("bbox") or None
    if box is None:
        if runs:
            return Mark(names[kind], runs.box, (), runs)
        if not polygons:
            return names[kind]
        return Mark(names[kind], box_around(tuple(corner for one in polygons for corner in one)), polygons)
    numbers = numbers_of(box) if isinstance(box, list) and len(box) == 4 else None
    if numbers is None or min(numbers[2:]) <= 0:
        _refuse(annotation, table, f"bbox {_short(box)}", "x, y, width and height in pixels")
    x, y, across, down = numbers
    return Mark(names[kind], (x, y, across, down), polygons, runs)


def _shape(
    annotation: Mapping[str, Any], table: Path, width: int, height: int
) -> tuple[tuple[Polygon, ...], Runs | None]:
    """Outlines or run lengths of an annotation; neither where only the box counts."""
    shape = annotation.get("segmentation")
    if not shape:
        return (), None
    if isinstance(shape, dict):
        try:
            return (), _runs(shape, width, height)
        except ValueError as error:
            _refuse(annotation, table, "segmentation", f"run lengths of {width} x {height} pixels ({error})")
    outlines = shape if isinstance(shape, list) and isinstance(shape[0], list) else [shape]
    found = []
    for flat in outlines:
        numbers = numbers_of(flat) if isinstance(flat, list) and len(flat) % 2 == 0 else None
        if numbers is None:
            _refuse(annotation, table, f"segmentation {_short(flat)}", "x and y of corners in pixels")
        elif len(numbers) >= 6:  # some programs write outlines of one or two corners: the box counts
            found.append(corners_of(numbers))
    return tuple(found), None


def _runs(shape: Mapping[str, Any], width: int, height: int) -> Runs | None:
    """Run lengths, as numbers or in COCO's compressed coding; None where they mark nothing.

    Raises:
        ValueError: they cannot be meant.
    """
    size, counts = shape.get("size"), shape.get("counts")
    if size != [height, width]:
        raise ValueError(f"size is {_short(size)}")
    if isinstance(counts, str):
        runs = runs_of_text(counts, width, height)
    elif isinstance(counts, list) and all(whole_number(one) is not None for one in counts):
        runs = Runs(0, 0, width, height, tuple(map(int, counts)), by_column=True)
    else:
        raise ValueError(f"counts is {_short(counts)}")
    return runs if sum(runs.counts[1::2]) else None


def _refuse(annotation: Mapping[str, Any], table: Path, wrong: str, wanted: str) -> NoReturn:
    """Raise the error for an annotation that cannot be meant."""
    raise CatalogError(f"{table}, annotation {annotation.get('id')}: {wrong} cannot be meant; give {wanted}.")


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


COCO = Layout(
    "coco",
    "COCO's JSON beside the photographs, in the folder of each split or in annotations/",
    _recognise,
    _read,
)
