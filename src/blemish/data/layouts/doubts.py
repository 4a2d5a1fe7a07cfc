"""What a layout leaves open, and how the user says it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from pathlib import Path, PurePath

from blemish.core.errors import CatalogError
from blemish.data.class_words import class_of_file, classes_of
from blemish.data.entries import ANOMALOUS, NORMAL, TEST, Problem, Reading, named, split_of
from blemish.data.layouts.tree import FolderTree

_LARGEST_LOOKED_AT = 1 << 16
_SPEAKING_NAME = re.compile(
    r"annot|label|bbox|boxes|coco|via_|defect|ground.?truth|classes|(^|[_/])gt|mask", re.IGNORECASE
)
_SPEAKING_TEXT = re.compile(
    r'"(annotations?|shapes|segmentation|bbox|categories|regions|label|labels)"\s*:|<(annotation|bndbox|object|image)\b'
    r"|^(.*[,;\t])?\s*\"?(label|labels|class|class_?id|classid|defect|defects|bbox|xmin|x_min|encodedpixels|target|"
    r"category|is_defective|anomaly)\"?\s*([,;\t].*)?$",
    re.IGNORECASE | re.MULTILINE,
)
_BOXES = re.compile(r"\A(\s*\d+(\s+[\d.]+){4,}\s*\n?)+\Z")
_ANNOTATIONS = (".json", ".jsonl", ".xml", ".csv", ".tsv", ".txt", ".mat", ".pkl", ".npy")


def doubt(reading: Reading, clause: str, ignore: Sequence[str] = ()) -> None:
    """Note in a reading what is left open; `ignore` are folders that a user may want to leave out."""
    if clause not in reading.unclear:
        reading.unclear = f"{reading.unclear}, and {clause}" if reading.unclear else clause
    reading.ignorable += [folder for folder in ignore if folder not in reading.ignorable]


def doubt_folders(tree: FolderTree, reading: Reading, places: Sequence[Path]) -> None:
    """Leave open which folders hold good parts, where there are several that photographs lie in."""
    if len(places) > 1:
        names = named([_written(tree, place) for place in places])
        doubt(reading, f"nothing says which of its folders hold good parts: {names}")


def doubt_names(tree: FolderTree, reading: Reading, photographs: Sequence[Path]) -> None:
    """Leave open what is good where the names of photographs that would count as good say that they are defective."""
    found = [tree.relative(path) for path in photographs if class_of_file(path.stem) == ANOMALOUS]
    if found:
        verb = "says that it is" if len(found) == 1 else "say that they are"
        doubt(reading, f"the name of {named(found, 3)} {verb} defective", found)


def doubt_annotations(tree: FolderTree, reading: Reading, folder: Path | None = None) -> None:
    """Leave open what is good where files of annotations that no layout understood lie by photographs."""
    photographs = {path.stem for path in tree.images(folder)}
    found = [
        path
        for path in tree.others(folder=folder)
        if path.suffix.lower() in _ANNOTATIONS
        and path not in reading.known
        and _speaks(tree, path, photographs)
    ]
    if found:
        names = named([tree.relative(path) for path in found], 3)
        what = "it" if len(found) == 1 else "them"
        clause = f"{names} may say which of its photographs are defective, and no layout understands {what}"
        doubt(reading, clause, [tree.relative(path) for path in found])


def is_named_like_annotations(path: PurePath) -> bool:
    """Whether a path relative to a category says that the file may hold annotations, by its name or its folder's."""
    names = f"{path.parent.name}/{path.stem}"
    return path.suffix.lower() in _ANNOTATIONS and _SPEAKING_NAME.search(names) is not None


def _speaks(tree: FolderTree, path: Path, photographs: set[str]) -> bool:
    """Whether a file speaks of annotations, by its name or by how its content begins."""
    try:
        with path.open("rb") as stream:
            text = stream.read(_LARGEST_LOOKED_AT).decode("utf-8", "replace")
    except OSError:
        return False
    if path.suffix.lower() == ".txt" and path.stem in photographs:
        return not text.strip() or bool(_BOXES.match(text[: text.rfind("\n") + 1] or text))
    if is_named_like_annotations(path.relative_to(tree.root)):
        return True
    structured = path.suffix.lower() in (".json", ".jsonl", ".xml", ".csv", ".tsv")
    return structured and _SPEAKING_TEXT.search(text) is not None


def way_out(tree: FolderTree, reading: Reading) -> str:
    """What a user types to say what is what, filled with the folders that there are."""
    places = list(dict.fromkeys(path.parent for path in tree.images()))
    places.sort(key=lambda place: split_of(tree.relative(place).split("/")[0]) == TEST)
    names = [tree.relative(place) for place in places]
    said = classes_of([place.name for place in places if place != tree.root])
    good, bad = (
        [name for name, place in zip(names, places, strict=True) if said.get(place.name) == label]
        for label in (NORMAL, ANOMALOUS)
    )
    chosen_good, chosen_bad = (next(iter(known), "FOLDER") for known in (good, bad))
    ignored = next(iter(reading.ignorable), "GLOB")
    options = f"--good {_quoted(chosen_good)} --defective {_quoted(chosen_bad)} --ignore {_quoted(ignored)}"
    return f"say what is what, as {options} (each may be repeated, and --good . takes all that is not named otherwise)"


def refuse(tree: FolderTree, reading: Reading) -> None:
    """Refuse to learn from what a layout leaves open.

    Raises:
        CatalogError: it leaves something open.
    """
    if reading.unclear:
        raise CatalogError(
            f"{tree.root} cannot be learnt from yet, for {reading.unclear}: see "
            f'"blemish check {_quoted(str(tree.root))}", and {way_out(tree, reading)}.'
        )


def unclear_problem(tree: FolderTree, reading: Reading) -> list[Problem]:
    """What is left open, as a problem; none where nothing is."""
    if not reading.unclear:
        return []
    return [Problem("unclear", str(tree.root), f"{reading.unclear}: {way_out(tree, reading)}.")]


def _written(tree: FolderTree, place: Path) -> str:
    return "the folder itself" if place == tree.root else f"{tree.relative(place)}/"


def _quoted(text: str) -> str:
    return text if text in ("FOLDER", "GLOB") else shlex.quote(text)
