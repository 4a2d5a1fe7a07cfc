"""Published sets with defective parts alone, for detectors of objects and classifiers: nothing can be learnt from them.

They are read all the same, to evaluate, explore and check them, and the sentence says what is missing.

- neu: steel strip of Northeastern University (Song and Yan, "A noise robust method ...", 2013). NEU-DET has
  `train/images/crazing/*.jpg` with Pascal VOC's XML in `train/annotations/`, and `validation/` alike, or `IMAGES/` and
  `ANNOTATIONS/`; NEU-CLS has photographs `Cr_1.bmp` in one folder, or a folder for each class.
- gc10-det: steel sheets (Lv et al., "Deep Metallic Surface Defect Detection", 2020), in the folders `1` to `10` with
  XML in `lable/`.
- pku-pcb: circuit boards of Peking University (Huang et al., "HRIPCB", 2020), `images/` and `Annotations/` with a
  folder for each class; the ten boards in `PCB_USED/` have no defect, and are the only good ones.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from blemish.data.entries import GOOD, TEST, TRAIN, Reading
from blemish.data.layouts.annotation_files import is_of_whole, split_of_folders
from blemish.data.layouts.layout import Layout
from blemish.data.layouts.marked import Export
from blemish.data.layouts.tree import FolderTree
from blemish.data.layouts.voc import annotations_of, is_voc, marks_of

_NEU = {
    "cr": "crazing",
    "in": "inclusion",
    "pa": "patches",
    "ps": "pitted_surface",
    "rs": "rolled-in_scale",
    "sc": "scratches",
}
_NEU_NAME = re.compile(
    r"(cr|in|pa|ps|rs|sc|crazing|inclusion|patches|pitted_surface|rolled-in_scale|scratches)_\d+"
)
_NEU_FOLDERS = {**_NEU, **{name: name for name in _NEU.values()}}
_NEU_FOLDERS |= {"pitted": "pitted_surface", "rolled": "rolled-in_scale"}
_GC10_TYPES = (
    *("punching_hole", "welding_line", "crescent_gap", "water_spot", "oil_spot"),
    *("silk_spot", "inclusion", "rolled_pit", "crease", "waist_folding"),
)
_GC10 = {str(number): kind for number, kind in enumerate(_GC10_TYPES, 1)}
_PCB = {
    name: name for name in ("missing_hole", "mouse_bite", "open_circuit", "short", "spur", "spurious_copper")
}


def _neu(tree: FolderTree) -> str | None:
    named = [path for path in tree.images() if _NEU_NAME.fullmatch(path.stem.lower())]
    kinds = {_neu_kind(path) for path in named}
    of_whole = all(is_of_whole(tree, path, _NEU_FOLDERS) for path in named)
    if len(kinds) < 3 or len(named) != len(tree.images()) or not of_whole:
        return None
    return f"its photographs are called as {named[0].name}, as in NEU-DET and NEU-CLS"


def _neu_kind(path: Path) -> str:
    return _NEU_FOLDERS[path.stem.lower().rpartition("_")[0]]


def _gc10(tree: FolderTree) -> str | None:
    names = {path.parent.name.lower() for path in tree.images()}
    if tree.folder("lable") and len(names & _GC10.keys()) >= 3:
        return "it has the folders 1 to 10 and lable/, as GC10-DET"
    return None


def _pcb(tree: FolderTree) -> str | None:
    images, annotations = tree.folder("images"), tree.folder("Annotations")
    if images and annotations and len(tree.folders_in(images).keys() & _PCB.keys()) >= 3 and is_voc(tree):
        return "images/ and Annotations/ have the folders of PKU's circuit boards"
    return None


def _reader(name: str, title: str, kind_of: Callable[[Path], str | None]) -> Callable[[FolderTree], Reading]:
    """What reads one of the sets; `kind_of` is the class of a photograph, None where it has none."""

    def read(tree: FolderTree) -> Reading:
        export, annotated = Export(name, tree), annotations_of(tree)
        export.reading.known.update((*tree.others("*.xml"), *tree.others("*_angles.txt")))
        for path in tree.images():
            kind = kind_of(path)
            marks, size = marks_of(annotated[path]) if path in annotated else ([], None)
            split = split_of_folders(tree, path)
            if kind == GOOD and not marks:
                export.add(path, TRAIN, kinds=[GOOD])
            elif kind or marks:
                export.add(
                    path, TEST if split == TEST else split, marks, [kind] if kind and not marks else [], size
                )
        reading = export.finished(title)
        if all(entry.defect_type != GOOD for entry in reading.entries):
            reading.unclear = (
                f"{title} is published without photographs of good parts, so that some have to be added in a folder of "
                "their own"
            )
        return reading

    return read


def _folder_kind(kinds: Mapping[str, str]) -> Callable[[Path], str | None]:
    return lambda path: kinds.get(path.parent.name.lower().removesuffix("_rotation"))


def _pcb_kind(path: Path) -> str | None:
    return GOOD if path.parent.name.lower() == "pcb_used" else _folder_kind(_PCB)(path)


NEU = Layout(
    "neu",
    "NEU-DET's or NEU-CLS's photographs, as crazing_1.jpg or Cr_1.bmp; there are no good ones",
    _neu,
    _reader("neu", "NEU's set of steel strip", _neu_kind),
)
GC10 = Layout(
    "gc10-det",
    "GC10-DET's folders 1 to 10 with lable/; there are no good ones",
    _gc10,
    _reader("gc10-det", "GC10-DET", _folder_kind(_GC10)),
)
PCB = Layout(
    "pku-pcb",
    "PKU's images/ and Annotations/ with a folder for each class, and good boards in PCB_USED/",
    _pcb,
    _reader("pku-pcb", "PKU's set of circuit boards", _pcb_kind),
)
