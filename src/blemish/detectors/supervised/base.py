"""What detectors that learn from labelled defects share: which photographs, their labels, a stratified hold-out."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from blemish.core.errors import CatalogError
from blemish.core.folds import held_out_positions
from blemish.core.progress import track
from blemish.core.storage import file_digest
from blemish.data.catalog import Catalog
from blemish.data.entries import NORMAL, TRAIN
from blemish.detectors.base import Detector
from blemish.detectors.trained import FEWEST, TrainedDetector
from blemish.features.pixels import PixelCache

GOOD = "good"


@dataclasses.dataclass(frozen=True)
class Label:
    """What is known of a training photograph: its defect type ("good" for none), and its mask where there is one."""

    defect_type: str = GOOD
    mask: Path | None = None

    @property
    def defective(self) -> bool:
        """Whether it shows a defect."""
        return self.defect_type != GOOD


@dataclasses.dataclass
class SupervisedDetector(TrainedDetector):
    """A trained detector that learns from all training images, good and defective.

    Of each defect type, and of the good images, a seeded share is held out for validation. The good ones among them
    calibrate, as of any trained detector.

    After `fit` also `metrics_`: what it reaches on the images held out, numbers by name.
    """

    def learns_from_defects(self) -> bool:
        """Whether `fit` needs defective training images with these parameters."""
        return True

    def usable(self, label: Label) -> bool:
        """Whether a defective training image can be learnt from; those that cannot are left out."""
        return True

    def parts(self, catalog: Catalog) -> tuple[list[Path], list[Path]]:
        """Photographs to learn from, and those held out, both good ones first.

        Raises:
            CatalogError: there are too few good images, or no defective one that can be learnt from.
        """
        good = catalog.train_normal()
        if len(good) < FEWEST:
            raise CatalogError(
                f"{catalog.root} has {len(good)} good training images and at least {FEWEST} are needed: "
                "photograph more good parts."
            )
        self._labels = {path: Label() for path in good}
        learnt, held_out = _parted(good, self.validation_share, self.seed)
        if self.learns_from_defects():
            defects = {path: label for path, label in defective_images(catalog).items() if self.usable(label)}
            if not defects:
                raise CatalogError(self._refusal(catalog))
            self._labels |= defects
            for kind in sorted({label.defect_type for label in defects.values()}):
                paths = [path for path, label in defects.items() if label.defect_type == kind]
                # The only one of its type is learnt from: held out, it could be neither known nor told.
                more, held = (
                    _parted(paths, self.validation_share, self.seed) if len(paths) > 1 else (paths, [])
                )
                learnt, held_out = learnt + more, held_out + held
        return learnt, held_out

    def labels(self, paths: Iterable[Path]) -> list[Label]:
        """Labels of training photographs that `parts` has found."""
        return [self._labels[path] for path in paths]

    def look_at(self, paths: Sequence[Path]) -> None:
        """Read every photograph once: a weighted draw might never meet the one that cannot be read.

        Raises:
            ImageError: one cannot be read.
        """
        contract, pixels = self.preprocessing(), PixelCache()
        for path in track(paths, "Reading photographs"):
            pixels.read(path, contract)

    def _identity(self, paths: Sequence[Path]) -> str:
        """As of any trained detector, and of labels and masks."""
        lines = [super()._identity(paths)]
        for label in self.labels(paths):
            lines.append(f"{label.defect_type} {file_digest(label.mask) if label.mask else ''}")
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    def _refusal(self, catalog: Catalog) -> str:
        """Why the catalog cannot be learnt from, and the ways out."""
        return (
            f"{catalog.root} has no defective training images that {self.name} could learn from: move a part of the "
            "labelled test images to training with blemish.data.splits.supervised_split."
        )


def needs_defects(detector: Detector) -> bool:
    """Whether `fit` needs defective images among the training images, with the detector's parameters."""
    return isinstance(detector, SupervisedDetector) and detector.learns_from_defects()


def defective_images(catalog: Catalog) -> dict[Path, Label]:
    """The catalog's defective training images with their labels, in its order."""
    rows = catalog.table[(catalog.table["split"] == TRAIN) & (catalog.table["label"] != NORMAL)]
    return {
        Path(path): Label(str(kind), Path(mask) if isinstance(mask, str) else None)
        for path, kind, mask in zip(rows["path"], rows["defect_type"], rows["mask"], strict=True)
    }


def balanced_weights(classes: Sequence[object]) -> npt.NDArray[np.float64]:
    """For each example the weight with which every class has the same share of the draws; their sum is 1."""
    codes, names = pd.factorize(pd.Series(list(classes), dtype=object))
    counts = np.bincount(codes, minlength=len(names))
    return np.asarray(1.0 / (len(names) * counts[codes]), np.float64)


def _parted(paths: Sequence[Path], share: float, seed: int) -> tuple[list[Path], list[Path]]:
    """All but a seeded share of the photographs, and that share."""
    held = set(held_out_positions(len(paths), share, seed).tolist())
    learnt = [path for position, path in enumerate(paths) if position not in held]
    return learnt, [path for position, path in enumerate(paths) if position in held]
