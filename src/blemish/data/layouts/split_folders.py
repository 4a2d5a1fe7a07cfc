"""Folders by split and class, as MVTec AD has them.

- mvtec: `train/good`, `test/good`, `test/TYPE`, `ground_truth/TYPE/NAME_mask.png` (Bergmann et al.,
  "MVTec AD", CVPR 2019), and `validation/good` of its kin.
- btad: the same with `ok` and `ko` (Mishra et al., "VT-ADL", 2021); other words for good and bad are
  known too.
"""

from __future__ import annotations

from pathlib import Path

from blemish.data.class_words import classes_of
from blemish.data.entries import GOOD, NORMAL, NORMAL_NAMES, SPLIT_NAMES, TRAIN, Reading
from blemish.data.layouts.classes import class_entries
from blemish.data.layouts.doubts import doubt_annotations, doubt_folders, doubt_names
from blemish.data.layouts.layout import Layout
from blemish.data.layouts.masks import attach_masks
from blemish.data.layouts.tree import FolderTree


def _mvtec(tree: FolderTree) -> str | None:
    return f"it has the folder {tree.folders[TRAIN].name}/" if TRAIN in tree.folders else None


def _btad(tree: FolderTree) -> str | None:
    if TRAIN not in tree.folders:
        return None
    within = tree.folders_in(tree.folders[TRAIN])
    word = next((name for name in within if name in NORMAL_NAMES), GOOD)
    return None if GOOD in within or word == GOOD else f"it has the folder {TRAIN}/{word}/"


def _read_as(layout: str, tree: FolderTree) -> Reading:
    """Entries of a folder with `train/` and `test/`."""
    reading = Reading(layout)
    splits = {folder: SPLIT_NAMES[name] for name, folder in tree.folders.items() if name in SPLIT_NAMES}
    for folder, split in splits.items():
        classes = tree.folders_in(folder)
        said = classes_of([inside.name for inside in classes.values()])
        if split == TRAIN and NORMAL not in said.values():
            reading.entries += class_entries(reading, tree, folder, split, GOOD, False, bool(classes))
            _doubt_training(tree, reading, folder, [one for one in classes.values() if one.name not in said])
        for inside in classes.values():
            defect_type = GOOD if said.get(inside.name) == NORMAL else inside.name
            reading.entries += class_entries(reading, tree, inside, split, defect_type)
    _doubt_loose(tree, reading, list(splits))
    attach_masks(reading, tree, list(splits))
    return reading


def _doubt_loose(tree: FolderTree, reading: Reading, splits: list[Path]) -> None:
    """Leave open what is good where several splits have photographs and no folders of classes: so exports are split."""
    loose = [folder for folder in splits if tree.images(folder) and not tree.folders_in(folder)]
    if len(loose) > 1 and not any(entry.label != NORMAL for entry in reading.entries):
        doubt_folders(tree, reading, loose)


def _doubt_training(tree: FolderTree, reading: Reading, folder: Path, unknown: list[Path]) -> None:
    """Leave open what is good among training photographs that no folder's name says are."""
    loose = [folder] if tree.images(folder, recursive=False) else []
    doubt_folders(tree, reading, [*loose, *(inside for inside in unknown if tree.images(inside))])
    doubt_names(tree, reading, tree.images(folder, recursive=False))
    doubt_annotations(tree, reading, folder)


BTAD = Layout(
    "btad",
    "train/ok, test/ok and test/ko, with masks in ground_truth/",
    _btad,
    lambda tree: _read_as("btad", tree),
)
MVTEC = Layout(
    "mvtec",
    "train/good, test/good and test/DEFECT, with masks in ground_truth/DEFECT/NAME_mask.png",
    _mvtec,
    lambda tree: _read_as("mvtec", tree),
)
