"""One setting on the validation folds: fit, score, and the AUROC of each fold."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from blemish.core.errors import BlemishError, CatalogError
from blemish.core.types import BoolArray
from blemish.data.catalog import Catalog
from blemish.data.entries import ANOMALOUS, TRAIN, VALIDATION
from blemish.detectors.base import Detector
from blemish.evaluation.metrics import image_auroc

MakeDetector = Callable[[], Detector]


@dataclass(frozen=True)
class Scores:
    """Scored images: `labels` (N, True for anomalous) and `scores` (float64 N)."""

    labels: BoolArray
    scores: npt.NDArray[np.float64]

    def auroc(self) -> float:
        """Image AUROC; nan where a class is absent."""
        return image_auroc(self.labels, self.scores)

    def to_json(self) -> dict[str, Any]:
        """As JSON-ready lists."""
        return {"labels": self.labels.astype(int).tolist(), "scores": self.scores.tolist()}

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> Scores:
        """From what `to_json` gave."""
        return cls(np.array(plain["labels"], np.bool_), np.array(plain["scores"], np.float64))


@dataclass(frozen=True)
class Validated:
    """What a setting reached on the validation folds.

    Attributes:
        folds: the scores of each fold.
        detector: the fitted detector, where one has scored all folds; None where each fold had its own.
    """

    folds: tuple[Scores, ...]
    detector: Detector | None

    @property
    def aurocs(self) -> list[float]:
        """AUROC of each fold."""
        return [fold.auroc() for fold in self.folds]

    def together(self) -> Scores:
        """The scores of all folds."""
        labels = np.concatenate([fold.labels for fold in self.folds])
        return Scores(labels, np.concatenate([fold.scores for fold in self.folds]))


def fits_each_fold(catalog: Catalog, detector: Detector) -> bool:
    """Whether folds learn from each other's images, so that a detector is fitted for each.

    So it is where training images have folds, and for detectors that need defects: they learn from the labelled images
    of the other folds too.
    """
    training = catalog.table[catalog.table["split"] == TRAIN]
    return detector.learns_from_defects() or bool((training["fold"] >= 0).any())


def validate(make: MakeDetector, catalog: Catalog) -> Validated:
    """Fit a setting and score every fold with what has not learnt from it; no test image is touched.

    Args:
        make: gives the unfitted detector.
        catalog: after a split with folds.

    Raises:
        CatalogError: the detector needs defects, and no fold has any; or there is no fold.
        BlemishError: fitting failed, or a score is not finite.
    """
    if not catalog.folds:
        raise CatalogError(
            f"{catalog.root} has no validation folds: split it first, see blemish.data.splits."
        )
    detector = make()
    if not fits_each_fold(catalog, detector):
        detector.fit(catalog)
        folds = [score(detector, catalog.for_fold(fold), VALIDATION) for fold in catalog.folds]
        return Validated(tuple(folds), detector)
    found = []
    for fold in catalog.folds:
        fitted = make()
        fitted.fit(learning_split(catalog, fitted, fold))
        found.append(score(fitted, catalog.for_fold(fold), VALIDATION))
    return Validated(tuple(found), None)


def learning_split(catalog: Catalog, detector: Detector, fold: int | None = None) -> Catalog:
    """The catalog that a detector learns from to judge one fold; to judge the test images where `fold` is None.

    Raises:
        CatalogError: it needs defects, and there are none.
    """
    table = catalog.table
    validation = (table["split"] == VALIDATION).to_numpy()
    own = (table["fold"] == fold).to_numpy() if fold is not None else np.zeros(len(table), np.bool_)
    split = table["split"].to_numpy(dtype=object)
    kept = ~own
    if detector.learns_from_defects():
        split = np.where(validation & ~own, TRAIN, split)
        # A good image of a fold may stand in the table twice: to learn from, and to validate on.
        kept &= ~table.assign(split=split).duplicated(["path", "split"]).to_numpy()
    else:
        kept &= ~validation
    learning = replace(catalog, table=table.assign(split=split)).subset(kept)
    training = learning.table[learning.table["split"] == TRAIN]
    if detector.learns_from_defects() and not (training["label"] == ANOMALOUS).any():
        raise CatalogError(
            f"{detector.name} learns from labelled defects, and {catalog.root} has none to validate with."
        )
    return learning


def score(detector: Detector, catalog: Catalog, split: str) -> Scores:
    """Score the images of one split of a catalog.

    Raises:
        BlemishError: a score is not finite.
    """
    rows = catalog.table[catalog.table["split"] == split]
    paths = [Path(path) for path in rows["path"]]
    scores = np.array([prediction.score for prediction in detector.predict(paths)], np.float64)
    return Scores((rows["label"] == ANOMALOUS).to_numpy(), finite(scores, detector))


def finite(scores: npt.NDArray[np.float64], detector: Detector) -> npt.NDArray[np.float64]:
    """The scores that a detector has given.

    Raises:
        BlemishError: one is not finite.
    """
    if not np.isfinite(scores).all():
        raise BlemishError(f"{detector.name} gives scores that are not finite with this setting.")
    return scores
