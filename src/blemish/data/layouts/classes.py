"""A folder of one class, as most layouts have it."""

from __future__ import annotations

from pathlib import Path

from blemish.data.entries import ANOMALOUS, GOOD, NORMAL, Entry, Problem, Reading
from blemish.data.layouts.tree import FolderTree


def class_entries(
    reading: Reading,
    tree: FolderTree,
    folder: Path,
    split: str,
    defect_type: str,
    recursive: bool = True,
    may_be_empty: bool = False,
) -> list[Entry]:
    """Entries for the images of one class; a class without images is reported in `reading`."""
    images = tree.images(folder, recursive)
    if not images and not may_be_empty:
        detail = "the folder has no images; add some or remove the folder."
        reading.problems.append(Problem("empty-class", str(folder), detail))
    label = NORMAL if defect_type == GOOD else ANOMALOUS
    return [Entry(path, split, label, defect_type) for path in images]
