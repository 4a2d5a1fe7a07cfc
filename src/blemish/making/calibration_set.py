"""Good photographs that a layout sets aside, as `validation/good`: calibrated on, and never learnt from."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from blemish.data.catalog import Catalog
from blemish.data.entries import NORMAL, TRAIN, VALIDATION
from blemish.features.together import Together

FEWEST = 20
"""Photographs from which on they are the calibration: the highest of 20 scores is expected to reject under 5 % of good
parts, 1 in 21; with fewer, good training images judged by each other promise more than so few could."""


@dataclasses.dataclass(frozen=True)
class CalibrationSet:
    """The good validation photographs of a catalog.

    Attributes:
        paths: those that can be read, each content once, none of it and none of its group learnt from.
        digests: SHA-256 of each.
        left_out: the others, each with path and detail.
    """

    paths: tuple[Path, ...] = ()
    digests: tuple[str, ...] = ()
    left_out: tuple[dict[str, str], ...] = ()

    @property
    def enough(self) -> bool:
        """Whether a calibration is made from them."""
        return len(self.paths) >= FEWEST

    def without(self, paths: Sequence[Path]) -> CalibrationSet:
        """The same without some of the photographs."""
        kept = [place for place, path in enumerate(self.paths) if path not in set(paths)]
        return dataclasses.replace(
            self,
            paths=tuple(self.paths[place] for place in kept),
            digests=tuple(self.digests[place] for place in kept),
        )


NO_CALIBRATION_SET = CalibrationSet()


def validation_paths(catalog: Catalog) -> list[Path]:
    """Good validation photographs of the layout's own; those of a split's folds are for choosing settings."""
    if "fold" in catalog.table:
        return []
    wanted = (catalog.table["split"] == VALIDATION) & (catalog.table["label"] == NORMAL)
    return [Path(path) for path in catalog.table.loc[wanted, "path"]]


def calibration_set(catalog: Catalog, together: Together) -> CalibrationSet:
    """What of the good validation photographs can be calibrated on.

    Args:
        catalog: one category, with its training photographs.
        together: what reading both found.
    """
    training = [Path(path) for path in catalog.table["path"][np.asarray(catalog.table["split"] == TRAIN)]]
    groups = catalog.groups()
    known = {together.contents[path]: path for path in reversed(training) if path in together.contents}
    learnt = {groups[path]: path for path in reversed(training)} if groups else {}
    paths: list[Path] = []
    left_out = []
    for path in validation_paths(catalog):
        if path not in together.contents:
            problem = together.problems[path]
            left_out.append({"path": str(path), "detail": problem.detail})
        elif other := known.get(together.contents[path]):
            detail = f"it shows the same pixels as {other}, and the threshold does not rest on it."
            left_out.append({"path": str(path), "detail": detail})
        elif groups and (other := learnt.get(groups[path])):
            detail = f"it is of one group with {other}, which was learnt from, and the threshold does not rest on it."
            left_out.append({"path": str(path), "detail": detail})
        else:
            known[together.contents[path]] = path
            paths.append(path)
    return CalibrationSet(tuple(paths), tuple(together.digests[path] for path in paths), tuple(left_out))


def set_aside_in_words(found: CalibrationSet) -> str:
    """Whether the threshold rests on the photographs set aside, and which it does not; "" where there are none."""
    if not found.paths and not found.left_out:
        return ""
    count = len(found.paths)
    said = (
        f"The threshold is from the {count} good photographs for validation, none of which was learnt from."
    )
    if not found.enough:
        said = (
            f"{count} good photographs for validation are too few for a threshold, which takes {FEWEST}: it is from "
            "training photographs, each judged by the others."
        )
    if not found.left_out:
        return said
    first = found.left_out[0]
    return f"{said} {len(found.left_out)} more are left out, the first is {first['path']}: {first['detail']}"
