"""Examples made of a frozen backbone's feature maps: the backbone runs once an image, whatever the number of epochs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from blemish.core.types import ByteArray
from blemish.detectors.augmentation import COPIES, Augmentation
from blemish.detectors.training.examples import Example, Examples, standardised
from blemish.features.extraction import FeatureExtractor
from blemish.features.pixels import PixelCache


class FeatureExamples:
    """Photographs as `{"tap8": float32 C x h x w, "tap16": ...}`, one tensor a tap, read through the feature cache.

    Where there is an augmentation, an example is the photograph or one of its copies, of which there are so few that
    the cache holds their features too.

    Args:
        extractor: the frozen backbone.
        paths: the photographs.
        augmentation: makes the copies; None for none.
        images: whether an example has the preprocessed pixels too, as "image", float32 3 x H x W.
    """

    def __init__(
        self,
        extractor: FeatureExtractor,
        paths: Sequence[Path],
        augmentation: Augmentation | None = None,
        images: bool = False,
    ) -> None:
        self.extractor = extractor
        self.paths = list(paths)
        self.names = tap_names(extractor.backbone.taps)
        self.augmentation = augmentation
        self._images = images
        self._pixels = PixelCache()

    def __len__(self) -> int:
        return len(self.paths)

    def __call__(self, index: int, rng: np.random.Generator) -> Example:
        """Example `index`; which of its copies is drawn from `rng`, where there are any."""
        return self.read(index, self.draw(rng))

    def draw(self, rng: np.random.Generator) -> int:
        """The number of the photograph itself, 0, or of one of its copies, from 1, all equally often."""
        return 0 if self.augmentation is None else int(rng.integers(1 + COPIES))

    def read(self, index: int, copy: int) -> Example:
        """The photograph, where `copy` is 0, or one of its copies, from 1."""
        if copy:
            maps = self.extractor.extract_resized(self.pixels(index, copy))
        else:
            maps = self.extractor.extract(self.paths[index])
        # Copies: the cache's arrays may share one read-only buffer.
        example = {name: torch.from_numpy(one.copy()) for name, one in zip(self.names, maps, strict=True)}
        if self._images:
            planes = torch.from_numpy(self.pixels(index, copy).transpose(2, 0, 1).copy())
            example["image"] = standardised(planes, self.extractor.contract)
        return example

    def pixels(self, index: int, copy: int) -> ByteArray:
        """The same resized, uint8 H x W x 3."""
        image = self._pixels.read(self.paths[index], self.extractor.contract)
        return self.augmentation.copy(image, copy - 1) if self.augmentation is not None and copy else image


def tap_names(taps: Sequence[int]) -> list[str]:
    """Names of the taps' tensors in a batch, finest first."""
    return [f"tap{tap}" for tap in taps]


def together(*sources: Examples) -> Examples:
    """Examples that hold the tensors of all `sources` under their names, which must differ."""

    def example(index: int, rng: np.random.Generator) -> Example:
        return {name: value for source in sources for name, value in source(index, rng).items()}

    return example
