"""Masks of defective photographs: where they lie, and which belongs to which."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from blemish.data.entries import NORMAL, Entry, Problem, Reading
from blemish.data.layouts.tree import FolderTree

MASK_FOLDERS = ("ground_truth", "masks", "mask")

Masks = dict[str, Path]
"""Masks by their path in the mask folder, in lower case and without suffix."""


def mask_folders(tree: FolderTree) -> list[Path]:
    """Folders of masks directly in the root."""
    return [tree.folders[name] for name in MASK_FOLDERS if name in tree.folders]


def attach_masks(reading: Reading, tree: FolderTree, bases: Sequence[Path]) -> None:
    """Give anomalous entries their masks, and report missing and left-over ones.

    A mask lies in a mask folder of the root at its image's path relative to one of `bases`, or under its bare
    name, with `_mask` after the name or without.
    """
    masks: Masks = {}
    for folder in mask_folders(tree):
        masks |= {_key(path, folder): path for path in tree.images(folder)}
    if not masks:
        return
    reading.known.update(masks.values())
    used: set[str] = set()
    normal_keys: set[str] = set()
    for index, entry in enumerate(reading.entries):
        keys = list(_mask_keys(entry, bases))
        if entry.label == NORMAL:
            normal_keys.update(keys)
            continue
        key = next((key for key in keys if key in masks), None)
        if key is None:
            detail = f"there is no mask for it; expected {entry.path.stem}_mask.png among the masks."
            reading.problems.append(Problem("mask-missing", str(entry.path), detail))
            continue
        used.add(key)
        reading.entries[index] = Entry(entry.path, entry.split, entry.label, entry.defect_type, masks[key])
    for key in sorted(masks.keys() - used - normal_keys):
        detail = "the mask belongs to no image; rename it after its image or remove it."
        reading.problems.append(Problem("mask-without-image", str(masks[key]), detail))


def _mask_keys(entry: Entry, bases: Sequence[Path]) -> Iterator[str]:
    """Where the mask of an entry may lie, the most exact place first."""
    for base in reversed(bases):
        if entry.path.is_relative_to(base):
            key = _key(entry.path, base)
            yield f"{key}_mask"
            yield key
    name = entry.path.stem.lower()
    yield f"{name}_mask"
    yield name


def _key(path: Path, folder: Path) -> str:
    return path.relative_to(folder).with_suffix("").as_posix().lower()
