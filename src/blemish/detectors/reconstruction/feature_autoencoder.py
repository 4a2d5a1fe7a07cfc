"""The feature autoencoder: patches of a frozen backbone squeezed through a waist that only good ones fit."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from blemish.detectors.frozen_trained import FrozenTrainedDetector, Statistics, taps_of
from blemish.detectors.layers import PatchScoring
from blemish.detectors.parameters import refuse
from blemish.detectors.reconstruction.feature_autoencoder_network import (
    FeatureAutoencoderHead,
    FeatureAutoencoderNetwork,
    PatchGrid,
    squared_error,
)
from blemish.detectors.trained import Prepared
from blemish.detectors.training.examples import Batch
from blemish.detectors.training.loop import Objective


class FeatureAutoencoderObjective(Objective):
    """Mean squared error of the standardised patches."""

    def __init__(
        self, patches: PatchGrid, autoencoder: FeatureAutoencoderNetwork, taps: Sequence[int]
    ) -> None:
        super().__init__()
        self.patches = patches
        self.autoencoder = autoencoder
        self.taps = tuple(taps)

    def loss(self, batch: Batch) -> Tensor:
        """Mean squared error over patches and channels."""
        patches = self.patches(taps_of(batch, self.taps))
        return squared_error(patches, self.autoencoder(patches)).mean()


@dataclasses.dataclass
class FeatureAutoencoder(FrozenTrainedDetector):
    """Feature autoencoder with mean squared error and Adam; see the base classes.

    Attributes:
        grid: height and width of the grid of patches; 0 for the finest tap's own.
        widths: of the encoder's layers, the waist last.
        neighbourhood: maps are averaged over this many positions squared.
        standardised: bring all channels to mean 0 and deviation 1 first, so that each counts alike.
        top: share of the highest patch errors whose mean is the score; 0 takes the maximum.
        sigma: smoothing of the map, in pixels of the input.
    """

    name: ClassVar[str] = "feature-autoencoder"
    measures: ClassVar[str] = "reconstruction error of features"

    epochs: int = 50
    patience: int = 2
    grid: int = 0
    widths: tuple[int, ...] = (300, 150, 50)
    neighbourhood: int = 3
    standardised: bool = True
    top: float = 0.003
    sigma: float = 4.0

    def features_of(self, maps: list[Tensor]) -> list[Tensor]:
        """The joined patches."""
        return [PatchGrid(torch.zeros(1), torch.ones(1), self.grid, self.neighbourhood).joined(maps)]

    def make_objective(self, prepared: Prepared[Statistics]) -> Objective:
        """The autoencoder behind the grid of patches."""
        return FeatureAutoencoderObjective(self._patches(prepared.found), self._autoencoder(), self.taps)

    def trained_head(self, objective: Objective, prepared: Prepared[Statistics]) -> nn.Module:
        """The autoencoder with its error as score and map."""
        side = self.grid or int(self.extractor().shapes[0][1])
        scoring = PatchScoring((side, side), (self.size, self.size), self.top, self.sigma)
        head = FeatureAutoencoderHead(self._patches(prepared.found), self._autoencoder(), scoring)
        head.patches.load_state_dict(objective.get_submodule("patches").state_dict())
        head.autoencoder.load_state_dict(objective.get_submodule("autoencoder").state_dict())
        return head

    def check_parameters(self) -> None:
        """Refuse values that cannot be meant."""
        super().check_parameters()
        wrong = {
            "grid": not 0 <= self.grid <= self.size,
            "widths": len(self.widths) < 1 or min(self.widths) < 1,
            "neighbourhood": self.neighbourhood < 1 or self.neighbourhood % 2 == 0,
            "top": not 0 <= self.top <= 1,
            "sigma": not 0 <= self.sigma <= self.size,
        }
        refuse(self, wrong)

    def _patches(self, statistics: Statistics) -> PatchGrid:
        ((mean, deviation),) = statistics
        if not self.standardised:
            mean, deviation = torch.zeros_like(mean), torch.ones_like(deviation)
        return PatchGrid(mean, deviation, self.grid, self.neighbourhood)

    def _autoencoder(self) -> FeatureAutoencoderNetwork:
        return FeatureAutoencoderNetwork(sum(shape[0] for shape in self.extractor().shapes), self.widths)
