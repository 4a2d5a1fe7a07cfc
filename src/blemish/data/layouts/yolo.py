"""YOLO's labels (docs.ultralytics.com/datasets/detect, /obb, /segment): a text file a photograph, a line a mark.

A line is `class x y width height` (the middle, and shares of the photograph's sides) or `class x1 y1 x2 y2 x3 y3 ...`,
the corners of a polygon or of a turned box. The labels lie in `labels/` and the photographs in `images/`, both with a
folder for each split or each inside its split's folder; or beside their photographs, as darknet has them. Classes are
named in `data.yaml` (or any other `.yaml` with `names`), or one a line in `obj.names`, `classes.txt` and the like. A
photograph without label file, or with an empty one, is a good part, if any other has a label.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

from blemish.core.errors import CatalogError, ImageError
from blemish.core.images import upright_size
from blemish.data.entries import SPLIT_NAMES, Problem, Reading, split_of
from blemish.data.layouts.annotation_files import (
    Photographs,
    box_around,
    content_of,
    corners_of,
    is_of_whole,
    lines_of,
    numbers_of,
    says,
    split_of_folders,
    type_name,
)
from blemish.data.layouts.layout import Layout
from blemish.data.layouts.marked import Export
from blemish.data.layouts.tree import FolderTree
from blemish.data.marks import Mark

IMAGES, LABELS = "images", "labels"
_NAME_FILES = ("classes.txt", "obj.names", "_darknet.labels", "labels.txt", "predefined_classes.txt")
_NO_LABELS = frozenset({*_NAME_FILES, *(f"{name}.txt" for name in SPLIT_NAMES), "readme.txt", "notes.json"})
_SUFFIXES = frozenset({".txt", ".yaml", ".yml", ".names", ".data", ".labels", ".cache"})
"""Files that belong to an export of YOLO."""
_LOOKED_INTO = 100
"""Label files that are looked into to recognise them."""


def _folders(tree: FolderTree) -> list[tuple[Path, Path]]:
    """Folders of photographs and of their labels, sorted; none where it has another layout."""
    splits = [folder for name, folder in tree.folders.items() if split_of(name)]
    within = [tree.folders, *(tree.folders_in(folder) for folder in splits)]
    pairs = [(folders[IMAGES], folders[LABELS]) for folders in within if {IMAGES, LABELS} <= folders.keys()]
    return [(images, labels) for images, labels in pairs if _only_labels(tree, labels)]


def _only_labels(tree: FolderTree, labels: Path) -> bool:
    """Whether a folder holds text files or nothing; with images in it, or with other annotations, it is another's."""
    others = [path for path in tree.others(folder=labels) if path.suffix.lower() != ".cache"]
    return not tree.images(labels) and all(path.suffix.lower() == ".txt" for path in others)


def _labels(tree: FolderTree, folder: Path | None = None) -> list[Path]:
    return [path for path in tree.others("*.txt", folder) if path.name.lower() not in _NO_LABELS]


def _beside(tree: FolderTree) -> list[Path]:
    """Labels beside their photographs: half of the files with a photograph's name hold labels, or classes are named."""
    stems = {path.with_suffix("") for path in tree.images()}
    files = [path for path in _labels(tree) if path.with_suffix("") in stems and is_of_whole(tree, path)]
    some = [line for path in files[:_LOOKED_INTO] for line in lines_of(path)[:1]]
    named = any(tree.others(name) for name in _NAME_FILES)
    return files if named or 2 * sum(map(_is_label, some)) > len(some) else []


def _is_label(line: str) -> bool:
    kind, *shares = line.split() or [""]
    return kind.isdecimal() and len(shares) >= 4 and numbers_of(shares) is not None


def _recognise(tree: FolderTree) -> str | None:
    if pairs := _folders(tree):
        return f"{tree.relative(pairs[0][1])}/ is for YOLO's labels"
    if beside := _beside(tree):
        return f"{tree.relative(beside[0])} holds YOLO's labels beside the photograph"
    described = next((path for path in _yaml_files(tree) if says(path, b"names:", b"train:")), None)
    return f"{described.name} describes photographs with YOLO's labels" if described else None


def _read(tree: FolderTree) -> Reading:
    """Entries of a folder with YOLO's labels; see `blemish.data.marks` for what marks become.

    Raises:
        CatalogError: a label, or the file that names the classes, cannot be meant.
    """
    export, names = Export("yolo", tree), _class_names(tree)
    export.reading.known.update(path for path in tree.others() if path.suffix.lower() in _SUFFIXES)
    listed = _listed_splits(tree)
    for path, file in _pairs(tree, export):
        split = listed.get(path) or split_of_folders(tree, path)
        if file is None:
            export.add_unlabelled(path, split)
            continue
        lines = [(number, line) for number, line in enumerate(lines_of(file), 1) if line.strip()]
        try:
            size = upright_size(path) if lines else None
        except ImageError as error:
            export.reading.problems.append(Problem(error.kind, str(path), error.detail))
            continue
        marks = [_mark(f"{file}, line {number}", line, names, *size) for number, line in lines if size]
        export.add(path, split, marks, size=size)
    where = ", ".join(f"{tree.relative(labels)}/" for _, labels in _folders(tree)) or "the label files"
    return export.finished(where)


def _pairs(tree: FolderTree, export: Export) -> Iterator[tuple[Path, Path | None]]:
    """Photographs with their label files, whatever the case of their names; None where there is none."""
    for images, labels in _folders(tree) or [(tree.root, tree.root)]:
        files: dict[str, Path] = {_key(path, labels): path for path in _labels(tree, labels)}
        photographs: dict[str, list[Path]] = defaultdict(list)
        for path in tree.images(images):
            photographs[_key(path, images)].append(path)
        for key, paths in photographs.items():
            for path in paths:
                yield path, files.get(key)
        if labels != tree.root:
            for key in files.keys() - photographs.keys():
                if lines_of(files[key]):
                    export.add_stray(files[key])


def _key(path: Path, folder: Path) -> str:
    return path.relative_to(folder).with_suffix("").as_posix().lower()


def _listed_splits(tree: FolderTree) -> dict[Path, str]:
    """Splits of the photographs that `train.txt`, `valid.txt` and `test.txt` name, as darknet and CVAT write them."""
    lists = {file: SPLIT_NAMES.get(file.stem.lower()) for file in tree.others("*.txt", recursive=False)}
    if not any(lists.values()):
        return {}
    photographs, found = Photographs(tree), {}
    for file, split in lists.items():
        for line in lines_of(file) if split else []:
            if split and (path := photographs.named(line.strip(), tree.root, split)):
                found[path] = split
    return found


def _mark(where: str, line: str, names: Mapping[int, str], width: int, height: int) -> Mark:
    """One line of labels.

    Raises:
        CatalogError: it cannot be meant.
    """
    kind, *shares = line.split()
    values = numbers_of(shares) or []
    # Rounding takes boxes over the edge by a hair.
    inside = all(-0.01 <= value <= 1.01 for value in values)
    polygon = len(values) >= 6 and len(values) % 2 == 0
    if not kind.isdecimal() or not inside or not (len(values) == 4 or polygon):
        raise CatalogError(
            f"{where}: {line.strip()[:60]!r} is no label; write class, x, y, width and height, or class and the "
            "corners of a polygon, in shares of the photograph from 0 to 1."
        )
    name = names.get(int(kind[:9]), f"class {kind[:9]}")
    if not polygon:
        x, y, across, down = values
        left, top = (x - across / 2) * width, (y - down / 2) * height
        return Mark(name, (left, top, across * width, down * height))
    corners = tuple((x * width, y * height) for x, y in corners_of(values))
    return Mark(name, box_around(corners), (corners,))


def _class_names(tree: FolderTree) -> dict[int, str]:
    """Names of the classes by number; empty where no file says them."""
    for path in _yaml_files(tree):
        if names := _names_in_yaml(path):
            return names
    for name in _NAME_FILES:
        for file in sorted(tree.others(name), key=lambda path: len(path.parts))[:1]:
            return {number: type_name(line) for number, line in enumerate(lines_of(file)) if line.strip()}
    return {}


def _yaml_files(tree: FolderTree) -> list[Path]:
    return sorted((*tree.others("*.yaml", recursive=False), *tree.others("*.yml", recursive=False)))


def _names_in_yaml(path: Path) -> dict[int, str]:
    """What a data set's YAML file calls its classes.

    Raises:
        CatalogError: the file is no YAML.
    """
    import yaml

    try:
        document = yaml.safe_load(content_of(path, 1 << 20).decode("utf-8"))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise CatalogError(
            f"{path} is not a YAML file that can be read: correct it, or remove it."
        ) from error
    names = document.get("names") if isinstance(document, dict) else None
    if isinstance(names, list):
        names = dict(enumerate(names))
    if not isinstance(names, dict):
        return {}
    return {number: type_name(name) for number, name in names.items() if isinstance(number, int)}


YOLO = Layout(
    "yolo",
    "images/ and labels/, each with a folder for each split or inside the split's folder, or labels beside photographs",
    _recognise,
    _read,
)
