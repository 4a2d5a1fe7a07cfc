"""Published sets whose folders say good and defective in words of their own, and hold nothing else.

- casting: pump impellers (kaggle.com/datasets/ravirajsinh45/real-life-industrial-dataset-of-casting-product),
  `def_front/` and `ok_front/`, in `train/` and `test/` or alone.
- concrete-cracks: METU's concrete (Özgenel, "Concrete Crack Images for Classification", 2018), `Negative/` and
  `Positive/`.
- sdnet2018: Utah State's concrete (Maguire et al., 2018): `CD/` and `UD/` in `D/`, the decks, `CP/` and `UP/` in `P/`,
  `CW/` and `UW/` in `W/`, each a category; C is cracked, U is not.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from blemish.data.entries import GOOD, SPLIT_NAMES, TRAIN, Reading
from blemish.data.layouts.classes import class_entries
from blemish.data.layouts.layout import Layout
from blemish.data.layouts.tree import FolderTree
from blemish.data.marks import with_known_splits

Classes = Mapping[str, str]
"""What the folders of a set hold, by their names in lower case: good, or a type of defects."""


def _places(tree: FolderTree, sets: tuple[Classes, ...]) -> dict[Path, tuple[str, str]]:
    """Folders of classes with their split and class; none where other folders with photographs lie beside them."""
    top = _packed(tree)
    splits = {
        folder: SPLIT_NAMES[name] for name, folder in tree.folders_in(top).items() if name in SPLIT_NAMES
    }
    within = splits or {top: TRAIN}
    found: dict[Path, tuple[str, str]] = {}
    for base, split in within.items():
        folders = {name: folder for name, folder in tree.folders_in(base).items() if tree.images(folder)}
        classes = next((one for one in sets if folders.keys() == one.keys()), None)
        if classes is None or tree.images(base, recursive=False):
            return {}
        found |= {folder: (split, classes[name]) for name, folder in folders.items()}
    beside = [folder for folder in tree.folders_in(top).values() if splits and folder not in splits]
    others = any(tree.images(folder) for folder in beside)
    return {} if others else found


def _packed(tree: FolderTree) -> Path:
    """The folder of a set that is packed into a folder by itself, as Kaggle's `casting_data/casting_data/`."""
    top = tree.root
    while len(within := tree.folders_in(top)) == 1 and not tree.images(top, recursive=False):
        (top,) = within.values()
    return top


def _layout(name: str, title: str, summary: str, *sets: Classes) -> Layout:
    """The layout of one of the sets."""

    def recognise(tree: FolderTree) -> str | None:
        places = _places(tree, sets)
        names = [tree.relative(folder) for folder in places]
        return f"its folders are {' and '.join(names[:2])}, as {title} is published" if places else None

    def read(tree: FolderTree) -> Reading:
        reading = Reading(name)
        for folder, (split, kind) in _places(tree, sets).items():
            reading.entries += class_entries(reading, tree, folder, split, kind)
        reading.entries = with_known_splits(reading.entries, tree.root)
        return reading

    return Layout(name, summary, recognise, read)


CASTING = _layout(
    "casting",
    "Kaggle's set of castings",
    "def_front/ and ok_front/, in train/ and test/ or alone",
    {"def_front": "def_front", "ok_front": GOOD},
)
CONCRETE = _layout(
    "concrete-cracks",
    "METU's set of concrete cracks",
    "Negative/ and Positive/, without and with cracks",
    {"negative": GOOD, "positive": "crack"},
)
SDNET = _layout(
    "sdnet2018",
    "SDNET2018",
    "CD/ and UD/, CP/ and UP/ or CW/ and UW/, cracked and not",
    {"cd": "crack", "ud": GOOD},
    {"cp": "crack", "up": GOOD},
    {"cw": "crack", "uw": GOOD},
    {"cracked": "crack", "non-cracked": GOOD},
)
