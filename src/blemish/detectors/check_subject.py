"""What the checks of the contract look at: a detector, and drawn parts whose defects are plain to see."""

from __future__ import annotations

import dataclasses
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np

from blemish.core.types import BoolArray, ByteArray, Prediction
from blemish.data.catalog import Catalog, open_catalog
from blemish.data.defect_files import write_image, write_mask
from blemish.data.splits import supervised_split
from blemish.detectors.base import Detector

SIDE = 128

_COLOURS = {"black": (10, 10, 10), "red": (220, 30, 30)}
_COUNTS = {"train/good": 12, "test/good": 6, "test/black": 6, "test/red": 6}


@dataclasses.dataclass
class Subject:
    """What a check looks at.

    Attributes:
        detector: unfitted, with the parameters to check it with; no check changes it.
        catalog: what it may learn from, and be tested with.
        folder: for photographs that a check makes.
    """

    detector: Detector
    catalog: Catalog
    folder: Path

    @classmethod
    def of(cls, detector: Detector, folder: Path) -> Subject:
        """A detector with the plain parts, written to `folder`; one that needs defects learns from half of them."""
        write_plain_parts(folder / "parts")
        catalog = open_catalog(folder / "parts")
        if detector.learns_from_defects():
            catalog = supervised_split(catalog, seed=detector.seed)
        return cls(detector, catalog, folder)

    @cached_property
    def fitted(self) -> Detector:
        """The detector fitted, once for all checks."""
        return self.detector.clone().fit(self.catalog)

    @cached_property
    def paths(self) -> list[Path]:
        """The test photographs."""
        return [Path(path) for path in self.catalog.test()["path"]]

    @cached_property
    def predictions(self) -> list[Prediction]:
        """What the fitted detector says of `paths`."""
        return list(self.fitted.predict(self.paths))

    @property
    def side(self) -> tuple[int, int]:
        """Height and width of the network's input."""
        contract = self.fitted.preprocessing()
        return contract.height, contract.width


def write_plain_parts(root: Path, seed: int = 0) -> None:
    """Write one category in the MVTec AD layout: 12 good parts to learn from, 6 good and 12 defective to test."""
    rng = np.random.default_rng(seed)
    for folder, count in _COUNTS.items():
        kind = Path(folder).name
        for number in range(count):
            image, mask = _plain_part(rng, _COLOURS.get(kind))
            write_image(root / folder / f"{number:03d}.png", image)
            if mask.any():
                write_mask(root / "ground_truth" / kind / f"{number:03d}_mask.png", mask)


def _plain_part(rng: np.random.Generator, colour: tuple[int, int, int] | None) -> tuple[ByteArray, BoolArray]:
    """A grey disc on a lighter ground with grain, with a square of `colour` on it, and the mask of that."""
    image = np.full((SIDE, SIDE, 3), 170.0)
    cv2.circle(image, (64 + int(rng.integers(-1, 2)), 64), 44, (110.0,) * 3, -1)
    mask = np.zeros((SIDE, SIDE), np.bool_)
    if colour is not None:
        x, y = rng.integers(40, 74, 2)
        mask[y : y + 16, x : x + 16] = True
        image[mask] = colour
    return np.clip(image + rng.normal(0, 2, image.shape), 0, 255).astype(np.uint8), mask
