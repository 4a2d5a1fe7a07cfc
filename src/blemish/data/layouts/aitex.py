"""The fabrics of AITEX (Silvestre-Blanes et al., "A public fabric database for defect detection methods and results",
Autex Research Journal, 2019).

`Defect_images/NNNN_CCC_FF.png` has the code CCC of the defect and FF of the fabric, and its mask is
`Mask_images/NNNN_CCC_FF_mask.png` (`_mask1` and `_mask2` where there are two); `NODefect_images/FABRIC/` holds good
pieces. There is no split.
"""

from __future__ import annotations

import re
from pathlib import Path

from blemish.data.entries import ANOMALOUS, DEFECT, GOOD, NORMAL, TEST, TRAIN, Entry, Reading, part_normal
from blemish.data.layouts.layout import Layout
from blemish.data.layouts.pairs import with_masks
from blemish.data.layouts.tree import FolderTree

_GOOD, _BAD, _MASKS = "nodefect_images", "defect_images", "mask_images"
_NAME = re.compile(r"\d+_(\d{3})_\d+")
_MASK_ENDING = re.compile(r"_mask\d*$")


def _recognise(tree: FolderTree) -> str | None:
    if _GOOD not in tree.folders and not {_BAD, _MASKS} <= tree.folders.keys():
        return None
    return f"it has the folder {tree.folders[_GOOD if _GOOD in tree.folders else _BAD].name}/"


def _read(tree: FolderTree) -> Reading:
    """Good and defective pieces of all fabrics; the type of a defect is its code."""
    reading = Reading("aitex")
    good, bad, masks = (
        tree.images(tree.folders[name]) if name in tree.folders else [] for name in (_GOOD, _BAD, _MASKS)
    )
    entries = [Entry(path, TRAIN, NORMAL, GOOD) for path in good]
    for path in bad:
        coded = _NAME.match(path.stem)
        entries.append(Entry(path, TEST, ANOMALOUS, coded[1] if coded else DEFECT))
    reading.entries = with_masks(reading, part_normal(entries, tree.root), masks, _key)
    return reading


def _key(path: Path) -> str:
    return _MASK_ENDING.sub("", path.stem.lower())


AITEX = Layout(
    "aitex",
    "NODefect_images/FABRIC/ and Defect_images/, with masks NAME_mask.png in Mask_images/",
    _recognise,
    _read,
)
