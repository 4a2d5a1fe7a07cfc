"""Examples made of a frozen backbone's feature maps: the backbone runs once an image, whatever the number of epochs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from blemish.detectors.training.examples import Example, Examples
from blemish.features.extraction import FeatureExtractor


class FeatureExamples:
    """Photographs as `{"tap8": float32 C x h x w, "tap16": ...}`, one tensor a tap, read through the feature cache.

    Args:
        extractor: the frozen backbone.
        paths: the photographs.
    """

    def __init__(self, extractor: FeatureExtractor, paths: Sequence[Path]) -> None:
        self.extractor = extractor
        self.paths = list(paths)
        self.names = tap_names(extractor.backbone.taps)

    def __len__(self) -> int:
        return len(self.paths)

    def __call__(self, index: int, rng: np.random.Generator) -> Example:
        """Example `index`; nothing about it is random."""
        maps = self.extractor.extract(self.paths[index])
        # Copies: the cache's arrays may share one read-only buffer.
        return {name: torch.from_numpy(one.copy()) for name, one in zip(self.names, maps, strict=True)}


def tap_names(taps: Sequence[int]) -> list[str]:
    """Names of the taps' tensors in a batch, finest first."""
    return [f"tap{tap}" for tap in taps]


def together(*sources: Examples) -> Examples:
    """Examples that hold the tensors of all `sources` under their names, which must differ."""

    def example(index: int, rng: np.random.Generator) -> Example:
        return {name: value for source in sources for name, value in source(index, rng).items()}

    return example
