"""The successors of MVTec AD that lie otherwise than it.

- mvtec-ad-2: `train/good`, `validation/good`, `test_public/good`, `test_public/bad` and `test_public/ground_truth/bad`;
  names say the light, as in `000_overexposed.png`, whose mask is `000_overexposed_mask.png`. The labels of
  `test_private/` and `test_private_mixed/` are not published (Heckler-Kram et al., "The MVTec AD 2 dataset", 2025).
- mvtec-3d: `train/good/rgb`, `validation/good/rgb`, `test/DEFECT/rgb` with the masks in `test/DEFECT/gt`; `xyz/` holds
  the same views as coordinates, which are no photographs (Bergmann et al., "The MVTec 3D-AD dataset", VISAPP 2022).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from blemish.data.entries import GOOD, NORMAL_NAMES, TEST, TRAIN, VALIDATION, Problem, Reading
from blemish.data.layouts.classes import class_entries
from blemish.data.layouts.layout import Layout
from blemish.data.layouts.pairs import with_masks
from blemish.data.layouts.tree import FolderTree

OWN_SPLITS = {TRAIN: TRAIN, VALIDATION: VALIDATION, TEST: TEST}
_PUBLIC, _MASKS = "test_public", "ground_truth"
_PRIVATE = ("test_private", "test_private_mixed")


def kinds(tree: FolderTree, splits: Mapping[str, str] = OWN_SPLITS) -> Iterator[tuple[str, str, Path]]:
    """The split, the defect type and the folder of every kind of part; `splits` are those of the root's folders."""
    for name, split in splits.items():
        if name in tree.folders:
            for kind, folder in tree.folders_in(tree.folders[name]).items():
                yield split, GOOD if kind in NORMAL_NAMES else folder.name, folder


def _recognise_ad_2(tree: FolderTree) -> str | None:
    found = next((name for name in (_PUBLIC, *_PRIVATE) if name in tree.folders), None)
    return f"it has the folder {tree.folders[found].name}/" if found and TRAIN in tree.folders else None


def _read_ad_2(tree: FolderTree) -> Reading:
    """Entries of everything that has a label; the folders of the others are named."""
    reading = Reading("mvtec-ad-2")
    masks: list[Path] = []
    for split, kind, folder in kinds(tree, {TRAIN: TRAIN, VALIDATION: VALIDATION, _PUBLIC: TEST}):
        if kind.lower() == _MASKS:
            masks = tree.images(folder)
        else:
            reading.entries += class_entries(reading, tree, folder, split, kind)
    reading.entries = with_masks(reading, reading.entries, masks, _kind_and_name)
    for folder in [tree.folders[name] for name in _PRIVATE if name in tree.folders]:
        if images := tree.images(folder):
            detail = (
                f"the labels of its {len(images)} photographs are not published, so none of them is used."
            )
            reading.problems.append(Problem("unused", str(folder), detail))
    return reading


def _kind_and_name(path: Path) -> str:
    return f"{path.parent.name}/{path.stem}".lower().removesuffix("_mask")


def _recognise_3d(tree: FolderTree) -> str | None:
    folder = tree.folder(TRAIN, GOOD, "rgb")
    return f"it has the folder {tree.relative(folder)}/" if folder else None


def _read_3d(tree: FolderTree) -> Reading:
    """Entries of the colour photographs."""
    reading = Reading("mvtec-3d")
    masks: list[Path] = []
    for split, kind, folder in kinds(tree):
        views = tree.folders_in(folder)
        if "rgb" in views:
            reading.entries += class_entries(reading, tree, views["rgb"], split, kind)
        if "gt" in views:
            masks += tree.images(views["gt"])
        if "xyz" in views:
            reading.set_aside(tree.images(views["xyz"]))
    reading.entries = with_masks(reading, reading.entries, masks, _view)
    if "calibration" in tree.folders:
        reading.known.update(tree.others(folder=tree.folders["calibration"]))
    return reading


def _view(path: Path) -> str:
    """Split, kind and name: what a photograph and its mask share."""
    return f"{path.parent.parent}/{path.stem}".lower()


MVTEC_AD_2 = Layout(
    "mvtec-ad-2",
    "train/good, validation/good, test_public/good, test_public/bad and test_public/ground_truth/bad",
    _recognise_ad_2,
    _read_ad_2,
)
MVTEC_3D = Layout(
    "mvtec-3d",
    "train/good/rgb, validation/good/rgb and test/DEFECT/rgb, with masks in test/DEFECT/gt",
    _recognise_3d,
    _read_3d,
)
