"""Roboflow's tables: what every photograph of a folder is called, or boxes on them.

- roboflow-classes: `_classes.csv` with the columns `filename, CLASS, CLASS, ...`, 1 where a photograph is of the
  class. One of no class is good where the table has no class for good parts; else nothing is known of it.
- roboflow-boxes: `_annotations.csv` with the columns `filename,width,height,class,xmin,ymin,xmax,ymax`, a row a box. A
  photograph without a row is a good part, if any has one.
"""

from __future__ import annotations

from pathlib import Path

from blemish.core.errors import CatalogError
from blemish.data.entries import GOOD, NORMAL_NAMES, Problem, Reading, named
from blemish.data.layouts.annotation_files import (
    Photographs,
    is_of_whole,
    lines_of,
    numbers_of,
    split_of_folders,
    type_name,
    whole_number,
)
from blemish.data.layouts.layout import Layout
from blemish.data.layouts.marked import Export
from blemish.data.layouts.tree import FolderTree
from blemish.data.manifest import Row, read_rows
from blemish.data.marks import Mark

_CLASSES, _BOXES = "_classes.csv", "_annotations.csv"
_BOX_COLUMNS = ("filename", "width", "height", "class", "xmin", "ymin", "xmax", "ymax")
_NO_CLASS = frozenset({"unlabeled", "unlabelled"})
"""Roboflow's class of what nobody has labelled."""


def _tables(tree: FolderTree, name: str, column: str) -> list[Path]:
    files = [path for path in tree.others(name) if is_of_whole(tree, path)]
    return [path for path in files if column in "".join(lines_of(path)[:1]).lower()]


def _recognise_classes(tree: FolderTree) -> str | None:
    tables = _tables(tree, _CLASSES, "filename")
    return f"{tree.relative(tables[0])} says the class of photographs" if tables else None


def _read_classes(tree: FolderTree) -> Reading:
    """Entries of photographs by their class.

    Raises:
        CatalogError: a cell cannot be meant.
    """
    export, photographs = Export("roboflow-classes", tree), Photographs(tree)
    tables = _tables(tree, _CLASSES, "filename")
    for table in tables:
        export.reading.known.add(table)
        columns, rows = _rows(table)
        if "filename" not in columns:
            raise CatalogError(f"{table} has no column filename: export it anew.")
        good = any(column in NORMAL_NAMES for column in columns)
        unknown = []
        for line, row in rows:
            name, kinds = row.pop("filename"), _kinds(table, line, row)
            path = photographs.named(name, table.parent)
            if path is None or path.parent != table.parent:
                export.missing(table.parent / name, table)
            elif not kinds and (good or _says_unlabelled(row)):
                unknown.append(path)
            else:
                export.add(path, split_of_folders(tree, path), kinds=kinds or [GOOD])
        if unknown:
            detail = (
                f"{len(unknown)} photographs have no class in {table.name} ({unknown[0].name} is the first), so they "
                "are left out; label them."
            )
            export.reading.problems.append(Problem("label-missing", str(table), detail))
            export.reading.set_aside(unknown)
    return export.finished(named([tree.relative(path) for path in tables], 3))


def _rows(table: Path) -> tuple[list[str], list[Row]]:
    """Columns and rows of a table; it may have none, where a split has no photograph or no box."""
    lines = [line for line in lines_of(table) if line.strip()]
    return read_rows(table) if len(lines) > 1 else (lines[0].lower().split(","), [])


def _kinds(table: Path, line: int, row: dict[str, str]) -> list[str]:
    """The classes of a row.

    Raises:
        CatalogError: a cell is neither 0 nor 1.
    """
    for column, cell in row.items():
        if cell not in ("0", "1"):
            raise CatalogError(
                f"{table}, line {line}: {column} is {cell[:30]!r}; write 1 for the class, 0 for others."
            )
    return [type_name(column) for column, cell in row.items() if cell == "1" and column not in _NO_CLASS]


def _says_unlabelled(row: dict[str, str]) -> bool:
    return any(row.get(column) == "1" for column in _NO_CLASS)


def _recognise_boxes(tree: FolderTree) -> str | None:
    tables = _tables(tree, _BOXES, "xmin")
    return f"{tree.relative(tables[0])} has boxes of photographs" if tables else None


def _read_boxes(tree: FolderTree) -> Reading:
    """Entries of photographs with boxes.

    Raises:
        CatalogError: a row cannot be meant.
    """
    export, photographs = Export("roboflow-boxes", tree), Photographs(tree)
    tables = _tables(tree, _BOXES, "xmin")
    for table in tables:
        export.reading.known.add(table)
        columns, rows = _rows(table)
        if absent := [name for name in _BOX_COLUMNS if name not in columns]:
            raise CatalogError(f"{table} has no column {absent[0]}: export it anew.")
        for line, row in rows:
            path = photographs.named(row["filename"], table.parent)
            mark, size = _mark(table, line, row)
            if path is None or path.parent != table.parent:
                export.missing(table.parent / row["filename"], table)
            else:
                export.add(path, split_of_folders(tree, path), [mark], size=size)
        for path in tree.images(table.parent, recursive=False):
            (export.add if rows else export.add_unlabelled)(path, split_of_folders(tree, path))
    return export.finished(named([tree.relative(path) for path in tables], 3))


def _mark(table: Path, line: int, row: dict[str, str]) -> tuple[Mark, tuple[int, int]]:
    """The box of a row, and the size of its photograph.

    Raises:
        CatalogError: it cannot be meant.
    """
    width, height = whole_number(row["width"]), whole_number(row["height"])
    corners = numbers_of(row[name] for name in _BOX_COLUMNS[4:])
    if not width or not height or corners is None or corners[0] >= corners[2] or corners[1] >= corners[3]:
        shown = ", ".join(row[name] for name in _BOX_COLUMNS)[:100]
        raise CatalogError(
            f"{table}, line {line}: {shown!r} cannot be meant; give the size and the box in pixels."
        )
    left, top, right, bottom = corners
    return Mark(type_name(row["class"]), (left, top, right - left, bottom - top)), (width, height)


ROBOFLOW_CLASSES = Layout(
    "roboflow-classes",
    "Roboflow's _classes.csv beside photographs, a column a class",
    _recognise_classes,
    _read_classes,
)
ROBOFLOW_BOXES = Layout(
    "roboflow-boxes",
    "Roboflow's _annotations.csv beside photographs, a row a box",
    _recognise_boxes,
    _read_boxes,
)
