"""Masks whose colours or values are classes, as programs for segmentation export them.

- cvat-masks: CVAT's "Segmentation mask" and Pascal VOC's segmentation: `SegmentationClass/NAME.png` in the colours of
  `labelmap.txt` (`label:r,g,b:parts:actions`), photographs in `JPEGImages/` or elsewhere, splits in
  `ImageSets/Segmentation/`. Without a label map black is background and all else a defect; VOC's border (224, 224, 192)
  belongs to no class.
- roboflow-masks: `NAME.jpg` and `NAME_mask.png` side by side, `_classes.csv` with the columns `Pixel Value, Class`.

Every mask is decoded, for only it says whether its photograph is of a good part.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from blemish.core.errors import CatalogError, ImageError
from blemish.core.images import read_image
from blemish.core.types import BoolArray
from blemish.data.entries import GOOD, NORMAL_NAMES, SPLIT_NAMES, Problem, Reading
from blemish.data.layouts.annotation_files import (
    Photographs,
    is_of_whole,
    lines_of,
    split_of_folders,
    type_name,
    whole_number,
)
from blemish.data.layouts.layout import Layout
from blemish.data.layouts.marked import Export
from blemish.data.layouts.tree import FolderTree
from blemish.data.marks import Mark
from blemish.data.run_lengths import runs_of

_BACKGROUND = (
    frozenset({"background", "_background_", "unlabeled", "unlabelled", "void", "ignore"}) | NORMAL_NAMES
)
_BORDER = (224, 224, 192)
_CLASS_TABLE = "_classes.csv"

Colours = Mapping[tuple[int, int, int], str]
"""Classes by red, green and blue."""


def _cvat(tree: FolderTree) -> str | None:
    folder = tree.folder("SegmentationClass")
    return "it has the folder SegmentationClass/" if folder and tree.images(folder) else None


def _read_cvat(tree: FolderTree) -> Reading:
    """Entries of photographs with masks in colours.

    Raises:
        CatalogError: a mask has a colour that the label map does not know.
    """
    export, masks, objects = (
        Export("cvat-masks", tree),
        tree.folder("SegmentationClass"),
        tree.folder("SegmentationObject"),
    )
    if masks is None:
        raise CatalogError(f"{tree.root} has no folder SegmentationClass/: it is not CVAT's export of masks.")
    of_objects = set(tree.images(objects)) if objects else set()
    of_classes = {_key(path, masks): path for path in tree.images(masks)}
    export.reading.known |= of_objects | set(of_classes.values())
    export.reading.known.update((*tree.others("*.txt"), *tree.others("*.xml")))
    colours, splits = _label_map(tree), _listed_splits(tree)
    base = tree.folder("JPEGImages")
    for path in tree.images(base):
        if path in export.reading.known:
            continue
        split = splits.get(path.stem.lower()) or split_of_folders(tree, path)
        key = _key(path, base) if base else path.stem.lower()
        mask = of_classes.pop(key, None) or of_classes.pop(path.stem.lower(), None)
        if mask is None:
            export.add_unlabelled(path, split)
        else:
            _add(export, path, split, mask, colours)
    for mask in of_classes.values():
        export.add_stray(mask)
    return export.finished("SegmentationClass/")


def _key(path: Path, folder: Path) -> str:
    return path.relative_to(folder).with_suffix("").as_posix().lower()


def _label_map(tree: FolderTree) -> Colours:
    """The classes of `labelmap.txt`; empty where there is none.

    Raises:
        CatalogError: a line of it cannot be meant.
    """
    found: dict[tuple[int, int, int], str] = {}
    for file in tree.others("labelmap.txt", recursive=False):
        for number, line in enumerate(lines_of(file), 1):
            if not line.strip() or line.startswith("#"):
                continue
            name, colour = (*line.split(":"), "")[:2]
            values = [whole_number(value.strip(), 255) for value in colour.split(",")]
            if len(values) != 3 or None in values:
                raise CatalogError(
                    f"{file}, line {number}: {line[:60]!r} is no label; write label:r,g,b:parts:actions."
                )
            red, green, blue = (int(value or 0) for value in values)
            found[red, green, blue] = type_name(name)
    return found


def _listed_splits(tree: FolderTree) -> dict[str, str]:
    folder = tree.folder("ImageSets", "Segmentation")
    return {
        Path(line.split()[0]).name.lower(): SPLIT_NAMES[file.stem.lower()]
        for file in (tree.others("*.txt", folder, recursive=False) if folder else [])
        if file.stem.lower() in SPLIT_NAMES
        for line in lines_of(file)
        if line.strip()
    }


def _roboflow(tree: FolderTree) -> str | None:
    table = next(
        (path for path in tree.others(_CLASS_TABLE) if is_of_whole(tree, path) and _has_values(path)), None
    )
    if table is None or not any(path.stem.lower().endswith("_mask") for path in tree.images(table.parent)):
        return None
    return f"{tree.relative(table)} names the values of masks"


def _has_values(table: Path) -> bool:
    return "pixel value" in "".join(lines_of(table)[:1]).lower()


def _read_roboflow(tree: FolderTree) -> Reading:
    """Entries of photographs with `_mask.png` beside them.

    Raises:
        CatalogError: a mask has a value that the table of classes does not know.
    """
    export, photographs = Export("roboflow-masks", tree), Photographs(tree)
    masks = [path for path in tree.images() if path.stem.lower().endswith("_mask")]
    export.reading.known.update((*masks, *tree.others(_CLASS_TABLE)))
    tables = {path.parent: _values(path) for path in tree.others(_CLASS_TABLE) if _has_values(path)}
    for mask in masks:
        stem = mask.stem[: -len("_mask")]
        path = photographs.of_stem(stem, mask.parent)
        if path is None or path.parent != mask.parent:
            export.add_stray(mask)
            continue
        _add(export, path, split_of_folders(tree, path), mask, tables.get(mask.parent, {}))
    for path in tree.images():
        if path not in export.reading.known:
            export.add_unlabelled(path, split_of_folders(tree, path))
    return export.finished("the masks")


def _values(table: Path) -> Colours:
    """The classes of grey values.

    Raises:
        CatalogError: a line cannot be meant.
    """
    found = {}
    for number, line in enumerate(lines_of(table)[1:], 2):
        if line.strip():
            value, _, name = line.partition(",")
            grey = whole_number(value.strip(), 255)
            if grey is None or not name.strip():
                raise CatalogError(
                    f"{table}, line {number}: {line[:60]!r} is no class; write a value to 255 and a name."
                )
            found[grey, grey, grey] = type_name(name)
    return found


def _add(export: Export, path: Path, split: str | None, mask: Path, colours: Colours) -> None:
    """Add a photograph with its mask; one whose mask cannot be read is left out, and that is told.

    Raises:
        CatalogError: the mask has a colour that is no class.
    """
    try:
        marked = _classes_of(mask, colours)
    except ImageError as error:
        export.reading.set_aside([path])
        detail = (
            f"{error.detail} Until then its photograph is left out: nothing else says whether it is good."
        )
        export.reading.problems.append(Problem(error.kind, str(mask), detail))
        return
    marks = [Mark(kind, runs.box, (), runs) for kind, pixels in marked if (runs := runs_of(pixels))]
    size = (marked[0][1].shape[1], marked[0][1].shape[0]) if marked else None
    export.add(path, split, marks, [] if marks else [GOOD], size)


def _classes_of(mask: Path, colours: Colours) -> list[tuple[str, BoolArray]]:
    """The defects in a mask by their class, bool H x W each.

    Raises:
        ImageError: it cannot be read.
        CatalogError: it has a colour that is no class.
    """
    pixels = read_image(mask).astype(np.uint32)
    codes = pixels[..., 0] << 16 | pixels[..., 1] << 8 | pixels[..., 2]
    found: dict[str, BoolArray] = {}
    present = np.unique(codes[codes > 0]).tolist()  # most pixels are black, and sorting them takes long
    for code in (*([] if codes.all() else [0]), *present):
        colour = (code >> 16, code >> 8 & 255, code & 255)
        name = colours.get(colour)
        if name is None and (colour in ((0, 0, 0), _BORDER)):
            continue
        if name is None and colours:
            raise CatalogError(
                f"{mask}: the colour {colour} is no class of the label map; correct the map or the mask."
            )
        if (name or "").lower() not in _BACKGROUND:
            kind = name or "defect"
            found[kind] = found.get(kind, np.False_) | (codes == code)
    return list(found.items())


CVAT_MASKS = Layout(
    "cvat-masks",
    "CVAT's SegmentationClass/ with labelmap.txt, or Pascal VOC's, and JPEGImages/",
    _cvat,
    _read_cvat,
)
ROBOFLOW_MASKS = Layout(
    "roboflow-masks",
    "Roboflow's NAME_mask.png beside photographs, with _classes.csv",
    _roboflow,
    _read_roboflow,
)
