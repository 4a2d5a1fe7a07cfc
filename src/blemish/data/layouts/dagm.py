"""DAGM 2007: ten painted textures (Wieler and Hahn, "Weakly supervised learning for industrial optical inspection",
DAGM Symposium 2007).

- As of today: `Class1/Train/0576.PNG`, the masks of defective ones in `Class1/Train/Label/0576_label.PNG`, and `Test/`
  likewise; `Label/Labels.txt` has a line a photograph with 1 for a defective one.
- As of then: `Class1/1.png` for good ones and, beside that folder, `Class1_def/1.png` for defective ones, with a line
  in `Class1_def/labels.txt` for each: number, both half axes of an ellipse, its angle, and x and y of its middle.
"""

from __future__ import annotations

import math
from pathlib import Path

from blemish.core.errors import CatalogError, ImageError
from blemish.core.images import upright_size
from blemish.data.entries import (
    ANOMALOUS,
    DEFECT,
    GOOD,
    NORMAL,
    TEST,
    TRAIN,
    Entry,
    Problem,
    Reading,
    part_normal,
)
from blemish.data.layouts.layout import Layout
from blemish.data.layouts.pairs import with_masks
from blemish.data.layouts.tree import FolderTree
from blemish.data.marks import Mark, marked_entry, with_known_splits

_LABEL, _LIST = "label", "labels.txt"
_CORNERS = 64
"""Corners of the polygon that stands for an ellipse."""
_FARTHEST = 1e5
"""Pixels, more than any photograph has."""


def _recognise(tree: FolderTree) -> str | None:
    for split in (TRAIN, TEST):
        labels = tree.folder(split, _LABEL)
        if labels and (tree.others(_LIST, labels) or _masks(tree, labels)):
            return f"{tree.relative(labels)}/ marks the defective ones of the photographs beside it"
    if pair := _good_and_defective(tree):
        return f"{pair[1].name}/{_LIST} describes its defects, and {pair[0].name}/ lies beside it"
    return None


def _read(tree: FolderTree) -> Reading:
    """Entries of one class.

    Raises:
        CatalogError: a line of the old labels cannot be meant.
    """
    pair = _good_and_defective(tree)
    return _read_old(tree, *pair) if pair else _read_new(tree)


def _read_new(tree: FolderTree) -> Reading:
    """Good photographs by the official split; defective ones are for testing, those of `Train/` too."""
    reading = Reading("dagm")
    entries: list[Entry] = []
    for split in (TRAIN, TEST):
        folder, labels = tree.folder(split), tree.folder(split, _LABEL)
        if folder is None:
            continue
        photographs = tree.images(folder, recursive=False)
        if labels is None:
            detail = (
                f"its folder Label/ is missing, so nothing says which of its {len(photographs)} photographs are good, "
                "and all are left out; unpack the archive again."
            )
            reading.problems.append(Problem("label-missing", str(folder), detail))
            reading.set_aside(photographs)
            continue
        masks = _masks(tree, labels)
        defective = _listed_defective(tree, labels) | {_key(mask) for mask in masks}
        reading.known.update(tree.others(_LIST, labels))
        found = [
            Entry(path, split, ANOMALOUS, DEFECT)
            if _key(path) in defective
            else Entry(path, split, NORMAL, GOOD)
            for path in photographs
        ]
        entries += with_masks(reading, found, masks, _key)
    reading.entries = with_known_splits(entries, tree.root)
    return reading


def _masks(tree: FolderTree, labels: Path) -> list[Path]:
    return [path for path in tree.images(labels, recursive=False) if path.stem.lower().endswith("_label")]


def _key(path: Path) -> str:
    return path.stem.lower().removesuffix("_label")


def _listed_defective(tree: FolderTree, labels: Path) -> set[str]:
    """Names of the photographs that `Labels.txt` calls defective: a line is number, 0 or 1, file, 0, mask or 0."""
    names = set()
    for table in tree.others(_LIST, labels):
        for line in _lines(table):
            cells = line.split()
            if len(cells) >= 3 and cells[1] == "1":
                names.add(Path(cells[2]).stem.lower())
    return names


def _lines(table: Path) -> list[str]:
    """The lines of a file.

    Raises:
        CatalogError: it cannot be read.
    """
    try:
        return table.read_text("utf-8", "replace").splitlines()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise CatalogError(
            f"{table} cannot be read ({reason}): allow it, or unpack the archive again."
        ) from error


def _good_and_defective(tree: FolderTree) -> tuple[Path, Path] | None:
    """Folders of good and defective photographs as of 2007: the only pair in the root, or the root and its other."""
    pairs = [
        (folder, tree.folders[f"{name}_def"])
        for name, folder in tree.folders.items()
        if f"{name}_def" in tree.folders and _list_in(tree.folders[f"{name}_def"])
    ]
    if len(pairs) == 1:
        return pairs[0]
    beside = next((tree.root.with_name(tree.root.name + end) for end in ("_def", "_DEF")), tree.root)
    return (tree.root, beside) if not pairs and _list_in(beside) else None


def _list_in(folder: Path) -> Path | None:
    return next(
        (folder / name for name in (_LIST, "Labels.txt", "LABELS.TXT") if (folder / name).is_file()), None
    )


def _read_old(tree: FolderTree, good: Path, defective: Path) -> Reading:
    """Good and defective photographs of two folders, with ellipses as masks; the set has no split."""
    reading = Reading("dagm")
    entries = [Entry(path, TRAIN, NORMAL, GOOD) for path in tree.images(good)]
    inside = tree if defective.is_relative_to(tree.root) else tree.below(defective)
    table = _list_in(defective)
    ellipses = _ellipses(table) if table else {}
    reading.known.update(filter(None, [table]))
    for path in inside.images(defective):
        ellipse = ellipses.get(path.stem.lstrip("0"))
        if ellipse is None:
            detail = f"{_LIST} has no line for it, so its defect has no mask; add one."
            reading.problems.append(Problem("mask-missing", str(path), detail))
            entries.append(Entry(path, TEST, ANOMALOUS, DEFECT))
            continue
        try:
            entries.append(marked_entry(path, TEST, [ellipse], *upright_size(path)))
        except ImageError as error:
            reading.problems.append(Problem(error.kind, str(path), error.detail))
            reading.set_aside([path])
    reading.entries = part_normal(entries, good)
    return reading


def _ellipses(table: Path) -> dict[str, Mark]:
    """The ellipse of every photograph by its number.

    Raises:
        CatalogError: a line cannot be meant.
    """
    rows: dict[str, list[float]] = {}
    for number, line in enumerate(_lines(table), 1):
        cells = line.split()
        if not cells:
            continue
        try:
            values = [float(cell) for cell in cells[1:6]]
        except ValueError:
            values = []
        if len(values) < 5 or not all(abs(value) < _FARTHEST for value in values) or min(values[:2]) <= 0:
            raise CatalogError(
                f"{table}, line {number}: {line.strip()[:60]!r} is no ellipse; write the photograph's number, two half "
                "axes, the angle, and x and y of the middle."
            )
        rows[Path(cells[0]).stem.lstrip("0")] = values
    # The set's angles are radians; a copy that has them in degrees gives itself away.
    degrees = any(abs(values[2]) > 2 * math.pi for values in rows.values())
    return {
        name: _ellipse(major, minor, math.radians(angle) if degrees else angle, x, y)
        for name, (major, minor, angle, x, y) in rows.items()
    }


def _ellipse(major: float, minor: float, angle: float, x: float, y: float) -> Mark:
    turns = [2 * math.pi * corner / _CORNERS for corner in range(_CORNERS)]
    corners = tuple(
        (
            x + major * math.cos(turn) * math.cos(angle) - minor * math.sin(turn) * math.sin(angle),
            y + major * math.cos(turn) * math.sin(angle) + minor * math.sin(turn) * math.cos(angle),
        )
        for turn in turns
    )
    left, top = min(corner[0] for corner in corners), min(corner[1] for corner in corners)
    right, bottom = max(corner[0] for corner in corners), max(corner[1] for corner in corners)
    return Mark(DEFECT, (left, top, right - left, bottom - top), (corners,))


DAGM = Layout(
    "dagm",
    "Train/ and Test/ with Label/NAME_label.PNG and Label/Labels.txt in each, or ClassN/ beside ClassN_def/labels.txt",
    _recognise,
    _read,
)
