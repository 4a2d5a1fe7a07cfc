"""Real-IAD: thirty objects seen from five sides (Wang et al., "Real-IAD", CVPR 2024).

`CATEGORY/OK/S0001/NAME.jpg` are good, `CATEGORY/NG/AK/S0001/NAME.jpg` have the defect AK, marked in `NAME.png` beside
it. `CATEGORY.json`, in a folder `realiad_jsons/` further up, lists what is for training and for testing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from blemish.core.errors import CatalogError
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
    named,
    part_normal,
)
from blemish.data.layouts.layout import Layout
from blemish.data.layouts.pairs import with_masks
from blemish.data.layouts.tree import FolderTree
from blemish.data.marks import with_known_splits

_GOOD, _BAD = "ok", "ng"
_PART = re.compile(r"s\d+")
_LISTS = ("realiad_jsons/realiad_jsons", "realiad_jsons", "")
_PHOTOGRAPH = (".jpg", ".jpeg")
_LARGEST = 1 << 28
"""Bytes of a list that is read; those of the set have a few million."""


def _recognise(tree: FolderTree) -> str | None:
    bad = tree.folders.get(_BAD)
    kinds = [*filter(None, [tree.folders.get(_GOOD)]), *(tree.folders_in(bad).values() if bad else ())]
    for kind in kinds:
        for name, folder in tree.folders_in(kind).items():
            if _PART.fullmatch(name):
                return f"it has {tree.relative(folder)}/, a folder for each part"
    masks = _photographs(tree)[1] if bad else []
    return f"it has masks beside their photographs, as {tree.relative(masks[0])}" if masks else None


def _read(tree: FolderTree) -> Reading:
    """Entries by the official list, or by their folders and `part_normal` where there is none.

    Defective photographs are for testing, those that a list gives to training too.

    Raises:
        CatalogError: the list cannot be read.
    """
    reading = Reading("real-iad")
    photographs, masks = _photographs(tree)
    found = _listed(tree, reading, photographs)
    if found is None:
        found = part_normal([_by_folder(tree, path) for path in photographs], tree.root)
    reading.entries = with_masks(reading, found, masks, _key)
    return reading


def _photographs(tree: FolderTree) -> tuple[list[Path], list[Path]]:
    """Photographs and masks: of two files of one name the mask is the one that is no JPEG."""
    images = [
        path for name in (_GOOD, _BAD) if name in tree.folders for path in tree.images(tree.folders[name])
    ]
    names = {_key(path) for path in images if path.suffix.lower() in _PHOTOGRAPH}
    masks = [path for path in images if path.suffix.lower() not in _PHOTOGRAPH and _key(path) in names]
    return sorted(set(images) - set(masks)), masks


def _key(path: Path) -> str:
    return str(path.with_suffix("")).lower()


def _by_folder(tree: FolderTree, path: Path) -> Entry:
    top, kind = path.relative_to(tree.root).parts[:2]
    if top.lower() == _GOOD:
        return Entry(path, TRAIN, NORMAL, GOOD)
    return Entry(path, TEST, ANOMALOUS, DEFECT if kind == path.name else kind)


def _listed(tree: FolderTree, reading: Reading, photographs: list[Path]) -> list[Entry] | None:
    """Entries of the official list; None where there is none. Photographs that it does not name are left out, and said.

    Raises:
        CatalogError: an entry of the list cannot be meant.
    """
    table, document = next(_lists(tree.root), (None, {}))
    if table is None:
        return None
    reading.known.add(table)
    normal = str(document.get("meta", {}).get("normal_class", "OK"))
    by_name = {tree.relative(path).lower(): path for path in photographs}
    entries, missing = [], []
    for split in (TRAIN, TEST):
        for one in document[split]:
            name, kind = one.get("image_path"), one.get("anomaly_class")
            if not isinstance(name, str) or not isinstance(kind, str):
                raise CatalogError(
                    f"{table}: an entry of {split} lacks image_path or anomaly_class; unpack the file again."
                )
            path = by_name.pop(name.replace("\\", "/").lower(), None)
            if path is None:
                missing.append(name)
            elif kind == normal:
                entries.append(Entry(path, split, NORMAL, GOOD))
            else:
                entries.append(Entry(path, split, ANOMALOUS, kind))
    if missing:
        detail = f"{len(missing)} photographs that it names are not there ({named(missing, 3)}); unpack the set again."
        reading.problems.append(Problem("missing", str(table), detail))
    if by_name:
        names = named([path.name for path in by_name.values()], 3)
        detail = f"{len(by_name)} photographs ({names}) are not in {table.name} and are left out."
        reading.problems.append(Problem("unused", str(tree.root), detail))
        reading.set_aside(by_name.values())
    return with_known_splits(entries, tree.root)


def _lists(root: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Files named after the category, in it or further up, that list photographs for training and testing."""
    for above in (root, root.parent, root.parent.parent):
        for folder in _LISTS:
            path = above / folder / f"{root.name}.json"
            if path.is_file() and path.stat().st_size <= _LARGEST and (document := _document(path)):
                yield path, document


def _document(path: Path) -> dict[str, Any] | None:
    """The list in a file; None where it is another kind of file.

    Raises:
        CatalogError: it is no JSON.
    """
    try:
        document = json.loads(path.read_bytes())
    except (ValueError, OSError, RecursionError) as error:
        raise CatalogError(
            f"{path} cannot be read as JSON ({error}): unpack it again, or remove it."
        ) from error
    if not isinstance(document, dict):
        return None
    lists = [document.get(split) for split in (TRAIN, TEST)]
    whole = all(isinstance(one, list) and all(isinstance(entry, dict) for entry in one) for one in lists)
    return document if whole and isinstance(document.get("meta", {}), dict) else None


REAL_IAD = Layout(
    "real-iad",
    "OK/SNNNN/NAME.jpg and NG/DEFECT/SNNNN/NAME.jpg, with the mask NAME.png beside it",
    _recognise,
    _read,
)
