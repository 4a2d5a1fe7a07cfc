"""Photographs and their masks, as published data sets pair them: by a name that both share."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from blemish.core.errors import ImageError
from blemish.core.images import read_mask
from blemish.data.entries import ANOMALOUS, DEFECT, GOOD, NORMAL, Entry, Problem, Reading, named
from blemish.data.marks import united_mask

_COPY = re.compile(r"( \(copy\)| - (copy|kopie|copie|copia)( \(\d+\))?)$")
"""How the name of a copy ends, on Linux and on Windows, in lower case."""


@dataclass(frozen=True)
class Pairs:
    """Photographs of one folder, and masks that lie among them.

    Attributes:
        masks: the mask of every photograph in its order, None where it has none.
        alone: masks without a photograph.
        copies: photographs and masks whose name says that they are copies of another one there, by the original.
    """

    masks: Mapping[Path, Path | None]
    alone: Sequence[Path]
    copies: Mapping[Path, Path]

    @property
    def any(self) -> bool:
        """Whether a photograph has a mask."""
        return any(self.masks.values())


def pairs_by_ending(images: Iterable[Path], ending: str) -> Pairs:
    """Photographs, and their masks: of the same name with an ending, in lower case, before the suffix."""
    by_name = {(path.parent, path.stem.lower()): path for path in images}
    copies = {
        path: original
        for (folder, name), path in by_name.items()
        if (original := by_name.get((folder, _COPY.sub("", name)))) and original != path
    }
    kept = {place: path for place, path in by_name.items() if path not in copies}
    masks = {place: path for place, path in kept.items() if place[1].endswith(ending)}
    photographs = {place: path for place, path in kept.items() if place not in masks}
    of = {path: masks.pop((folder, name + ending), None) for (folder, name), path in photographs.items()}
    return Pairs(of, list(masks.values()), copies)


def entries_by_mask(reading: Reading, pairs: Pairs, folder: Path, split: str) -> list[Entry]:
    """Entries whose label is what their mask marks: a photograph is good where it marks nothing.

    A photograph without a mask is good only where no other good one has a mask, so that masks are of defects alone;
    else nothing is known of it, and it is left out. Every mask is decoded.
    """
    entries, empty = [], 0
    for path, mask in pairs.masks.items():
        if mask is None:
            continue
        reading.known.add(mask)
        try:
            defective = bool(read_mask(mask).any())
        except ImageError as error:
            detail = (
                f"{error.detail} Until then its photograph is left out: nothing else says whether it is good."
            )
            reading.problems.append(Problem(error.kind, str(mask), detail))
            reading.set_aside([path])
            continue
        empty += not defective
        entries.append(
            Entry(path, split, ANOMALOUS, DEFECT, mask) if defective else Entry(path, split, NORMAL, GOOD)
        )
    without = [path for path, mask in pairs.masks.items() if mask is None]
    if without and empty:
        detail = (
            f"{_counted(without)} no mask, which alone would say whether they are good, so they are left out."
        )
        reading.problems.append(Problem("mask-missing", str(folder), detail))
        reading.set_aside(without)
    elif without:
        detail = f"{_counted(without)} no mask and count as good parts; give them one if not."
        reading.problems.append(Problem("label-missing", str(folder), detail))
        entries += [Entry(path, split, NORMAL, GOOD) for path in without]
    for mask in pairs.alone:
        _tell_alone(reading, mask)
    for copy, original in pairs.copies.items():
        detail = f"by its name it is a copy of {original.name}, and it is left out; remove it."
        reading.problems.append(Problem("duplicate", str(copy), detail, other=str(original)))
    reading.set_aside(pairs.copies)
    return entries


def with_masks(
    reading: Reading, entries: Iterable[Entry], masks: Iterable[Path], key: Callable[[Path], str]
) -> list[Entry]:
    """The entries with their masks, several of one photograph united; missing and left-over ones are told.

    Args:
        reading: gets the problems, and masks of good parts as known.
        entries: without masks.
        masks: all there are; none at all is no problem.
        key: of a photograph or a mask; those of one photograph have one key.
    """
    of: dict[str, list[Path]] = {}
    for mask in masks:
        of.setdefault(key(mask), []).append(mask)
        reading.known.add(mask)
    if not of:
        return list(entries)
    left, found = dict(of), []
    for entry in entries:
        own = left.pop(key(entry.path), [])
        found.append(entry if entry.label == NORMAL else replace(entry, mask=_united(reading, entry, own)))
    for mask in (mask for alone in left.values() for mask in alone):
        _tell_alone(reading, mask)
    return found


def _united(reading: Reading, entry: Entry, masks: Sequence[Path]) -> Path | None:
    """The mask of a defective photograph; None where there is none that can be used, which is told."""
    if masks:
        try:
            return united_mask(masks)
        except ImageError as error:
            reading.problems.append(Problem(error.kind, str(error.path), error.detail))
    else:
        detail = "there is no mask for it among those of its data set; copy it there."
        reading.problems.append(Problem("mask-missing", str(entry.path), detail))
    return None


def _tell_alone(reading: Reading, mask: Path) -> None:
    detail = "the mask belongs to no image; rename it after its image or remove it."
    reading.problems.append(Problem("mask-without-image", str(mask), detail))
    reading.known.add(mask)


def _counted(paths: Sequence[Path]) -> str:
    """`3 photographs (a.png, b.png, c.png) have`."""
    return f"{len(paths)} photographs ({named([path.name for path in paths], 3)}) have"
