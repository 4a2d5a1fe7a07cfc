"""Manifests: a CSV or Parquet table that names images with their split, label, defect type and mask.

Only the column `path` is required; paths are relative to the manifest's folder, or absolute. `fold` is a number from 0
where a split has folds (see `blemish.data.splits`), `subclass` is that of the category (see `blemish.data.subclasses`).
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from blemish.core.errors import CatalogError
from blemish.core.file_names import shown
from blemish.data.class_words import class_of
from blemish.data.entries import (
    ANOMALOUS,
    GOOD,
    NO_FOLD,
    NORMAL,
    SPLIT_NAMES,
    TRAIN,
    Entry,
    Problem,
    Reading,
    named,
    part_normal,
)

MANIFEST_SUFFIXES = frozenset({".csv", ".tsv", ".parquet", ".pq"})
COLUMNS = ("path", "split", "label", "defect_type", "mask", "fold", "subclass")

Row = tuple[int, dict[str, str]]
"""Line (CSV, header is 1) or row number (Parquet, from 1), and the cells by column; an empty cell is ""."""


def read_manifest(path: Path) -> Reading:
    """Entries of a manifest; images and masks that do not exist become problems.

    Without a `label`, an image is anomalous if it has a defect type other than good, or a mask. Without any
    `split`, `part_normal` decides.

    Raises:
        CatalogError: the file cannot be read, a column is missing, or a cell has an unknown value.
    """
    reading = Reading("manifest")
    columns, rows = read_rows(path)
    if "path" not in columns:
        raise CatalogError(
            f"{path} has no column named path (it has {named(columns)}): "
            f"name the columns {', '.join(COLUMNS)}."
        )
    for column in columns:
        if column not in COLUMNS:
            detail = f"its column {column} is not used; columns that count are {', '.join(COLUMNS)}."
            reading.problems.append(Problem("unused", str(path), detail))
    for line, row in rows:
        entry = entry_of(path, line, row)
        if not entry.path.is_file():
            detail = f"line {line} of {path.name} names it, but there is no such file; correct the line."
            reading.problems.append(Problem("missing", str(entry.path), detail))
            continue
        reading.entries.append(without_absent_mask(entry, reading))
    reading.subclass = _subclass(path, rows)
    unsplit = [line for line, row in rows if not row.get("split")]
    if len(unsplit) == len(rows):
        reading.entries = part_normal(reading.entries, path.parent)
    elif unsplit:
        raise CatalogError(f"{path}, line {unsplit[0]}: split is empty; give every line a split, or none.")
    return reading


def _subclass(path: Path, rows: Sequence[Row]) -> str:
    """The one subclass of all rows; "" where there is no such column.

    Raises:
        CatalogError: rows have different ones.
    """
    first, *others = dict.fromkeys(row.get("subclass", "") for _, row in rows)
    if others:
        raise CatalogError(
            f"{path} has the subclasses {first!r} and {others[0]!r}: a category has one; give each its own manifest."
        )
    return first


def read_rows(path: Path) -> tuple[list[str], list[Row]]:
    """Column names (lower case) and rows of a CSV (comma, semicolon or tab; UTF-8) or Parquet file.

    Raises:
        CatalogError: the file cannot be read as such a table, or a line has too many or too few cells.
    """
    readers: dict[str, Callable[[Path], tuple[list[str], list[Row]]]] = {
        ".parquet": _read_parquet,
        ".pq": _read_parquet,
    }
    try:
        columns, rows = readers.get(path.suffix.lower(), _read_csv)(path)
    except CatalogError:
        raise
    except Exception as error:  # a damaged Parquet file fails in many ways
        lines = str(error).splitlines() or [type(error).__name__]
        reason = (
            f"not UTF-8 at byte {error.start}" if isinstance(error, UnicodeDecodeError) else lines[0][:120]
        )
        raise CatalogError(
            f"{path} cannot be read as a table ({reason}): save it as CSV in UTF-8 or as Parquet."
        ) from error
    doubled = [column for column in columns if columns.count(column) > 1]
    if doubled:
        raise CatalogError(f"{path} has the column {doubled[0]} twice: remove one.")
    if not rows:
        raise CatalogError(f"{path} has no rows: add one line for each image.")
    return columns, rows


def _read_csv(path: Path) -> tuple[list[str], list[Row]]:
    try:
        return _read_csv_as_it_is(path, "strict")
    except UnicodeDecodeError:
        # Names of files are bytes, and need not be UTF-8; other text has to be.
        columns, rows = _read_csv_as_it_is(path, "surrogateescape")
        odd = [cell for _, row in rows for cell in row.values() if shown(cell) != cell]
        if odd and all((path.parent / cell).is_file() for cell in odd):
            return columns, rows
        raise


def _read_csv_as_it_is(path: Path, errors: str) -> tuple[list[str], list[Row]]:
    with path.open(encoding="utf-8-sig", errors=errors, newline="") as stream:
        header = stream.readline()
        delimiter = max(",;\t", key=header.count)
        columns = [name.strip().lower() for name in next(csv.reader([header], delimiter=delimiter), [])]
        rows: list[Row] = []
        reader = csv.reader(stream, delimiter=delimiter)
        for cells in reader:
            line = reader.line_num + 1
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) != len(columns):
                raise CatalogError(
                    f"{path}, line {line}: {len(cells)} cells for {len(columns)} columns; put quotes "
                    "around cells that hold the separator."
                )
            rows.append((line, {name: cell.strip() for name, cell in zip(columns, cells, strict=True)}))
    return columns, rows


def _read_parquet(path: Path) -> tuple[list[str], list[Row]]:
    import pandas as pd

    frame = pd.read_parquet(path)
    columns = [str(name).strip().lower() for name in frame.columns]
    cells = frame.astype(object).where(frame.notna(), "").astype(str).to_numpy()
    return columns, [
        (number, {name: str(cell).strip() for name, cell in zip(columns, values, strict=True)})
        for number, values in enumerate(cells, start=1)
    ]


def required(path: Path, line: int, row: dict[str, str], column: str) -> str:
    """The cell of a row in `column`, which must not be empty."""
    if not row[column]:
        raise CatalogError(f"{path}, line {line}: {column} is empty; fill it in or remove the line.")
    return row[column]


def entry_of(table: Path, line: int, row: dict[str, str], base: Path | None = None) -> Entry:
    """One row as an entry, paths relative to `base` (the table's folder), for training if no split is given.

    Raises:
        CatalogError: a cell has an unknown value, said with `line`.
    """
    base = base or table.parent
    mask = _located(base, row["mask"]) if row.get("mask") else None
    split = row.get("split", "").lower()
    if split and split not in SPLIT_NAMES:
        raise CatalogError(
            f"{table}, line {line}: unknown split {row['split']!r}; write validation, train or test."
        )
    label = _label(table, line, row)
    defect_type = GOOD if label == NORMAL else row.get("defect_type") or row.get("label") or "anomaly"
    if defect_type == "1":
        defect_type = "anomaly"
    path = _located(base, required(table, line, row, "path"))
    fold = _fold(table, line, row.get("fold", ""))
    return Entry(
        path, SPLIT_NAMES.get(split, TRAIN), label, defect_type, None if label == NORMAL else mask, fold
    )


def _fold(table: Path, line: int, text: str) -> int:
    """The fold in a cell; none where it is empty."""
    if not text:
        return NO_FOLD
    if not text.removeprefix("-").isdecimal() or int(text) < NO_FOLD:
        raise CatalogError(
            f"{table}, line {line}: unknown fold {text!r}; write a whole number from 0, or {NO_FOLD} for none."
        )
    return int(text)


def _label(table: Path, line: int, row: dict[str, str]) -> str:
    """Label of a row, from its label, else its defect type, else its mask."""
    text, kind = row.get("label", "").lower(), row.get("defect_type", "").lower()
    by_type = (NORMAL if class_of(kind) == NORMAL else ANOMALOUS) if kind else None
    if not text:
        if by_type is None and "label" in row:
            raise CatalogError(f"{table}, line {line}: label is empty; write normal or anomalous.")
        return by_type or (ANOMALOUS if row.get("mask") else NORMAL)
    label = {"0": NORMAL, "1": ANOMALOUS}.get(text) or class_of(text)
    if label is None:
        raise CatalogError(
            f"{table}, line {line}: unknown label {row['label']!r}; write normal or anomalous, and the "
            "kind of defect into the column defect_type."
        )
    if by_type and by_type != label:
        raise CatalogError(
            f"{table}, line {line}: label {row['label']!r} contradicts defect_type {row['defect_type']!r}; "
            "correct one of them."
        )
    return label


def _located(base: Path, text: str) -> Path:
    """An absolute path for a cell, which may have been written on Windows."""
    path = base / text
    if "\\" in text and not path.is_file():
        path = base / text.replace("\\", "/")
    return path.absolute()


def without_absent_mask(entry: Entry, reading: Reading) -> Entry:
    """The entry, without its mask if that file does not exist, which is reported."""
    if entry.mask is None or entry.mask.is_file():
        return entry
    detail = f"its mask {entry.mask} does not exist; correct the table."
    reading.problems.append(Problem("mask-missing", str(entry.path), detail))
    return replace(entry, mask=None)
