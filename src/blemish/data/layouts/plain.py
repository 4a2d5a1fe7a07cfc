"""Folders that people make themselves: good and defective parts, or good parts alone."""

from __future__ import annotations

from pathlib import Path

from blemish.core.errors import CatalogError
from blemish.data.entries import (
    ANOMALOUS_NAMES,
    GOOD,
    NORMAL,
    NORMAL_NAMES,
    TEST,
    TRAIN,
    Entry,
    Problem,
    Reading,
    part_normal,
)
from blemish.data.layouts.classes import class_entries
from blemish.data.layouts.layout import Layout
from blemish.data.layouts.masks import MASK_FOLDERS, attach_masks, mask_folders
from blemish.data.layouts.tree import FolderTree


def _classes(tree: FolderTree) -> str | None:
    word = next((folder.name for name, folder in tree.folders.items() if name in NORMAL_NAMES), None)
    return word and f"it has the folder {word}/"


def _read_classes(tree: FolderTree) -> Reading:
    """Entries of `good/` and `bad/`; `part_normal` says which good images are for testing."""
    reading = Reading("folders")
    bases = [tree.root]
    for name, folder in tree.folders.items():
        if name in NORMAL_NAMES:
            reading.entries += class_entries(reading, tree, folder, TRAIN, GOOD)
        elif name in ANOMALOUS_NAMES:
            bases.append(folder)
            types = tree.folders_in(folder)
            reading.entries += class_entries(
                reading, tree, folder, TEST, folder.name, recursive=False, may_be_empty=bool(types)
            )
            for kind in types.values():
                reading.entries += class_entries(reading, tree, kind, TEST, kind.name)
    reading.entries = part_normal(reading.entries, tree.root)
    attach_masks(reading, tree, bases)
    return reading


def _images(tree: FolderTree) -> str | None:
    return "it holds photographs and no folder that says more" if tree.listing.images else None


def _read_images(tree: FolderTree) -> Reading:
    """Every image as a photograph of a good part, for training.

    Raises:
        CatalogError: a folder in it says that not all of them can be good.
    """
    masks = mask_folders(tree)
    images = [path for path in tree.images() if not any(path.is_relative_to(folder) for folder in masks)]
    telling = ANOMALOUS_NAMES | {TRAIN, TEST, *MASK_FOLDERS}
    for path in images:
        parts = path.relative_to(tree.root).parts[:-1]
        depth = next((depth for depth, part in enumerate(parts) if part.lower() in telling), None)
        if depth is not None:
            raise CatalogError(
                f"{tree.root} is not a folder of good parts only, for it holds {Path(*parts[: depth + 1])}/: "
                f"name the folder of one category, or put the photographs of good parts into {tree.root / GOOD}."
            )
    reading = Reading("images", [Entry(path, TRAIN, NORMAL, GOOD) for path in images])
    for folder in masks:
        reading.problems.append(Problem("unused", str(folder), "masks of good parts are not used."))
        reading.known.update(tree.images(folder))
    return reading


FOLDERS = Layout(
    "folders",
    "good/ and bad/, with a sub-folder of bad/ for each defect type, and masks in masks/",
    _classes,
    _read_classes,
)
IMAGES = Layout("images", "nothing but photographs of good parts", _images, _read_images)
