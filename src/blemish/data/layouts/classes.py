"""A folder of one class, as most layouts have it."""

from __future__ import annotations

from pathlib import Path

from blemish.data.class_words import class_of
from blemish.data.entries import ANOMALOUS, GOOD, NORMAL, TEST, Entry, Problem, Reading
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
    entries = [Entry(path, split, label, defect_type) for path in images]
    return entries if label == ANOMALOUS else [_as_said_within(entry, folder) for entry in entries]


def _as_said_within(entry: Entry, folder: Path) -> Entry:
    """A photograph in a folder of good parts, defective where a folder in that one says so."""
    within = entry.path.relative_to(folder).parts[:-1]
    said = next((part for part in within if class_of(part) == ANOMALOUS), None)
    return entry if said is None else Entry(entry.path, TEST, ANOMALOUS, said)
