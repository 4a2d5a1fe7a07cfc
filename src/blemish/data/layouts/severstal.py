"""Severstal's steel sheets (kaggle.com/c/severstal-steel-defect-detection): run lengths in a table.

`train.csv` has a row a defect, `ImageId,ClassId,EncodedPixels`; in its first version four rows a photograph,
`ImageId_ClassId,EncodedPixels`, empty where the class does not occur. Photographs in `train_images/` without run
lengths are good. Those in `test_images/` are published without labels.
"""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from blemish.core.errors import CatalogError, ImageError
from blemish.core.images import upright_size
from blemish.data.entries import TRAIN, Problem, Reading
from blemish.data.layouts.annotation_files import content_of, says, whole_number
from blemish.data.layouts.layout import Layout
from blemish.data.layouts.marked import Export
from blemish.data.layouts.tree import FolderTree
from blemish.data.marks import Mark
from blemish.data.run_lengths import runs_of_pairs

_COLUMNS = ("ImageId", "ClassId", "EncodedPixels")
_FIRST_COLUMNS = ("ImageId_ClassId", "EncodedPixels")

Row = tuple[int, str, str]
"""Line, class and run lengths."""


def _recognise(tree: FolderTree) -> str | None:
    table = _table(tree)
    if table is None or tree.folder("train_images") is None:
        return None
    return (
        "train.csv has Severstal's column EncodedPixels" if says(table, b"EncodedPixels", among=200) else None
    )


def _table(tree: FolderTree) -> Path | None:
    return next(iter(tree.others("train.csv", recursive=False)), None)


def _read(tree: FolderTree) -> Reading:
    """Entries of Severstal's folder.

    Raises:
        CatalogError: a row cannot be meant.
    """
    table, folder = _table(tree), tree.folder("train_images")
    if table is None or folder is None:
        raise CatalogError(f"{tree.root} has no train.csv with train_images/: it is not Severstal's folder.")
    export, rows = Export("severstal", tree), _rows(table)
    export.reading.known.update(tree.others("*.csv", recursive=False))
    for path in tree.images(folder, recursive=False):
        found = rows.pop(path.name.lower(), [])
        try:
            size = upright_size(path) if found else None
        except ImageError as error:
            export.reading.problems.append(Problem(error.kind, str(path), error.detail))
            continue
        export.add(path, TRAIN, [_mark(table, row, size) for row in found if size], size=size)
    for name in rows:
        export.missing(folder / name, table)
    unlabelled = tree.folder("test_images")
    if unlabelled and (count := len(tree.images(unlabelled))):
        detail = f"its {count} photographs are published without labels, so they are not used."
        export.reading.problems.append(Problem("unused", str(unlabelled), detail))
    return export.finished(table.name)


def _rows(table: Path) -> dict[str, list[Row]]:
    """Rows with run lengths by the name of their photograph, in lower case.

    Raises:
        CatalogError: the table has other columns, or a row cannot be meant.
    """
    found: dict[str, list[Row]] = defaultdict(list)
    for line, name, kind, lengths in _cells(table):
        if not name or not kind.isdecimal():
            raise CatalogError(
                f"{table}, line {line}: {name[:60]!r} with the class {kind[:20]!r} cannot be meant; give the name of a "
                "photograph and a number."
            )
        if lengths:
            found[name.lower()].append((line, kind, lengths))
    return found


def _cells(table: Path) -> Iterator[tuple[int, str, str, str]]:
    """Line, photograph, class and run lengths of every row, in either version's columns."""
    text = content_of(table).decode("utf-8-sig", "replace")
    reader = csv.reader(io.StringIO(text, newline=""))
    try:
        header = tuple(name.strip() for name in next(reader, []))
        if header not in (_COLUMNS, _FIRST_COLUMNS):
            raise CatalogError(
                f"{table} has the columns {', '.join(header)[:100]}: Severstal's are {', '.join(_COLUMNS)}."
            )
        for cells in reader:
            if not any(cells):
                continue
            if len(cells) != len(header):
                raise CatalogError(
                    f"{table}, line {reader.line_num}: {len(cells)} cells for {len(header)} columns."
                )
            name, kind = cells[:2] if header == _COLUMNS else cells[0].strip().rpartition("_")[::2]
            yield reader.line_num, name.strip(), kind.strip(), cells[-1].strip()
    except csv.Error as error:
        raise CatalogError(f"{table}, line {reader.line_num}: it is no table ({error}).") from error


def _mark(table: Path, row: Row, size: tuple[int, int]) -> Mark:
    """One defect.

    Raises:
        CatalogError: its run lengths cannot be meant.
    """
    line, kind, lengths = row
    numbers = [whole_number(text) for text in lengths.split()]
    try:
        if None in numbers:
            raise ValueError("there is something else than whole numbers")
        runs = runs_of_pairs([number for number in numbers if number is not None], *size)
    except ValueError as error:
        shown = lengths if len(lengths) <= 40 else f"{lengths[:37]}..."
        raise CatalogError(
            f"{table}, line {line}: EncodedPixels {shown!r} cannot be meant for {size[0]} x {size[1]} pixels: {error}."
        ) from error
    return Mark(f"class {kind}", runs.box, (), runs)


SEVERSTAL = Layout(
    "severstal",
    "Severstal's train_images/ with the run lengths of defects in train.csv",
    _recognise,
    _read,
)
