"""Which augmentation helps: chosen on good photographs held out and on defects painted on them, on no test image."""

from __future__ import annotations

import dataclasses
import math
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from pydantic import JsonValue

from blemish.core.folds import held_out_positions
from blemish.core.progress import task
from blemish.data.catalog import Catalog
from blemish.data.entries import NORMAL, TRAIN
from blemish.data.painted_images import Painting, painted_images
from blemish.detectors.augmentation import NONE, TRIED
from blemish.detectors.training.session import TrainingSession, current_session, training_session

if TYPE_CHECKING:
    from blemish.detectors.base import Detector

FEWEST = 12
"""Good photographs below which nothing can be chosen."""

_MOST, _SHARE, _PAINTED = 120, 1 / 3, 3

Scores = npt.NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class AugmentationChoice:
    """What `augment=auto` came to mean.

    Attributes:
        augment: the value of `augment` that is used.
        why: in words, with the figures of all that was tried.
        auroc: of each value that was tried, how well it tells painted defects from good photographs held out.
    """

    augment: str
    why: str
    auroc: Mapping[str, float] = dataclasses.field(default_factory=dict)

    def to_json(self) -> dict[str, JsonValue]:
        """The choice as JSON-ready values."""
        return {"augment": self.augment, "augment because": self.why}


@dataclasses.dataclass(frozen=True)
class _Judged:
    """Scores of the good photographs held out (N) and of defects painted on them (M)."""

    good: Scores
    painted: Scores

    @property
    def auroc(self) -> float:
        return float(shares_below(self.good, self.painted).mean())


def choose_augmentation(detector: Detector, catalog: Catalog) -> AugmentationChoice:
    """Learn from two thirds of the good photographs (80 at most) without and with each transform, and judge the others.

    A transform of `TRIED` is kept if it tells defects painted on the others (three on each) from these better than none
    does, by more than two standard errors of the difference (`gain`): four are tried, and one in six differences is
    larger than one by chance. Where several are, they are tried together too, and the best of all is taken.

    Args:
        detector: unfitted; its own `augment` does not count.
        catalog: what it is to learn from.
    """
    good = np.flatnonzero(((catalog.table["split"] == TRAIN) & (catalog.table["label"] == NORMAL)).to_numpy())
    if len(good) < FEWEST:
        return AugmentationChoice(NONE, f"{len(good)} good photographs are too few to choose on")
    drawn = np.random.default_rng(detector.seed).permutation(good)[:_MOST]
    groups = None if "group" not in catalog.table else catalog.table["group"].iloc[drawn].tolist()
    held_out = drawn[held_out_positions(len(drawn), _SHARE, detector.seed, groups)]
    left_out = np.setdiff1d(good, np.setdiff1d(drawn, held_out))
    learnt = catalog.subset(np.setdiff1d(np.arange(len(catalog)), left_out))
    paths = [Path(path) for path in catalog.table["path"].iloc[held_out]]
    with (
        tempfile.TemporaryDirectory(prefix="blemish-") as folder,
        task("Choosing the augmentation", 5) as advance,
    ):
        painted = _painted(paths, Path(folder), detector)
        if not painted:
            return AugmentationChoice(NONE, "no painted defect could be seen on the good photographs")
        judged: dict[str, _Judged] = {}
        for augment in (NONE, *TRIED):
            judged[augment] = _judged(detector, augment, learnt, paths, painted)
            advance(1)
        better = [name for name in TRIED if _helps(judged[NONE], judged[name])]
        if len(better) > 1:
            together = ",".join(better)
            judged[together] = _judged(detector, together, learnt, paths, painted)
    return _choice({name: one.auroc for name, one in judged.items()}, better, len(paths), len(painted))


def gain(good: tuple[Scores, Scores], painted: tuple[Scores, Scores]) -> tuple[float, float]:
    """By how much the second of two detectors has the higher AUROC, and the standard error of that difference.

    Both have scored the same photographs. E. DeLong et al., "Comparing the areas under two or more correlated receiver
    operating characteristic curves", Biometrics 1988.

    Args:
        good: scores of N good photographs by either.
        painted: scores of M defective ones by either.
    """
    of_painted = [shares_below(one, other) for one, other in zip(good, painted, strict=True)]
    of_good = [1 - shares_below(other, one) for one, other in zip(good, painted, strict=True)]
    difference = float((of_painted[1] - of_painted[0]).mean())
    parts = [of_painted[1] - of_painted[0], of_good[1] - of_good[0]]
    variance = sum(float(part.var(ddof=1)) / len(part) for part in parts)
    return difference, math.sqrt(variance)


def shares_below(scores: Scores, others: Scores) -> Scores:
    """For each of `others` the share of `scores` below it, equal ones counted half."""
    below = (scores[None, :] < others[:, None]) + 0.5 * (scores[None, :] == others[:, None])
    return np.asarray(below.mean(1), np.float64)


def _helps(none: _Judged, other: _Judged) -> bool:
    difference, error = gain((none.good, other.good), (none.painted, other.painted))
    return difference > 2 * error


def _choice(auroc: Mapping[str, float], better: Sequence[str], good: int, painted: int) -> AugmentationChoice:
    """The best of what helps, and why."""
    usable = [name for name in auroc if name in better or "," in name]
    best = max(usable, key=lambda name: auroc[name]) if usable else NONE
    tells = "it tells" if usable else "nothing surely tells"
    reached = ", ".join(f"{name} {value:.3f}" for name, value in auroc.items())
    why = f"{tells} {painted} painted defects better from {good} good photographs held out, AUROC {reached}"
    return AugmentationChoice(best, why, auroc)


def _painted(paths: Sequence[Path], folder: Path, detector: Detector) -> list[Path]:
    """Copies of photographs, each with one painted defect, three of each photograph."""
    painting = Painting(bit_depth=detector.bit_depth)
    made = [
        painted_images(
            paths, folder / f"painted-{number}", seed=1000 * detector.seed + number, painting=painting
        )
        for number in range(_PAINTED)
    ]
    return [one.path for images in made for one in images]


def _judged(
    detector: Detector, augment: str, learnt: Catalog, good: Sequence[Path], painted: Sequence[Path]
) -> _Judged:
    """What a detector with this augmentation scores."""
    with training_session(_session_of(augment)):
        fitted = detector.clone().set_params(augment=augment).look_as(detector.planned_view()).fit(learnt)
    scores = [
        np.array([prediction.score for prediction in fitted.predict(list(paths))])
        for paths in (good, painted)
    ]
    return _Judged(*scores)


def _session_of(augment: str) -> TrainingSession:
    """Checkpoints of their own, for a training that tries is none that is resumed by another; and no logs."""
    folder = current_session().folder
    return TrainingSession(
        folder / f"augment-{augment.replace(',', '-')}" if folder else None, current_session().resume
    )
