"""Good photographs that are nearly the same and judge each other: of a part that was photographed several times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from blemish.core.errors import ImageError
from blemish.core.folds import Positions
from blemish.core.progress import task
from blemish.core.same_photograph import SIGNATURE_SIDE
from blemish.core.types import ByteArray
from blemish.data.entries import named
from blemish.explore.duplicates import LEAST_CORRELATION
from blemish.explore.grouping import MOST_COMPARED, Grouping, alike_pairs, proposed_grouping
from blemish.features.pixels import PixelCache
from blemish.view.preprocessing import Preprocessing


@dataclass(frozen=True)
class NearCopies:
    """Good photographs that look like two of one part, while nobody has said which belong together.

    Attributes:
        n_pairs: pairs that look so.
        apart: of these, pairs that stand in different folds, so that one helped to judge the other.
        names: of the two that are most alike.
        grouping: what would put them together; None where nothing does that is known here.
    """

    n_pairs: int
    apart: int
    names: tuple[str, str]
    grouping: Grouping | None

    @property
    def sentence(self) -> str:
        """What that does, and the way out."""
        pairs = "One pair" if self.apart == 1 else f"{self.apart} pairs"
        one = self.apart == 1
        said = (
            f"{pairs} of good photographs {'is' if one else 'are'} nearly the same, as {named(self.names)}, and "
            f"judged {'each other' if one else 'one another'}, so that the threshold may be too low for other parts"
        )
        if self.grouping is None:
            return f"{said}: say with --group-by what belongs together, or remove one of each."
        return f"{said}. {self.grouping.sentence}"

    def to_json(self) -> dict[str, Any]:
        """As JSON-ready values."""
        by = None if self.grouping is None else self.grouping.by
        return {"pairs": self.n_pairs, "apart": self.apart, "as": list(self.names), "group_by": by}


def small_contract(bit_depth: int) -> Preprocessing:
    """How photographs are read to find those that look alike."""
    return Preprocessing(
        height=SIGNATURE_SIDE,
        width=SIGNATURE_SIDE,
        mean=(0.0, 0.0, 0.0),
        std=(1.0, 1.0, 1.0),
        interpolation="bilinear",
        bit_depth=bit_depth,
    )


def find_near_copies(
    paths: Sequence[Path], parts: Sequence[Positions], bit_depth: int = 16
) -> NearCopies | None:
    """Look for near copies in different parts of a cross-validation; None where there are none.

    Args:
        paths: good photographs that were learnt from, of which the first `MOST_COMPARED` are compared.
        parts: positions of those that were judged together by the others.
        bit_depth: bits that 16-bit photographs really use.
    """
    kept, signatures = [], []
    fold = {int(position): number for number, part in enumerate(parts) for position in part}
    with task("Looking for near copies"):
        for position, path in enumerate(paths[:MOST_COMPARED]):
            try:
                signatures.append(_signature(path, bit_depth))
            except ImageError:
                continue
            kept.append(position)
        if not kept:
            return None
        pairs = alike_pairs(np.stack(signatures))
        grouping = proposed_grouping([paths[position] for position in kept], pairs)
    least = LEAST_CORRELATION if grouping is None else 0.0
    near = [(kept[one], kept[other], value) for one, other, value in pairs if value >= least]
    apart = [pair for pair in near if fold.get(pair[0]) != fold.get(pair[1])]
    if not apart:
        return None
    first, second, _ = max(apart, key=lambda pair: pair[2])
    return NearCopies(len(near), len(apart), (paths[first].name, paths[second].name), grouping)


def _signature(path: Path, bit_depth: int) -> ByteArray:
    picture = PixelCache().read(path, small_contract(bit_depth))
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.uint8)
