"""YOLO's labels (docs.ultralytics.com/datasets/detect): a text file a photograph, a line a box or polygon.

A line is `class x y width height` (the middle, and shares of the photograph's sides) or `class x1 y1 x2 y2 x3 y3 ...`.
The photographs lie in `images/` and the labels in `labels/`, both with a folder for each split or each inside its
split's folder; classes are named in `data.yaml` (or any other `.yaml` with `names`), or one a line in `classes.txt`. A
photograph without label file, or with an empty one, is a good part.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

from blemish.core.errors import CatalogError, ImageError
from blemish.core.images import upright_size
from blemish.data.entries import GOOD, NORMAL, TRAIN, Entry, Problem, Reading, split_of
from blemish.data.layouts.layout import Layout
from blemish.data.layouts.tree import FolderTree
from blemish.data.marks import Mark, marked_entry, with_known_splits

IMAGES, LABELS = "images", "labels"
_NAME_FILES = ("classes.txt", "obj.names", "labels.txt")


def label_folders(root: Path) -> list[tuple[Path, Path]]:
    """Folders of photographs and of their labels in a category's folder, sorted; none where it has another layout."""
    bases = [root, *(path for path in sorted(root.iterdir()) if path.is_dir() and split_of(path.name))]
    pairs = [(base / IMAGES, base / LABELS) for base in bases]
    return [(images, labels) for images, labels in pairs if images.is_dir() and _has_labels(labels)]


def _read(tree: FolderTree) -> Reading:
    """Entries of a folder with YOLO's labels; see `blemish.data.marks` for what marks become.

    Raises:
        CatalogError: a label, or the file that names the classes, cannot be meant.
    """
    reading, root = Reading("yolo"), tree.root
    names = _class_names(root)
    entries: list[Entry] = []
    for images, labels in label_folders(root):
        reading.known.update(labels.rglob("*"))
        unlabelled = 0
        for path in tree.images(images):
            relative = path.relative_to(images)
            split = split_of(relative.parts[0] if len(relative.parts) > 1 else images.parent.name) or TRAIN
            file = labels / relative.with_suffix(".txt")
            unlabelled += not file.is_file()
            try:
                entries.append(_entry(path, split, file, names))
            except ImageError as error:
                reading.problems.append(Problem(error.kind, str(path), error.detail))
        if unlabelled:
            detail = f"{unlabelled} photographs have no label file and count as good parts; mark their defects if not."
            reading.problems.append(Problem("label-missing", str(images), detail))
    reading.entries = with_known_splits(entries, root)
    return reading


def _recognise(tree: FolderTree) -> str | None:
    pairs = label_folders(tree.root)
    return f"{tree.relative(pairs[0][1])}/ holds YOLO's labels" if pairs else None


def _has_labels(folder: Path) -> bool:
    return folder.is_dir() and any(path.suffix == ".txt" for path in folder.rglob("*.txt"))


def _entry(path: Path, split: str, file: Path, names: Mapping[int, str]) -> Entry:
    """One photograph with its labels."""
    lines = file.read_text("utf-8", "replace").splitlines() if file.is_file() else []
    lines = [line for line in lines if line.strip()]
    if not lines:
        return Entry(path, split, NORMAL, GOOD)
    width, height = upright_size(path)
    marks = [
        _mark(f"{file}, line {number}", line, names, width, height) for number, line in enumerate(lines, 1)
    ]
    return marked_entry(path, split, marks, width, height)


def _mark(where: str, line: str, names: Mapping[int, str], width: int, height: int) -> Mark:
    """One line of labels.

    Raises:
        CatalogError: it cannot be meant.
    """
    kind, *shares = line.split()
    try:
        values = [float(share) for share in shares]
    except ValueError:
        values = []
    # Rounding takes boxes over the edge by a hair.
    inside = all(math.isfinite(value) and -0.01 <= value <= 1.01 for value in values)
    polygon = len(values) >= 6 and len(values) % 2 == 0
    if not kind.isdecimal() or not inside or not (len(values) == 4 or polygon):
        raise CatalogError(
            f"{where}: {line.strip()[:60]!r} is no label; write class, x, y, width and height, or class and the "
            "corners of a polygon, in shares of the photograph from 0 to 1."
        )
    name = names.get(int(kind), f"class {kind}")
    if not polygon:
        x, y, across, down = values
        left, top = (x - across / 2) * width, (y - down / 2) * height
        return Mark(name, (left, top, across * width, down * height))
    corners = tuple((x * width, y * height) for x, y in zip(values[::2], values[1::2], strict=True))
    left, top = min(x for x, _ in corners), min(y for _, y in corners)
    right, bottom = max(x for x, _ in corners), max(y for _, y in corners)
    return Mark(name, (left, top, right - left, bottom - top), (corners,))


def _class_names(root: Path) -> dict[int, str]:
    """Names of the classes by number; empty where no file says them."""
    for path in (*sorted(root.glob("*.yaml")), *sorted(root.glob("*.yml"))):
        if names := _names_in_yaml(path):
            return names
    for file in (root / name for name in _NAME_FILES):
        if file.is_file():
            return dict(enumerate(file.read_text("utf-8", "replace").split("\n")))
    return {}


def _names_in_yaml(path: Path) -> dict[int, str]:
    """What a data set's YAML file calls its classes.

    Raises:
        CatalogError: the file is no YAML.
    """
    import yaml

    try:
        document = yaml.safe_load(path.read_text("utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise CatalogError(
            f"{path} is not a YAML file that can be read: correct it, or remove it."
        ) from error
    names = document.get("names") if isinstance(document, dict) else None
    if isinstance(names, list):
        return {number: str(name) for number, name in enumerate(names)}
    if isinstance(names, dict):
        return {number: str(name) for number, name in names.items() if isinstance(number, int)}
    return {}


YOLO = Layout(
    "yolo",
    "images/ and labels/, each with a folder for each split or inside the split's folder",
    _recognise,
    _read,
)
