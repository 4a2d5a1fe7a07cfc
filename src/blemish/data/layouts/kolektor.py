"""KolektorSDD and KolektorSDD2: a mask beside every photograph, empty where the part is good.

- kolektorsdd: `kos01/Part0.jpg` with `kos01/Part0_label.bmp`, a folder for each of 50 commutators and a file for each
  of its views, no split (Tabernik et al., "Segmentation-based deep-learning approach for surface-defect detection",
  Journal of Intelligent Manufacturing, 2020).
- kolektorsdd2: `train/10000.png` with `train/10000_GT.png`, and `test/` likewise (Božič et al., "Mixed supervision for
  surface-defect detection", Computers in Industry, 2021).
"""

from __future__ import annotations

import re
from pathlib import Path

from blemish.data.entries import TRAIN, Entry, Reading, part_normal, split_of
from blemish.data.layouts.layout import Layout
from blemish.data.layouts.pairs import Pairs, entries_by_mask, pairs_by_ending
from blemish.data.layouts.tree import FolderTree
from blemish.data.marks import with_known_splits

_ITEM = re.compile(r"kos\d+")
_VIEW = re.compile(r"part\d+_label")


def _items(tree: FolderTree) -> list[Path]:
    """Folders of the views of one commutator: those in the root, or the root."""
    found = [folder for name, folder in tree.folders.items() if _ITEM.fullmatch(name)]
    return found or ([tree.root] if _ITEM.fullmatch(tree.root.name.lower()) else [])


def _recognise_first(tree: FolderTree) -> str | None:
    for folder in _items(tree):
        for path in tree.images(folder, recursive=False):
            if _VIEW.fullmatch(path.stem.lower()):
                return f"it has {tree.relative(path)} beside its photograph"
    return None


def _read_first(tree: FolderTree) -> Reading:
    """All views of all commutators, whole commutators to each side of the split: the set has none of its own."""
    reading = Reading("kolektorsdd")
    entries: list[Entry] = []
    for folder in _items(tree):
        pairs = pairs_by_ending(tree.images(folder, recursive=False), "_label")
        entries += entries_by_mask(reading, pairs, folder, TRAIN)
    reading.entries = part_normal(entries, tree.root, group=lambda path: path.parent)
    return reading


def _halves(tree: FolderTree) -> dict[Path, tuple[str, Pairs]]:
    """Folders with masks `_GT` among their photographs, each with its split: those of splits, or the root alone."""
    found = {}
    splits = {folder: split for name, folder in tree.folders.items() if (split := split_of(name))}
    for folder, split in splits.items() or [(tree.root, "")]:
        pairs = pairs_by_ending(tree.images(folder, recursive=False), "_gt")
        if pairs.any:
            found[folder] = (split, pairs)
    return found


def _recognise_second(tree: FolderTree) -> str | None:
    for _, pairs in _halves(tree).values():
        mask = next(filter(None, pairs.masks.values()))
        return f"it has masks beside their photographs, as {tree.relative(mask)}"
    return None


def _read_second(tree: FolderTree) -> Reading:
    """Good photographs by the official split; defective ones are for testing, those of `train/` too."""
    reading = Reading("kolektorsdd2")
    entries: list[Entry] = []
    for folder, (split, pairs) in _halves(tree).items():
        entries += entries_by_mask(reading, pairs, folder, split or TRAIN)
    reading.entries = with_known_splits(entries, tree.root)
    return reading


KOLEKTOR_SDD = Layout(
    "kolektorsdd",
    "kosNN/PartN.jpg, each with its mask PartN_label.bmp, empty where the part is good",
    _recognise_first,
    _read_first,
)
KOLEKTOR_SDD2 = Layout(
    "kolektorsdd2",
    "train/NAME.png and test/NAME.png, each with its mask NAME_GT.png, empty where the part is good",
    _recognise_second,
    _read_second,
)
