"""Masks beside their photographs, in no folder of classes: the mask says whether a part is good.

As KolektorSDD2 (Božič et al., 2021) and others are published: `train/10000.png` and `train/10000_GT.png`, or a folder
of masks with the photographs' names. A photograph whose mask marks something is defective; one whose mask is empty or
absent is good.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from blemish.core.errors import ImageError
from blemish.core.images import read_mask
from blemish.data.class_words import class_of, words_of
from blemish.data.entries import (
    ANOMALOUS,
    GOOD,
    NORMAL,
    TEST,
    TRAIN,
    Entry,
    Problem,
    Reading,
    named,
    part_normal,
    split_of,
)
from blemish.data.layouts.doubts import doubt
from blemish.data.layouts.layout import Layout
from blemish.data.layouts.mask_pairs import MASK_WORDS, Pairs, mask_pairs, may_be_pairs
from blemish.data.layouts.tree import FolderTree

NAME = "masks-beside"
DEFECT = "defect"
_MOST_MARKED = 0.5
"""Share of a photograph that hardly a defect covers."""


def take_masks(tree: FolderTree, reading: Reading, sure: bool = False) -> None:
    """Take masks out of the entries of a reading, and give them to their photographs.

    Where a word of its folder says what a photograph is, that counts; else the mask does. Masks that belong to no
    photograph leave open what else is none, unless the user has said which folders are good (`sure`).
    """
    entries = {entry.path: entry for entry in reading.entries}
    taken = reading.known | {entry.mask for entry in reading.entries if entry.mask}
    inside = [path for path in entries if path.is_relative_to(tree.root)]
    unread = [path for path in tree.images() if path not in entries and path not in taken]
    pairs = mask_pairs(sorted({*inside, *unread}), tree.root)
    for photograph, masks in pairs.of.items():
        removed = [entries.pop(mask) for mask in masks if mask in entries]
        entry = entries.get(photograph)
        if entry is None or (entry.label == NORMAL and not removed and _said_good(tree, photograph)):
            continue  # masks of what is not read, or of good parts, are left out and told
        reading.known.update(masks)
        entries[photograph] = _with_mask(tree, reading, entry, masks)
    _tell_lone(tree, reading, pairs, entries, sure)
    for path in pairs.blank:
        if path in entries:
            detail = "it shows one level alone, as with the lens covered or the light off; take it again, or remove it."
            reading.problems.append(Problem("blank", str(path), detail))
    for mask in pairs.unlike if not sure else ():
        if mask in entries and entries[mask].label == NORMAL:
            detail = "it is named like a mask, but does not look like one, and counts as a photograph."
            reading.problems.append(Problem("mask-like", str(mask), detail))
            doubt(
                reading, "some images are named like masks, but look like photographs", [tree.relative(mask)]
            )
    _doubt_inverted(tree, reading, list(entries.values()))
    reading.entries = list(entries.values())


def _with_mask(tree: FolderTree, reading: Reading, entry: Entry, masks: Sequence[Path]) -> Entry:
    """A photograph with its mask, and with the label that the mask gives it."""
    marking = next((mask for mask in masks if _marked(mask)), None)
    if entry.label == ANOMALOUS:
        return replace(entry, mask=entry.mask or marking or masks[0])
    if marking is None:
        return entry
    if _said_good(tree, entry.path):
        detail = f"it is a mask that marks a defect on {entry.path.name}, which its folder says is good."
        reading.problems.append(Problem("mask-like", str(marking), detail, other=str(entry.path)))
        doubt(reading, f"{tree.relative(marking)} marks a defect on a photograph in a folder of good parts")
        return entry
    return replace(entry, split=TEST, label=ANOMALOUS, defect_type=DEFECT, mask=marking)


def _tell_lone(
    tree: FolderTree, reading: Reading, pairs: Pairs, entries: dict[Path, Entry], sure: bool
) -> None:
    """Tell images that look like masks and belong to no photograph; they are judged as no part."""
    learnt, unread = [], Counter(path.parent for path in pairs.alone if path not in entries)
    parts = {folder for folder in {path.parent for path in pairs.alone} if _are_parts(tree, folder, pairs)}
    for path in pairs.alone:
        if path not in entries or path.parent in parts:
            continue
        kept = "counts as a photograph, as its folder is told"
        if not sure:
            learnt += [path] if entries.pop(path).label == NORMAL else []
            kept = "is left out"
        detail = (
            f"it looks like a mask, its pixels at a few levels, but belongs to no photograph by its name, "
            f"and {kept}; name it after its photograph, or leave it out with --ignore."
        )
        reading.problems.append(Problem("mask-like", str(path), detail))
    for folder, count in sorted(unread.items()):
        detail = f"{count} images in it look like masks, but belong to no photograph by their names; they are not used."
        reading.problems.append(Problem("mask-like", str(folder), detail))
    if learnt:
        names = named([tree.relative(path) for path in learnt], 3)
        shared = {path.parent for path in entries}
        ignorable = [tree.relative(path if path.parent in shared else path.parent) for path in learnt]
        look = "looks like a mask" if len(learnt) == 1 else "look like masks"
        doubt(reading, f"{names} among its photographs {look}", ignorable)


def _are_parts(tree: FolderTree, folder: Path, pairs: Pairs) -> bool:
    """Whether all that a folder of good parts holds looks so: then parts do, as silhouettes on a dark ground."""
    named = any(set(words_of(part)) & MASK_WORDS for part in folder.relative_to(tree.root).parts)
    inside = tree.images(folder, recursive=False)
    return _said_good(tree, inside[0]) and not named and set(pairs.alone).issuperset(inside)


def _said_good(tree: FolderTree, path: Path) -> bool:
    return any(class_of(part) == NORMAL for part in path.relative_to(tree.root).parts[:-1])


def _doubt_inverted(tree: FolderTree, reading: Reading, entries: Sequence[Entry]) -> None:
    """Leave open what masks say that mark most of their photographs, as if black meant the defect."""
    by_mask = [entry.mask for entry in entries if entry.mask and entry.defect_type == DEFECT]
    large = [mask for mask in by_mask if _marked(mask) > _MOST_MARKED]
    if 2 * len(large) > len(by_mask):
        name = tree.relative(large[0])
        doubt(reading, f"{name} and other masks mark most of their photographs, as if they were inverted")


def _marked(mask: Path) -> float:
    """Share of its pixels that a mask marks; a little for one that cannot be read."""
    try:
        return float(np.mean(read_mask(mask)))
    except ImageError:
        return np.finfo(float).eps


def _recognise(tree: FolderTree) -> str | None:
    images = tree.images()
    for path in images:
        parts = path.relative_to(tree.root).parts[:-1]
        if any(map(class_of, parts)):
            return None  # folders of classes say more
    if not may_be_pairs(images, tree.root):
        return None
    pairs = mask_pairs(images, tree.root)
    photographs = len(images) - sum(map(len, pairs.of.values())) - len(pairs.alone)
    if not pairs.of:
        return None
    photograph, masks = next(iter(sorted(pairs.of.items())))
    pair = f"{tree.relative(masks[0])} is the mask of {tree.relative(photograph)}"
    return f"{pair}, and {len(pairs.of)} of {photographs} photographs have one"


def _read(tree: FolderTree) -> Reading:
    """Entries of photographs with masks; defective ones are for testing whatever their folder."""
    reading = Reading(NAME)
    splits = {path: _split(tree, path) for path in tree.images()}
    reading.entries = [Entry(path, split or TRAIN, NORMAL, GOOD) for path, split in splits.items()]
    take_masks(tree, reading)
    if not any(entry.split == TEST and entry.label == NORMAL for entry in reading.entries):
        reading.entries = part_normal(reading.entries, tree.root)
    return reading


def _split(tree: FolderTree, path: Path) -> str | None:
    """The split that a folder which holds a photograph says; those of validation are learnt from."""
    found = (split_of(part) for part in path.relative_to(tree.root).parts[:-1])
    split = next((one for one in found if one), None)
    return split if split in (None, TRAIN, TEST) else TRAIN


MASKS_BESIDE = Layout(
    NAME,
    "photographs with masks beside them (NAME_GT.png, NAME_mask.png) or in a folder under the same names",
    _recognise,
    _read,
)
