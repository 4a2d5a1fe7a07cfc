"""VisA's own tables (Zou et al., "SPot-the-Difference", ECCV 2022; github.com/amazon-science/spot-diff).

`CATEGORY/image_anno.csv` has the columns image, label, mask, with kinds of defects as labels and no split;
`split_csv/1cls.csv` has object, split, label, image, mask for all categories. Paths start at the root of all. Where
both tables are missing, `Data/Images/Normal`, `Data/Images/Anomaly` and `Data/Masks/Anomaly` say it, but for the kinds.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from blemish.core.errors import CatalogError
from blemish.data.entries import (
    ANOMALOUS,
    GOOD,
    NORMAL,
    TEST,
    TRAIN,
    Entry,
    Problem,
    Reading,
    named,
    part_normal,
)
from blemish.data.layouts.layout import Layout
from blemish.data.layouts.pairs import with_masks
from blemish.data.layouts.tree import FolderTree
from blemish.data.manifest import Row, entry_of, read_rows, required, without_absent_mask

_IMAGES, _MASKS = ("data", "images"), ("data", "masks", "anomaly")


def _read(tree: FolderTree) -> Reading:
    """Entries of a VisA category, by the official split beside it, or else parted by `part_normal`.

    The defect types are the annotators' words in `image_anno.csv`, where there is that file.

    Raises:
        CatalogError: neither table can be read, or a cell has an unknown value.
    """
    category = tree.root
    annotated = _annotated(category)
    entries = _official(category, annotated) or part_normal(annotated.values(), category.parent)
    reading = Reading("visa")
    if not entries:
        return _read_folders(tree, reading)
    reading.known.add(category / "image_anno.csv")
    for entry in entries:
        if entry.path.is_file():
            reading.entries.append(without_absent_mask(entry, reading))
        else:
            detail = "VisA's tables name it, but there is no such file; unpack the archive again."
            reading.problems.append(Problem("missing", str(entry.path), detail))
    return reading


def _recognise(tree: FolderTree) -> str | None:
    if (tree.root / "image_anno.csv").is_file():
        return "it has the table image_anno.csv"
    if (tree.root / "Data").is_dir() and _split_file(tree.root).is_file():
        return "it has the folder Data/, and split_csv/1cls.csv lies beside it"
    folder = tree.folder(*_IMAGES, "normal")
    return f"it has the folder {tree.relative(folder)}/" if folder else None


def _read_folders(tree: FolderTree, reading: Reading) -> Reading:
    """Entries by their folders alone."""
    normal, anomaly, masks = (
        tree.images(folder) if (folder := tree.folder(*names)) else []
        for names in ((*_IMAGES, "normal"), (*_IMAGES, "anomaly"), _MASKS)
    )
    entries = [Entry(path, TRAIN, NORMAL, GOOD) for path in normal]
    entries += [Entry(path, TEST, ANOMALOUS, "anomaly") for path in anomaly]
    parted = part_normal(entries, tree.root.parent)
    reading.entries = with_masks(
        reading, parted, masks, lambda path: f"{path.parent.name}/{path.stem}".lower()
    )
    return reading


def _split_file(category: Path) -> Path:
    """Where VisA keeps the official split of a category."""
    return category.parent / "split_csv" / "1cls.csv"


def _annotated(category: Path) -> dict[str, Entry]:
    """Entries of `image_anno.csv` by the image's name in it, without a split; none without the file."""
    table = category / "image_anno.csv"
    entries = {}
    for line, row in _rows_with(table, ("image", "label")) if table.is_file() else []:
        image, label = required(table, line, row, "image"), required(table, line, row, "label")
        cells = {"path": image, "defect_type": label, "mask": row.get("mask", "")}
        entries[image] = entry_of(table, line, cells, category.parent)
    return entries


def _official(category: Path, annotated: dict[str, Entry]) -> list[Entry]:
    """Entries of the category in `split_csv/1cls.csv`; none if there is no such file."""
    table = _split_file(category)
    entries = []
    for line, row in _rows_with(table, ("object", "split", "label", "image")) if table.is_file() else []:
        if row["object"] != category.name:
            continue
        cells = {name: row.get(name, "") for name in ("split", "label", "mask")} | {"path": row["image"]}
        entry = entry_of(table, line, cells, category.parent)
        known = annotated.get(row["image"])
        if known and known.label == entry.label:
            entry = replace(entry, defect_type=known.defect_type)
        entries.append(entry)
    return entries


def _rows_with(path: Path, required: tuple[str, ...]) -> list[Row]:
    """Rows of a table that must have the `required` columns."""
    columns, rows = read_rows(path)
    if absent := [name for name in required if name not in columns]:
        raise CatalogError(
            f"{path} has no column {absent[0]} (it has {named(columns)}): it is not VisA's table."
        )
    return rows


VISA = Layout(
    "visa",
    "image_anno.csv, Data/ with split_csv/1cls.csv beside the category, or Data/Images/Normal and Anomaly",
    _recognise,
    _read,
)
