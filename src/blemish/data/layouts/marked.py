"""What an export for detectors of objects comes to: marked photographs are defective, others good, if any is marked.

An export without a single mark is most likely one whose marks are missing: nobody is told that all of it is good.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from blemish.core.errors import CatalogError, ImageError
from blemish.core.images import upright_size
from blemish.data.entries import (
    ANOMALOUS,
    GOOD,
    NORMAL,
    NORMAL_NAMES,
    TEST,
    TRAIN,
    Entry,
    Problem,
    Reading,
    named,
)
from blemish.data.layouts.annotation_files import split_of_folders
from blemish.data.layouts.tree import FolderTree
from blemish.data.marks import Mark, marked_entry, with_known_splits

MOST_MARKS = 20_000
"""Marks on one photograph."""
MOST_CORNERS = 1_000_000
"""Corners and runs of all marks on one photograph."""


@dataclass
class _Marked:
    """One photograph: its split, its marks, what it is called as a whole, and its size where a file says it."""

    split: str
    marks: dict[Mark, None] = field(default_factory=dict)
    kinds: dict[str, None] = field(default_factory=dict)
    size: tuple[int, int] | None = None
    corners: int = 0


class Export:
    """The photographs of one export, as its files name them.

    Attributes:
        reading: where problems and known files go.
    """

    def __init__(self, layout: str, tree: FolderTree) -> None:
        self.reading = Reading(layout)
        self._tree = tree
        self._photographs: dict[Path, _Marked] = {}
        self._unlabelled: dict[Path, str | None] = {}
        self._strays: list[Path] = []
        self._said = False

    def add(
        self,
        path: Path,
        split: str | None,
        marks: Iterable[Mark] = (),
        kinds: Iterable[str] = (),
        size: tuple[int, int] | None = None,
    ) -> None:
        """A photograph that an annotation names; what several files say of it is taken together.

        Args:
            path: the photograph.
            split: its split, None where nothing says it.
            marks: what is marked on it.
            kinds: what it is called as a whole, as `scratch` or `good`.
            size: width and height in pixels, upright; None to read them from the photograph.

        Raises:
            CatalogError: it has more marks than anyone draws.
        """
        one = self._photographs.setdefault(path, _Marked(split or TRAIN))
        one.split = TEST if split == TEST else one.split
        one.size = one.size or size
        for mark in marks:
            one.marks[mark] = None
            one.corners += sum(map(len, mark.polygons)) + (len(mark.runs.counts) if mark.runs else 0)
        one.kinds |= dict.fromkeys(kinds)
        self._said |= bool(one.marks or one.kinds)
        if len(one.marks) > MOST_MARKS or one.corners > MOST_CORNERS:
            raise CatalogError(
                f"{path} has {len(one.marks)} marks with {one.corners} corners: correct its annotations; "
                f"{MOST_MARKS:,} marks and {MOST_CORNERS:,} corners are possible."
            )

    def add_unlabelled(self, path: Path, split: str | None) -> None:
        """A photograph of which no file says anything: it is good where others in its folder are labelled."""
        self._unlabelled[path] = split

    def add_stray(self, path: Path) -> None:
        """A file of labels, or a mask, that belongs to no photograph."""
        self.reading.known.add(path)
        self._strays.append(path)

    def missing(self, path: Path, table: Path) -> None:
        """A photograph that a file names, but that is not there."""
        detail = f"{table.name} names it, but there is no such file; copy it there or correct the file."
        self.reading.problems.append(Problem("missing", str(path), detail))

    def finished(self, where: str) -> Reading:
        """The reading; `where` is what holds the annotations, for sentences.

        Raises:
            CatalogError: a photograph's size cannot be meant.
            BlemishError: the cache of masks cannot be written.
        """
        listed = len(self._photographs)
        self._take_unlabelled()
        for path in self._tree.images() if not listed else ():
            self.add(path, split_of_folders(self._tree, path))
        entries = [entry for path, one in self._photographs.items() if (entry := self._entry(path, one))]
        self.reading.entries = with_known_splits(entries, self._tree.root)
        self._tell_strays()
        self.reading.unclear = self._unclear(where, listed)
        return self.reading

    def _unclear(self, where: str, listed: int) -> str:
        count = len(self._photographs)
        if not listed:
            return f"no photograph that is there is named in {where}, so nothing says which of the {count} are good"
        if not self._said:
            return f"nothing is marked in {where}, so nothing says that its {count} photographs are all good"
        if self._strays and self._unlabelled:
            names = named([self._tree.relative(path) for path in self._strays], 3)
            return (
                f"{len(self._strays)} files of labels belong to no photograph ({names}), and "
                f"{len(self._unlabelled)} photographs have no label, so either may be of the other"
            )
        return ""

    def _take_unlabelled(self) -> None:
        """Photographs without labels in a folder with labels are good, and that is told; others are left out."""
        labelled = {path.parent for path in self._photographs}
        unlabelled = {
            path: split for path, split in self._unlabelled.items() if path not in self._photographs
        }
        self._unlabelled = {path: split for path, split in unlabelled.items() if path.parent in labelled}
        for path, split in self._unlabelled.items():
            self.add(path, split)
        for folder, count in sorted(Counter(path.parent for path in self._unlabelled).items()):
            detail = (
                f"{count} photographs have no label file and count as good parts; mark their defects if not."
            )
            self.reading.problems.append(Problem("label-missing", str(folder), detail))

    def _tell_strays(self) -> None:
        for path in self._strays:
            detail = "it holds labels, but there is no photograph of its name; copy that there or remove it."
            self.reading.problems.append(Problem("missing", str(path), detail))

    def _entry(self, path: Path, one: _Marked) -> Entry | None:
        """The entry of a photograph; None where its size has to be read and cannot be."""
        defects = [mark for mark in one.marks if mark.defect_type.lower() not in NORMAL_NAMES]
        kind = next((kind for kind in one.kinds if kind.lower() not in NORMAL_NAMES), None)
        if not defects and kind is None:
            return Entry(path, one.split, NORMAL, GOOD)
        if not defects:
            return Entry(path, one.split, ANOMALOUS, str(kind))
        try:
            width, height = one.size or upright_size(path)
        except ImageError as error:
            self.reading.problems.append(Problem(error.kind, str(path), error.detail))
            return None
        return marked_entry(path, one.split, defects, width, height)
