"""Folders that people make themselves: good and defective parts, or good parts alone."""

from __future__ import annotations

from pathlib import Path

from blemish.data.class_words import class_of, classes_of, is_class_alone
from blemish.data.entries import ANOMALOUS, GOOD, NORMAL, TEST, TRAIN, Entry, Problem, Reading, part_normal
from blemish.data.layouts.classes import class_entries
from blemish.data.layouts.doubts import doubt, doubt_annotations, doubt_folders, doubt_names
from blemish.data.layouts.layout import Layout
from blemish.data.layouts.masks import MASK_FOLDERS, attach_masks, mask_folders
from blemish.data.layouts.tree import FolderTree

_TELLING = frozenset({TRAIN, TEST, *MASK_FOLDERS})


def _classes(tree: FolderTree) -> str | None:
    names = _class_folders(tree)
    good = next((folder.name for folder, label in names.items() if label == NORMAL), None)
    return good and f"it has the folder {good}/"


def _read_classes(tree: FolderTree) -> Reading:
    """Entries of `good/` and `bad/`; `part_normal` says which good images are for testing."""
    reading = Reading("folders")
    bases = [tree.root]
    for folder, label in _class_folders(tree).items():
        if label == NORMAL:
            reading.entries += class_entries(reading, tree, folder, TRAIN, GOOD)
        else:
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


def _class_folders(tree: FolderTree) -> dict[Path, str]:
    """Folders in the root that say a class by their names; none that has folders of splits, as a category has."""
    said = classes_of([folder.name for folder in tree.folders.values()])
    return {
        folder: said[folder.name]
        for folder in tree.folders.values()
        if folder.name in said and (is_class_alone(folder.name) or TRAIN not in tree.folders_in(folder))
    }


def _images(tree: FolderTree) -> str | None:
    return "it holds photographs and no folder that says more" if tree.listing.images else None


def _read_images(tree: FolderTree) -> Reading:
    """Every image as a photograph of a good part, for training, but for those that a folder says are defective.

    It is unclear which are good where a folder says that some are not, where photographs lie in several folders, and
    where files of annotations lie by them.
    """
    reading = Reading("images")
    for folder in mask_folders(tree):
        masks = tree.images(folder)
        reading.known.update(masks)
        if masks:
            detail = "its masks belong to no photograph by their names; name them after their photographs."
            reading.problems.append(Problem("unused", str(folder), detail))
            doubt(reading, f"{folder.name}/ holds masks of photographs that are not known", [folder.name])
    telling: dict[Path, None] = {}
    for path in tree.images():
        if path in reading.known:
            continue
        parents = [parent for parent in path.parents if parent.is_relative_to(tree.root)][-2::-1]
        found = next(
            (parent for parent in parents if class_of(parent.name) or parent.name.lower() in _TELLING), None
        )
        defective = found is not None and class_of(found.name) == ANOMALOUS
        if found is not None:
            telling[found] = None
        reading.entries.append(
            Entry(path, TEST, ANOMALOUS, path.parent.name) if defective else Entry(path, TRAIN, NORMAL, GOOD)
        )
    if telling:
        holding = tree.relative(next(iter(telling)))
        doubt(reading, f"it holds {holding}/, so not all photographs in it are known to be of good parts")
    else:
        doubt_folders(tree, reading, list(dict.fromkeys(entry.path.parent for entry in reading.entries)))
    doubt_names(tree, reading, [entry.path for entry in reading.entries if entry.label == NORMAL])
    doubt_annotations(tree, reading)
    return reading


FOLDERS = Layout(
    "folders",
    "good/ and bad/, with a sub-folder of bad/ for each defect type, and masks in masks/",
    _classes,
    _read_classes,
)
IMAGES = Layout("images", "nothing but photographs of good parts", _images, _read_images)
