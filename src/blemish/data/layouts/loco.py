"""MVTec LOCO AD: logical and structural anomalies (Bergmann et al., "Beyond dents and scratches", IJCV 2022).

`train/good`, `validation/good`, `test/good`, `test/logical_anomalies/000.png` and `test/structural_anomalies/000.png`.
A photograph may have several masks, `ground_truth/logical_anomalies/000/000.png` and so on, each of one defect;
`defects_config.json` says how much of each has to be found.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from blemish.data.entries import TEST, TRAIN, Reading
from blemish.data.layouts.classes import class_entries
from blemish.data.layouts.layout import Layout
from blemish.data.layouts.mvtec_family import kinds
from blemish.data.layouts.pairs import with_masks
from blemish.data.layouts.tree import FolderTree

_KINDS = ("logical_anomalies", "structural_anomalies")
_CONFIG = "defects_config.json"
_MASKS = "ground_truth"


def _recognise(tree: FolderTree) -> str | None:
    if TRAIN not in tree.folders:
        return None
    for kind in _KINDS:
        if folder := tree.folder(TEST, kind):
            return f"it has the folder {tree.relative(folder)}/"
    return f"it has the file {_CONFIG}" if saturation_file(tree) else None


def _read(tree: FolderTree) -> Reading:
    """Entries of one category; the masks of a photograph are united."""
    reading = Reading("mvtec-loco")
    reading.known.update(filter(None, [saturation_file(tree)]))
    for split, kind, folder in kinds(tree):
        reading.entries += class_entries(reading, tree, folder, split, kind)
    masks = tree.folders.get(_MASKS)
    files = tree.images(masks) if masks else []
    reading.entries = with_masks(reading, reading.entries, files, lambda path: _key(path, masks))
    return reading


def saturation_file(tree: FolderTree) -> Path | None:
    """The file that says how much of each defect has to be found."""
    return next(iter(tree.others(_CONFIG, recursive=False)), None)


def masks_by_photograph(tree: FolderTree) -> Callable[[Path], list[Path]]:
    """What gives the masks of a photograph, each of one defect; none where there are none."""
    masks = tree.folders.get(_MASKS)
    found: dict[str, list[Path]] = {}
    for path in tree.images(masks) if masks else ():
        found.setdefault(_key(path, masks), []).append(path)
    return lambda path: found.get(_key(path, masks), [])


def _key(path: Path, masks: Path | None) -> str:
    """Kind and name: a mask lies in a folder named after its photograph."""
    if masks and path.is_relative_to(masks):
        kind, *inside = path.relative_to(masks).with_suffix("").parts
        return f"{kind}/{inside[0] if inside else kind}".lower().removesuffix("_mask")
    return f"{path.parent.name}/{path.stem}".lower()


LOCO = Layout(
    "mvtec-loco",
    "test/logical_anomalies and test/structural_anomalies, with masks in ground_truth/KIND/NAME/000.png",
    _recognise,
    _read,
)
