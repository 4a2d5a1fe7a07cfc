"""COCO's annotations (Lin et al., "Microsoft COCO", ECCV 2014; cocodataset.org/#format-data): boxes and polygons.

The JSON file lies beside the photographs (`_annotations.coco.json` in `train/`, `valid/` and `test/`, as Roboflow
exports), or in `annotations/`, one for each split (`instances_train2017.json`, as COCO itself). A photograph without an
annotation is a good part.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatch
from functools import lru_cache
from pathlib import Path
from typing import Any

from blemish.core.errors import CatalogError
from blemish.data.entries import TRAIN, Entry, Problem, Reading, split_of
from blemish.data.layouts.layout import Layout
from blemish.data.layouts.tree import FolderTree
from blemish.data.marks import Mark, Polygon, marked_entry, with_known_splits

_NAMES = (
    *("_annotations.coco.json", "annotations.json", "instances*.json", "coco*.json", "*_coco.json"),
    *("labels.json", "result.json"),
)
_LARGEST = 1 << 29
"""Bytes of a JSON file that is read."""


def coco_files(root: Path) -> list[Path]:
    """Files in a category's folder that hold COCO's annotations, sorted; none where it has another layout.

    Raises:
        CatalogError: a file that is named like annotations is too large to read.
    """
    return [path for path in _candidates(root) if _document(path) is not None]


def _read(tree: FolderTree) -> Reading:
    """Entries of a folder with COCO's annotations; see `blemish.data.marks` for what marks become.

    Raises:
        CatalogError: an annotation cannot be meant.
    """
    reading, root = Reading("coco"), tree.root
    entries: list[Entry] = []
    for table in coco_files(root):
        reading.known.add(table)
        document = _document(table) or {}
        names = {one.get("id"): str(one.get("name", "defect")) for one in document.get("categories", [])}
        marks: dict[Any, list[Mark]] = {}
        for number, annotation in enumerate(document["annotations"]):
            mark = _mark(annotation, names, table, number)
            marks.setdefault(annotation.get("image_id"), []).append(mark)
        for image in document["images"]:
            entry = _entry(image, marks.get(image.get("id"), []), table, root)
            if entry.path.is_file():
                entries.append(entry)
            else:
                detail = (
                    f"{table.name} names it, but there is no such file; copy it there or correct the file."
                )
                reading.problems.append(Problem("missing", str(entry.path), detail))
    reading.entries = with_known_splits(entries, root)
    return reading


def _recognise(tree: FolderTree) -> str | None:
    tables = coco_files(tree.root)
    return f"{tree.relative(tables[0])} holds COCO's annotations" if tables else None


def _candidates(root: Path) -> Iterator[Path]:
    """Files named like COCO's in the folder, in folders named after splits, and in `annotations/`."""
    folders = [root, *(path for path in sorted(root.iterdir()) if path.is_dir() and _may_hold(path))]
    for folder in folders:
        for path in sorted(folder.glob("*.json")):
            if folder.name == "annotations" or any(fnmatch(path.name.lower(), name) for name in _NAMES):
                yield path


def _may_hold(folder: Path) -> bool:
    return folder.name.lower() == "annotations" or split_of(folder.name) is not None


def _document(path: Path) -> dict[str, Any] | None:
    """The file's document; None where it is not COCO's."""
    status = path.stat()
    if status.st_size > _LARGEST:
        raise CatalogError(
            f"{path} is larger than {_LARGEST >> 20} MiB: split the annotations into several files."
        )
    return _parsed(path, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=4)
def _parsed(path: Path, moment: int, size: int) -> dict[str, Any] | None:
    """The document as of a moment: a layout is looked for, and then read."""
    try:
        document = json.loads(path.read_bytes())
    except (ValueError, OSError, RecursionError):
        return None
    known = isinstance(document, dict) and all(
        isinstance(document.get(key), list) and all(isinstance(one, dict) for one in document[key])
        for key in ("images", "annotations")
    )
    return document if known else None


def _entry(image: Mapping[str, Any], marks: Sequence[Mark], table: Path, root: Path) -> Entry:
    """One photograph of the file."""
    name, width, height = image.get("file_name"), image.get("width"), image.get("height")
    named = isinstance(name, str) and bool(name)
    if not isinstance(width, int) or not isinstance(height, int) or not named:
        raise CatalogError(
            f"{table}, image {image.get('id')}: it needs file_name, width and height; export the annotations anew."
        )
    split = split_of(table.parent.name) or split_of(table.stem) or TRAIN
    return marked_entry(_located(str(name), table, root), split, marks, width, height)


def _located(name: str, table: Path, root: Path) -> Path:
    """Where a photograph lies: beside the file, or in a folder of images, of the split or both."""
    relative = Path(name.replace("\\", "/"))
    split = table.stem.removeprefix("instances_")
    bases = [table.parent, root, root / "images", root / "data", root / split, root / "images" / split]
    bases += [table.parent / "images"]
    found = (base / relative for base in bases)
    return next((path.absolute() for path in found if path.is_file()), (table.parent / relative).absolute())


def _mark(annotation: Mapping[str, Any], names: Mapping[Any, str], table: Path, number: int) -> Mark:
    """One annotation.

    Raises:
        CatalogError: its box or its category cannot be meant.
    """
    box, kind = annotation.get("bbox"), annotation.get("category_id")
    if (
        not isinstance(box, list)
        or len(box) != 4
        or not _finite(box)
        or min(box[2:]) <= 0
        or kind not in names
    ):
        wrong = f"bbox {box}" if kind in names else f"category_id {kind}"
        raise CatalogError(
            f"{table}, annotation {annotation.get('id', number)}: {wrong} cannot be meant; give x, y, width and height "
            "in pixels and one of its categories."
        )
    x, y, width, height = map(float, box)
    return Mark(names[kind], (x, y, width, height), _polygons(annotation.get("segmentation")))


def _polygons(segmentation: Any) -> tuple[Polygon, ...]:
    """Outlines; none where only the box counts, as with run lengths."""
    if not isinstance(segmentation, list):
        return ()
    outlines = []
    for flat in segmentation:
        if isinstance(flat, list) and len(flat) >= 6 and _finite(flat):
            outlines.append(tuple(zip(map(float, flat[::2]), map(float, flat[1::2]), strict=False)))
    return tuple(outlines)


def _finite(values: Sequence[Any]) -> bool:
    return all(isinstance(one, int | float) and math.isfinite(one) for one in values)


COCO = Layout(
    "coco",
    "COCO's JSON beside the photographs, in the folder of each split or in annotations/",
    _recognise,
    _read,
)
