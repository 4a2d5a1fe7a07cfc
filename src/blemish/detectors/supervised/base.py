"""What detectors that learn from labelled defects share: which photographs, their labels, a stratified hold-out."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from blemish.core.errors import CatalogError
from blemish.core.progress import track
from blemish.core.storage import file_digest
from blemish.data.catalog import Catalog
from blemish.data.entries import NORMAL, TRAIN
from blemish.detectors.trained import FEWEST, Found, TrainedDetector
from blemish.detectors.training.photographs import Label, TrainingPhotographs, hold_out
from blemish.features.pixels import PixelCache


@dataclasses.dataclass
class SupervisedDetector(TrainedDetector[Found]):
    """A trained detector that learns from all training images, good and defective.

    Of each defect type, and of the good images, a seeded share is held out for validation. The good ones among them
    calibrate, as of any trained detector.

    After `fit` also `metrics_`: what it reaches on the images held out, numbers by name.
    """

    def learns_from_defects(self) -> bool:
        """Unless a subclass knows parameters with which good images are enough."""
        return True

    def usable(self, label: Label) -> bool:
        """Whether a defective training image can be learnt from; those that cannot are left out."""
        return True

    def training_photographs(self, catalog: Catalog) -> TrainingPhotographs:
        """Those to learn from, and those held out, both good ones first.

        Raises:
            CatalogError: there are too few good images, or no defective one that can be learnt from.
        """
        good = catalog.train_normal()
        if len(good) < FEWEST:
            raise CatalogError(
                f"{catalog.root} has {len(good)} good training images and at least {FEWEST} are needed: "
                "photograph more good parts."
            )
        learnt, held_out = hold_out(good, self.validation_share, self.seed, self.groups_of(good))
        defects: dict[Path, Label] = {}
        if self.learns_from_defects():
            defects = {path: label for path, label in defective_images(catalog).items() if self.usable(label)}
            if not defects:
                raise CatalogError(self._refusal(catalog))
            for kind in sorted({label.defect_type for label in defects.values()}):
                paths = [path for path, label in defects.items() if label.defect_type == kind]
                # The only one (or group) of its type is learnt from: held out, it could be neither known nor told.
                groups = self.groups_of(paths)
                alone = len(set(groups or paths)) == 1
                more, held = (
                    (paths, []) if alone else hold_out(paths, self.validation_share, self.seed, groups)
                )
                learnt, held_out = learnt + more, held_out + held
        return TrainingPhotographs(learnt, held_out, defects)

    def look_at(self, paths: Sequence[Path]) -> None:
        """Read every photograph once: a weighted draw might never meet the one that cannot be read.

        Raises:
            ImageError: one cannot be read.
        """
        contract, pixels = self.preprocessing(), PixelCache()
        for path in track(paths, "Reading photographs"):
            pixels.read(path, contract)

    def _identity(self, photographs: TrainingPhotographs) -> str:
        """As of any trained detector, and of labels and masks."""
        lines = [super()._identity(photographs)]
        for label in photographs.labels_of(photographs.all):
            lines.append(f"{label.defect_type} {file_digest(label.mask) if label.mask else ''}")
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    def _refusal(self, catalog: Catalog) -> str:
        """Why the catalog cannot be learnt from, and the ways out."""
        return (
            f"{catalog.root} has no defective training images that {self.name} could learn from: move a part of the "
            "labelled test images to training with blemish.data.splits.supervised_split."
        )


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
