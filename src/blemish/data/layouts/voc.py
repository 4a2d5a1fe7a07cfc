"""Pascal VOC's XML (Everingham et al., "The Pascal Visual Object Classes Challenge", IJCV 2010): a file a photograph.

The files lie in `Annotations/` and the photographs in `JPEGImages/`, `images/` or beside that folder, with lists of the
splits in `ImageSets/Main/`; or both side by side, as LabelImg and Roboflow write them. `bndbox` is a box whose corners
both belong to it and count from 1; LabelMe's older XML, which CVAT writes too, has `polygon` in its place.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from xml.etree.ElementTree import Element

from blemish.core.errors import CatalogError
from blemish.data.entries import SPLIT_NAMES, TRAIN, Reading
from blemish.data.layouts.annotation_files import (
    ANNOTATION_FOLDERS,
    box_around,
    corners_of,
    is_of_whole,
    line_of,
    lines_of,
    numbers_of,
    says,
    split_of_folders,
    text_of,
    type_name,
    whole_number,
    xml_of,
)
from blemish.data.layouts.layout import Layout
from blemish.data.layouts.marked import Export
from blemish.data.layouts.tree import FolderTree
from blemish.data.marks import Mark

_FOLDERS = ANNOTATION_FOLDERS | {"jpegimages", "images"}
_LOOKED_INTO = 20


def annotations_of(tree: FolderTree) -> dict[Path, Path]:
    """Photographs of a tree with their XML files: of the same name and split, with most folders in common."""
    by_stem: dict[str, list[Path]] = defaultdict(list)
    for path in tree.others("*.xml"):
        by_stem[path.stem.lower()].append(path)
    found = {}
    for photograph in tree.images():
        split = split_of_folders(tree, photograph)
        named = by_stem.get(photograph.stem.lower(), [])
        files = [file for file in named if split_of_folders(tree, file) in (split, None)]
        if files:
            mine = _folders_of(tree, photograph)
            found[photograph] = max(files, key=lambda file: len(mine & _folders_of(tree, file)))
    return found


def _folders_of(tree: FolderTree, path: Path) -> set[str]:
    names = (part.lower() for part in path.relative_to(tree.root).parts[:-1])
    return {name for name in names if name not in _FOLDERS}


def is_voc(tree: FolderTree) -> Path | None:
    """The first of the XML files that holds VOC's annotations; None where there is none."""
    files = [path for path in tree.others("*.xml") if is_of_whole(tree, path)]
    return next((path for path in files[:_LOOKED_INTO] if _is_file(path)), None)


def _is_file(path: Path) -> bool:
    return says(path, b"<annotation", among=4096) and not says(path, b"<annotations", among=4096)


def _recognise(tree: FolderTree) -> str | None:
    file = is_voc(tree)
    if file is not None and annotations_of(tree):
        return f"{tree.relative(file)} holds Pascal VOC's annotations"
    beside = next((name for name in ("annotations", "imagesets") if name in tree.folders), None)
    if beside and "jpegimages" in tree.folders:
        return f"it has the folders {tree.folders[beside].name}/ and {tree.folders['jpegimages'].name}/"
    return None


def _read(tree: FolderTree) -> Reading:
    """Entries of a folder with VOC's XML; see `blemish.data.marks` for what marks become.

    Raises:
        CatalogError: a file is broken, or an annotation cannot be meant.
    """
    export = Export("voc", tree)
    splits = _listed_splits(tree)
    annotated = annotations_of(tree)
    for path in tree.images():
        split = splits.get(path.stem.lower()) or split_of_folders(tree, path)
        file = annotated.get(path)
        if file is None:
            export.add_unlabelled(path, split)
            continue
        marks, size = marks_of(file)
        export.add(path, split, marks, size=size)
    export.reading.known.update(annotated.values())
    lists = tree.folder("ImageSets")
    export.reading.known.update(tree.others("*.txt", lists) if lists else ())
    strays = set(tree.others("*.xml")) - set(annotated.values())
    for file in sorted(strays):
        if _is_file(file):
            export.add_stray(file)
    return export.finished("the XML files")


def _listed_splits(tree: FolderTree) -> dict[str, str]:
    """Splits by the photographs' names without suffix, from `ImageSets/Main/`; `trainval` alone is for training."""
    folder = tree.folder("ImageSets", "Main")
    found: dict[str, str] = {}
    for name in ("trainval", *SPLIT_NAMES):
        for file in tree.others(f"{name}.txt", folder, recursive=False) if folder else []:
            for line in lines_of(file):
                if line.strip():
                    found[line.split()[0].lower()] = SPLIT_NAMES.get(name, TRAIN)
    return found


def marks_of(file: Path) -> tuple[list[Mark], tuple[int, int] | None]:
    """The marks of an XML file, and the photograph's width and height; None where it does not say them.

    Raises:
        CatalogError: the file is broken, or an annotation cannot be meant.
    """
    root = xml_of(file)
    if root.tag != "annotation":
        raise CatalogError(f"{file} is not Pascal VOC's: it must hold an annotation; export it anew.")
    width, height = (whole_number(text_of(root, f"size/{side}")) for side in ("width", "height"))
    size = (width, height) if width and height else None
    return [mark for one in root.iter("object") for mark in _marks(file, one)], size


def _marks(file: Path, one: Element) -> Iterator[Mark]:
    """The mark of an object; none where it was deleted."""
    if text_of(one, "deleted") == "1":
        return
    kind, box, outline = type_name(text_of(one, "name") or "defect"), one.find("bndbox"), one.find("polygon")
    if box is not None:
        texts = [text_of(box, name) for name in ("xmin", "ymin", "xmax", "ymax")]
        corners = numbers_of(texts)
        if corners is None or corners[0] > corners[2] or corners[1] > corners[3]:
            raise CatalogError(
                f"{line_of(file, box)}: a box from {', '.join(texts)[:80]} cannot be meant; give xmin, ymin, xmax and "
                "ymax in pixels."
            )
        left, top, right, bottom = corners
        yield Mark(kind, (left - 1, top - 1, right - left + 1, bottom - top + 1))
    elif outline is not None:
        texts = [text_of(corner, name) for corner in outline.iter("pt") for name in ("x", "y")]
        numbers = numbers_of(texts)
        if not numbers or len(numbers) < 6:
            raise CatalogError(
                f"{line_of(file, outline)}: an outline of {', '.join(texts)[:80] or 'no corners'} cannot be meant; "
                "give x and y of three corners or more."
            )
        polygon = corners_of(numbers)
        yield Mark(kind, box_around(polygon), (polygon,))
    else:
        raise CatalogError(f"{line_of(file, one)}: the object {kind!r} has no bndbox; mark it anew.")


VOC = Layout(
    "voc",
    "Pascal VOC's XML beside the photographs, or Annotations/ with JPEGImages/ and ImageSets/Main/",
    _recognise,
    _read,
)
