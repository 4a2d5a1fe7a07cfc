"""DeepPCB's pairs of circuit boards (Tang et al., "Online PCB Defect Detector", 2019).

See github.com/tangsanli5201/DeepPCB. `PCBData/group00041/00041/` has `00041000_temp.jpg`, a template without defects,
and `00041000_test.jpg`, the board that is tested; `group00041/00041_not/00041000.txt` has its defects, a line each:
x1 y1 x2 y2 and the type. `trainval.txt` and `test.txt` name the pairs of each split.
"""

from __future__ import annotations

from pathlib import Path

from blemish.core.errors import CatalogError
from blemish.data.entries import GOOD, TEST, TRAIN, Problem, Reading
from blemish.data.layouts.annotation_files import lines_of, numbers_of
from blemish.data.layouts.layout import Layout
from blemish.data.layouts.marked import Export
from blemish.data.layouts.tree import FolderTree
from blemish.data.marks import Mark

_TYPES = {1: "open", 2: "short", 3: "mousebite", 4: "spur", 5: "copper", 6: "pin-hole"}
_TEMPLATE, _TESTED = "_temp", "_test"


def _boards(tree: FolderTree) -> list[Path]:
    """Photographs in folders of groups; the repository has figures beside them."""
    return [
        path
        for path in tree.images()
        if path.parent != tree.root
        and path.stem.lower().endswith((_TEMPLATE, _TESTED))
        and path.relative_to(tree.root).parts[0].lower().startswith(("pcbdata", "group"))
    ]


def _recognise(tree: FolderTree) -> str | None:
    boards = {path.with_suffix("").as_posix().lower(): path for path in _boards(tree)}
    pair = next(
        (
            path
            for place, path in boards.items()
            if place.endswith(_TEMPLATE) and place.removesuffix(_TEMPLATE) + _TESTED in boards
        ),
        None,
    )
    if pair is None or not any(path.parent.name.lower().endswith("_not") for path in tree.others("*.txt")):
        return None
    return f"it has pairs as {pair.name} with boxes in {pair.parent.name}_not/, as DeepPCB"


def _read(tree: FolderTree) -> Reading:
    """Entries of DeepPCB: templates are good parts, tested boards are defective.

    Raises:
        CatalogError: a box cannot be meant.
    """
    export = Export("deeppcb", tree)
    boxes = {
        path.stem.lower(): path for path in tree.others("*.txt") if path.parent.name.lower().endswith("_not")
    }
    export.reading.known.update(tree.others("*.txt"))
    splits = _listed_splits(tree)
    for path in _boards(tree):
        stem = path.stem.lower()
        split = splits.get(stem.removesuffix(_TEMPLATE).removesuffix(_TESTED))
        if stem.endswith(_TEMPLATE):
            export.add(path, split, kinds=[GOOD])
        else:
            file = boxes.pop(stem.removesuffix(_TESTED), None)
            if file is None:
                detail = f"there is no {stem.removesuffix(_TESTED)}.txt for it, so it is not used; unpack the set anew."
                export.reading.problems.append(Problem("label-missing", str(path), detail))
                continue
            marks = [
                _mark(file, number, line) for number, line in enumerate(lines_of(file), 1) if line.strip()
            ]
            export.add(path, split, marks, kinds=[] if marks else ["defect"])
    for file in boxes.values():
        export.add_stray(file)
    return export.finished("DeepPCB's files")


def _listed_splits(tree: FolderTree) -> dict[str, str]:
    """Splits by the names of the pairs, from the two lists; none where they are absent."""
    found = {}
    for name, split in (("trainval.txt", TRAIN), ("test.txt", TEST)):
        for file in tree.others(name):
            for line in lines_of(file):
                if line.strip():
                    found[Path(line.split()[0]).stem.lower()] = split
    return found


def _mark(file: Path, number: int, line: str) -> Mark:
    """One line of boxes.

    Raises:
        CatalogError: it cannot be meant.
    """
    values = numbers_of(line.replace(",", " ").split())
    if (
        values is None
        or len(values) != 5
        or int(values[4]) not in _TYPES
        or values[0] >= values[2]
        or values[1] >= values[3]
    ):
        raise CatalogError(
            f"{file}, line {number}: {line.strip()[:60]!r} cannot be meant; give x1, y1, x2, y2 and a type of 1 to 6."
        )
    left, top, right, bottom = values[:4]
    return Mark(_TYPES[int(values[4])], (left, top, right - left, bottom - top))


DEEPPCB = Layout(
    "deeppcb",
    "DeepPCB's pairs NAME_temp and NAME_test, with boxes in a folder FOLDER_not/",
    _recognise,
    _read,
)
