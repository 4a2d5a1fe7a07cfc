"""Layouts of image folders: which one a folder has, and the entries it holds. Nothing is decoded here.

- mvtec: `train/good`, `test/good`, `test/TYPE`, `ground_truth/TYPE/NAME_mask.png` (Bergmann et al.,
  "MVTec AD", CVPR 2019).
- btad: the same with `ok` and `ko` (Mishra et al., "VT-ADL", 2021); other words for good and bad are
  known too.
- visa: `image_anno.csv`, or `split_csv/1cls.csv` beside the category (Zou et al., "SPot-the-Difference",
  ECCV 2022).
- coco, yolo: boxes or polygons around defects, as for detectors of objects.
- folders: `good/` and `bad/`, with subfolders of `bad/` as defect types, and masks in `masks/`.
- images: nothing but photographs of good parts.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from blemish.core.errors import CatalogError
from blemish.core.images import IMAGE_SUFFIXES, list_images
from blemish.data.coco import coco_files
from blemish.data.entries import (
    ANOMALOUS,
    ANOMALOUS_NAMES,
    GOOD,
    NORMAL,
    NORMAL_NAMES,
    TEST,
    TRAIN,
    Entry,
    Problem,
    Reading,
    named,
    part_normal,
)
from blemish.data.yolo import label_folders

MASK_FOLDERS = ("ground_truth", "masks", "mask")

Masks = dict[str, Path]
"""Masks by their path in the mask folder, in lower case and without suffix."""


def detect_layout(root: Path) -> str | None:
    """Name of the layout that a category's folder shows; None if it shows none (it may be plain images)."""
    folders = subfolders(root)
    if (root / "image_anno.csv").is_file() or ((root / "Data").is_dir() and visa_split_file(root).is_file()):
        return "visa"
    if coco_files(root):
        return "coco"
    if label_folders(root):
        return "yolo"
    if TRAIN in folders:
        within = subfolders(folders[TRAIN])
        return "btad" if GOOD not in within and NORMAL_NAMES & within.keys() else "mvtec"
    return "folders" if NORMAL_NAMES & folders.keys() else None


def categories_in(root: Path) -> list[Path]:
    """Folders in `root` that are categories by themselves, sorted."""
    return [folder for folder in subfolders(root).values() if detect_layout(folder)]


def visa_split_file(category: Path) -> Path:
    """Where VisA keeps the official split of a category."""
    return category.parent / "split_csv" / "1cls.csv"


def subfolders(folder: Path) -> dict[str, Path]:
    """Folders directly in `folder` by their lower-case names, sorted; hidden ones are skipped.

    Raises:
        CatalogError: the folder cannot be listed.
    """
    try:
        found = sorted(entry.name for entry in os.scandir(folder) if entry.is_dir() and entry.name[0] != ".")
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise CatalogError(
            f"{folder} cannot be listed ({reason}): check the path and its permissions."
        ) from error
    return {name.lower(): folder / name for name in found}


def read_split_folders(root: Path, layout: str) -> Reading:
    """Entries of a folder with `train/` and `test/` (mvtec, btad)."""
    reading = Reading(layout)
    folders = subfolders(root)
    for split in (TRAIN, TEST):
        if split not in folders:
            continue
        classes = subfolders(folders[split])
        if split == TRAIN and not NORMAL_NAMES & classes.keys():
            reading.entries += _class_entries(reading, folders[split], split, GOOD, recursive=False)
        for name, folder in classes.items():
            defect_type = GOOD if name in NORMAL_NAMES else folder.name
            reading.entries += _class_entries(reading, folder, split, defect_type)
    _attach_masks(reading, root, [folders[split] for split in (TRAIN, TEST) if split in folders])
    _report_unused(reading, root)
    return reading


def read_plain_folders(root: Path) -> Reading:
    """Entries of `good/` and `bad/`; `part_normal` says which good images are for testing."""
    reading = Reading("folders")
    bases = [root]
    for name, folder in subfolders(root).items():
        if name in NORMAL_NAMES:
            reading.entries += _class_entries(reading, folder, TRAIN, GOOD)
        elif name in ANOMALOUS_NAMES:
            bases.append(folder)
            types = subfolders(folder)
            loose = _class_entries(
                reading, folder, TEST, folder.name, recursive=False, may_be_empty=bool(types)
            )
            reading.entries += loose
            for kind in types.values():
                reading.entries += _class_entries(reading, kind, TEST, kind.name)
    reading.entries = part_normal(reading.entries, root)
    _attach_masks(reading, root, bases)
    _report_unused(reading, root)
    return reading


def read_plain_images(root: Path) -> Reading:
    """Every image under `root` as a photograph of a good part, for training.

    Raises:
        CatalogError: a folder in it says that not all of them can be good.
    """
    folders = subfolders(root)
    masks = [folders[name] for name in MASK_FOLDERS if name in folders]
    images = [path for path in list_images(root) if not any(path.is_relative_to(folder) for folder in masks)]
    telling = ANOMALOUS_NAMES | {TRAIN, TEST, *MASK_FOLDERS}
    for path in images:
        parts = path.relative_to(root).parts[:-1]
        depth = next((depth for depth, part in enumerate(parts) if part.lower() in telling), None)
        if depth is not None:
            raise CatalogError(
                f"{root} is not a folder of good parts only, for it holds {Path(*parts[: depth + 1])}/: "
                f"name the folder of one category, or put the photographs of good parts into {root / GOOD}."
            )
    reading = Reading("images", [Entry(path, TRAIN, NORMAL, GOOD) for path in images])
    for folder in masks:
        reading.problems.append(Problem("unused", str(folder), "masks of good parts are not used."))
    return reading


def _class_entries(
    reading: Reading,
    folder: Path,
    split: str,
    defect_type: str,
    recursive: bool = True,
    may_be_empty: bool = False,
) -> list[Entry]:
    """Entries for the images of one class; a class without images is reported."""
    images = list_images(folder, recursive)
    if not images and not may_be_empty:
        detail = "the folder has no images; add some or remove the folder."
        reading.problems.append(Problem("empty-class", str(folder), detail))
    label = NORMAL if defect_type == GOOD else ANOMALOUS
    return [Entry(path, split, label, defect_type) for path in images]


def _attach_masks(reading: Reading, root: Path, bases: list[Path]) -> None:
    """Give anomalous entries their masks, and report missing and left-over ones.

    A mask lies in a mask folder of `root` at its image's path relative to one of `bases`, or under its bare
    name, with `_mask` after the name or without.
    """
    folders = subfolders(root)
    masks: Masks = {}
    for folder in (folders[name] for name in MASK_FOLDERS if name in folders):
        masks |= {_key(path, folder): path for path in list_images(folder)}
    if not masks:
        return
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


def _mask_keys(entry: Entry, bases: list[Path]) -> Iterator[str]:
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


def _report_unused(reading: Reading, root: Path) -> None:
    """Report images under `root` that are neither entries nor masks, by folder."""
    used = {entry.path for entry in reading.entries}
    folders = subfolders(root)
    masks = [folders[name] for name in MASK_FOLDERS if name in folders]
    counts: dict[Path, int] = {}
    for path in list_images(root):
        if path not in used and not any(path.is_relative_to(folder) for folder in masks):
            counts[path.parent] = counts.get(path.parent, 0) + 1
    for folder, count in counts.items():
        detail = (
            f"{count} images in it are not used: the layout {reading.layout} knows no class for them; "
            "move them to a class or leave them."
        )
        reading.problems.append(Problem("unused", str(folder), detail))


def describe(root: Path) -> str:
    """What lies in a folder, for an error: its folders, and its files by suffix."""
    suffixes: dict[str, int] = {}
    for path in root.rglob("*"):
        if path.is_file() and not path.name.startswith("."):
            suffixes[path.suffix.lower() or "no suffix"] = (
                suffixes.get(path.suffix.lower() or "no suffix", 0) + 1
            )
    parts = [
        f"{count} files {suffix}" for suffix, count in sorted(suffixes.items(), key=lambda item: -item[1])
    ]
    folders = [f"{folder.name}/" for folder in subfolders(root).values()]
    found = " and ".join(filter(None, [named(folders), named(parts, 5)])) or "nothing"
    return f"found {found}; images end in {', '.join(sorted(IMAGE_SUFFIXES))}"
