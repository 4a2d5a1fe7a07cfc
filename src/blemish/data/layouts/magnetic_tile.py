"""The magnetic tiles of Huang et al., "Surface defect saliency of magnetic tile", The Visual Computer, 2020.

`MT_Blowhole/Imgs/NAME.jpg` is a photograph and `MT_Blowhole/Imgs/NAME.png` its mask; `MT_Free` holds the good tiles.
There is no split.
"""

from __future__ import annotations

from pathlib import Path

from blemish.data.entries import ANOMALOUS, GOOD, NORMAL, TEST, TRAIN, Entry, Reading, part_normal
from blemish.data.layouts.layout import Layout
from blemish.data.layouts.pairs import with_masks
from blemish.data.layouts.tree import FolderTree

_KINDS = ("blowhole", "break", "crack", "fray", "free", "uneven")
_PHOTOGRAPH = (".jpg", ".jpeg")


def _folders(tree: FolderTree) -> dict[str, Path]:
    """Folders of the kinds that the root holds."""
    return {kind: tree.folders[f"mt_{kind}"] for kind in _KINDS if f"mt_{kind}" in tree.folders}


def _recognise(tree: FolderTree) -> str | None:
    folder = next(iter(_folders(tree).values()), None)
    return f"it has the folder {folder.name}/" if folder else None


def _read(tree: FolderTree) -> Reading:
    """Every kind of defect by its folder; `part_normal` says which good tiles are for testing."""
    reading = Reading("magnetic-tile")
    entries, masks = [], []
    for kind, folder in _folders(tree).items():
        label, split = (NORMAL, TRAIN) if kind == "free" else (ANOMALOUS, TEST)
        defect_type = GOOD if kind == "free" else folder.name[len("MT_") :]
        for path in tree.images(folder):
            if path.suffix.lower() in _PHOTOGRAPH:
                entries.append(Entry(path, split, label, defect_type))
            else:
                masks.append(path)
    reading.entries = with_masks(reading, part_normal(entries, tree.root), masks, _key)
    return reading


def _key(path: Path) -> str:
    return str(path.with_suffix("")).lower()


MAGNETIC_TILE = Layout(
    "magnetic-tile",
    "MT_Free/Imgs/NAME.jpg and MT_DEFECT/Imgs/NAME.jpg, with the mask NAME.png beside it",
    _recognise,
    _read,
)
