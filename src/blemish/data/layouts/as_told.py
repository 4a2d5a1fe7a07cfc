"""Folders of which the user says which hold good and which defective parts."""

from __future__ import annotations

from dataclasses import replace
from fnmatch import fnmatch
from pathlib import Path

from blemish.core.errors import CatalogError
from blemish.data.entries import (
    ANOMALOUS,
    GOOD,
    NORMAL,
    TEST,
    TRAIN,
    Entry,
    Reading,
    named,
    part_normal,
    split_of,
)
from blemish.data.layouts.masks import attach_masks
from blemish.data.layouts.tree import FolderTree
from blemish.data.told import Told


def read_as_told(tree: FolderTree, told: Told) -> Reading:
    """Entries of the folders that are named; a folder that is named exactly decides over one that holds it.

    Raises:
        CatalogError: a name fits no folder with photographs, or one folder is both.
    """
    reading = Reading("told")
    labels: dict[Path, str] = {}
    for label, patterns in ((NORMAL, told.good), (ANOMALOUS, told.defective)):
        for pattern in patterns:
            for folder in _folders(tree, pattern, label):
                if labels.setdefault(folder, label) != label:
                    raise CatalogError(f"{folder} is told to be good and defective: name it once.")
    for path in tree.images():
        holding = next((folder for folder in (path.parent, *path.parents) if folder in labels), None)
        if holding is None:
            continue
        good = labels[holding] == NORMAL
        defect_type = GOOD if good else _type(path, holding)
        reading.entries.append(Entry(path, TRAIN if good else TEST, labels[holding], defect_type))
    if any(map(_split, (tree.relative(entry.path) for entry in reading.entries))):
        reading.entries = [
            replace(entry, split=_split(tree.relative(entry.path)) or entry.split)
            if entry.label == NORMAL
            else entry
            for entry in reading.entries
        ]
    else:
        reading.entries = part_normal(reading.entries, tree.root)
    attach_masks(reading, tree, [tree.root, *labels])
    return reading


def _folders(tree: FolderTree, pattern: str, label: str) -> list[Path]:
    """Folders with photographs that a name or pattern fits.

    Raises:
        CatalogError: there is none.
    """
    wanted = pattern.strip("/").removeprefix("./") or "."
    holding = {
        parent for path in tree.images() for parent in path.parents if parent.is_relative_to(tree.root)
    }
    found = [folder for folder in sorted(holding) if fnmatch(tree.relative(folder), wanted)]
    if not found:
        names = named([f"{folder.name}/" for folder in tree.folders.values()]) or "none"
        option = "--good" if label == NORMAL else "--defective"
        raise CatalogError(
            f"{option} {pattern} is no folder with photographs in {tree.root}: name one relative to it; "
            f"its folders are {names}."
        )
    return found


def _split(relative: str) -> str | None:
    """Training or testing, as a folder above a photograph says."""
    found = [split for part in relative.split("/")[:-1] if (split := split_of(part))]
    return None if not found else TEST if found[0] == TEST else TRAIN


def _type(path: Path, holding: Path) -> str:
    """The defect type: the folder below the one that is told, or else that one."""
    inside = path.relative_to(holding).parts
    return inside[0] if len(inside) > 1 else holding.name
