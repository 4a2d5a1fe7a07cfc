"""What detectors share that train a head on a frozen backbone: cached features, their statistics, the graph."""

from __future__ import annotations

import dataclasses
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor, nn

from blemish.core.progress import track
from blemish.core.types import Prediction
from blemish.detectors.frozen import BackboneWithHead, FrozenFeatureDetector, batch_of_one
from blemish.detectors.parameters import require_fitted
from blemish.detectors.trained import Prepared, TrainedDetector
from blemish.detectors.training.examples import Batch
from blemish.detectors.training.feature_examples import FeatureExamples, tap_names
from blemish.detectors.training.loop import Material, Objective
from blemish.detectors.training.photographs import TrainingPhotographs

Statistics = list[tuple[Tensor, Tensor]]
"""Mean and standard deviation of the channels, one pair of vectors a feature map."""


@dataclasses.dataclass
class FrozenTrainedDetector(FrozenFeatureDetector, TrainedDetector[Statistics]):
    """A trained head on a frozen backbone, whose features are read once an image, through the cache.

    A subclass gives `make_objective` and `trained_head`; both are given the mean and deviation of every channel of
    `features_of` over the images that are learnt from.
    """

    augments: ClassVar[bool] = True

    @abstractmethod
    def trained_head(self, objective: Objective, prepared: Prepared[Statistics]) -> nn.Module:
        """The head, feature maps in, score (1) and map (H x W) out, from the trained objective."""

    def prepare(self, photographs: TrainingPhotographs) -> Statistics:
        """Read all features once, those of augmented copies too, which fills the cache."""
        learnt = self.good_features(photographs.learnt)
        features = (self.features_of(batch_of_one(maps)) for _, maps in learnt)
        count = len(photographs.learnt) * self.maps_each()
        return channel_statistics(track(features, "Reading good images", count))

    def material(self, paths: Sequence[Path], training: bool, prepared: Prepared[Statistics]) -> Material:
        """The photographs' feature maps, and those of augmented copies for training."""
        augmentation = self.augmented_by() if training else None
        return Material(FeatureExamples(self.extractor(), paths, augmentation), len(paths))

    def finish(self, objective: Objective, prepared: Prepared[Statistics]) -> nn.Module:
        """Backbone and trained head as one graph."""
        return self.whole(self.trained_head(objective, prepared))

    def whole(self, head: nn.Module) -> nn.Module:
        """Backbone and head as one graph; the head is its submodule `head`."""
        return BackboneWithHead(self.extractor().backbone, head)

    def features_of(self, maps: list[Tensor]) -> list[Tensor]:
        """What the head standardises, of one image's maps (N x C x h x w each): the maps themselves unless said."""
        return maps

    def predict_files(self, paths: Sequence[Path]) -> Iterator[Prediction]:
        """Score photographs one by one, in order; features come from the cache where they are known."""
        return self.scored_by(self._head(), paths)

    def check_parameters(self) -> None:
        """Refuse values that cannot be meant."""
        super().check_parameters()
        self.extractor()

    def _head(self) -> nn.Module:
        """The fitted head."""
        return require_fitted(self, "network_").get_submodule("head")  # type: ignore[no-any-return]


def taps_of(batch: Batch, taps: Sequence[int]) -> list[Tensor]:
    """The feature maps in a batch, in the backbone's order: finest first."""
    return [batch[name] for name in tap_names(sorted(set(taps)))]


def channel_statistics(images: Iterable[list[Tensor]]) -> Statistics:
    """Mean and standard deviation of every channel over images and positions, from two sums.

    Args:
        images: for each image its feature maps, N x C x h x w each.
    """
    sums: list[Tensor] = []
    for maps in images:
        rows = [one.double().transpose(0, 1).flatten(1) for one in maps]
        moments = [
            torch.stack([row.sum(1), (row * row).sum(1), torch.full((len(row),), row.shape[1])])
            for row in rows
        ]
        sums = [old + new for old, new in zip(sums, moments, strict=True)] if sums else moments
    statistics = []
    for total, squares, count in sums:
        mean = total / count
        deviation = (squares / count - mean**2).clamp(min=0).sqrt()
        # A channel that never changes tells nothing, and must not be blown up.
        floor = max(1e-3 * float(deviation.mean()), 1e-6)
        statistics.append((mean.float(), deviation.clamp(min=floor).float()))
    return statistics
