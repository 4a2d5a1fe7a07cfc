"""What a detector says of photographs, by what it says of the parts that were cut out of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from itertools import islice
from pathlib import Path

import numpy as np

from blemish.core.errors import ImageError
from blemish.core.types import Prediction
from blemish.data.catalog import Catalog
from blemish.data.cut_parts import CutCatalog, CutParts, CutPhotograph
from blemish.data.entries import NORMAL, TRAIN
from blemish.view.parts import joined

_TOGETHER = 16
"""Photographs whose parts are scored in one go."""


def joined_predictions(
    cuts: CutParts, paths: Sequence[Path], predict: Callable[[Sequence[Path]], Iterator[Prediction]]
) -> Iterator[Prediction]:
    """Predictions of photographs one by one, each as its worst part.

    Args:
        cuts: what cuts them.
        paths: the photographs.
        predict: scores files of parts, in their order.

    Raises:
        ImageError: one cannot be read, or shows no part.
    """
    for start in range(0, len(paths), _TOGETHER):
        with ExitStack() as kept:
            cut: list[CutPhotograph] = []
            problem: ImageError | None = None
            for path in paths[start : start + _TOGETHER]:
                try:
                    cut.append(kept.enter_context(cuts.passing(path)))
                except ImageError as error:  # raised when those before it have been told
                    problem = error
                    break
            said = predict([file for one in cut for file in one.files])
            for one in cut:
                yield _joined(cuts, list(islice(said, len(one.files))), one)
            if problem is not None:
                raise problem


def joined_unseen(
    cuts: CutParts, catalog: Catalog, cut: CutCatalog, said: Iterator[tuple[int, Prediction]]
) -> Iterator[tuple[int, Prediction]]:
    """Positions in `catalog.train_normal()` and predictions of photographs whose parts were scored as if unseen.

    A photograph is yielded as soon as all its parts were; one of which a part was not has no score, as its worst part
    may be that one.

    Args:
        cuts: what has cut them.
        catalog: the photographs.
        cut: their parts.
        said: position in `cut.catalog.train_normal()` and prediction of each part.
    """
    good = ((catalog.table["split"] == TRAIN) & (catalog.table["label"] == NORMAL)).to_numpy()
    of_part = ((cut.catalog.table["split"] == TRAIN) & (cut.catalog.table["label"] == NORMAL)).to_numpy()
    position_of_row = np.cumsum(good) - 1
    photographs = position_of_row[cut.rows[of_part]]
    paths = catalog.train_normal()
    first = {int(photograph): int(place) for place, photograph in reversed(list(enumerate(photographs)))}
    waiting: dict[int, dict[int, Prediction]] = defaultdict(dict)
    for position, prediction in said:
        photograph = int(photographs[position])
        waiting[photograph][position - first[photograph]] = prediction
        of = cuts.photograph(paths[photograph])
        if len(waiting[photograph]) == len(of.files):
            scored = waiting.pop(photograph)
            yield photograph, _joined(cuts, [scored[number] for number in sorted(scored)], of)


def _joined(cuts: CutParts, predictions: Sequence[Prediction], cut: CutPhotograph) -> Prediction:
    parts = cuts.view.parts
    assert parts is not None
    return joined(predictions, cut.found, cuts.view.photograph, parts.cut)
