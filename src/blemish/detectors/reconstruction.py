"""Detectors by reconstruction: an autoencoder learns to give good photographs back; where it fails is the defect."""

from __future__ import annotations

import dataclasses
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy.typing as npt
from torch import Tensor, nn

from blemish.detectors.base import refuse
from blemish.detectors.nets.reconstruction import RESIDUALS, ReconstructionHead
from blemish.detectors.trained import TrainedDetector
from blemish.detectors.training.examples import Batch, ImageExamples
from blemish.detectors.training.loop import Material, Objective

PLAIN = {"examples_per_epoch": 0, "sigma": 0.0, "top": 1.0}
"""Each photograph once an epoch, the mean error as score, the bare error as map."""


class ReconstructionObjective(Objective):
    """The mean residual between an image and its reconstruction."""

    def __init__(self, autoencoder: nn.Module, residual: str) -> None:
        super().__init__()
        self.autoencoder = autoencoder
        self.residual = RESIDUALS[residual]

    def loss(self, batch: Batch) -> Tensor:
        """Mean residual; the reconstruction is compared in float32."""
        return self.residual(batch["image"], self.autoencoder(batch["image"]).float()).mean()


@dataclasses.dataclass
class ReconstructionDetector(TrainedDetector):
    """An autoencoder of pixels in [0, 1].

    Attributes:
        sigma: smoothing of the map, in pixels of the input; 0 for none.
        top: share of the highest map values whose mean is the score; 1 takes the mean of all residuals.
    """

    residual: ClassVar[str] = "squared"

    examples_per_epoch: int = 256
    sigma: float = 2.0
    top: float = 0.01

    @abstractmethod
    def autoencoder(self) -> nn.Module:
        """The network, untrained."""

    def make_objective(self) -> Objective:
        """The autoencoder with its residual."""
        return ReconstructionObjective(self.autoencoder(), self.residual)

    def augmentation(self) -> Callable[[Tensor], Tensor] | None:
        """What is done to training images, uint8 3 x H x W; nothing unless said otherwise."""
        return None

    def material(self, paths: Sequence[Path], training: bool) -> Material:
        """The photographs."""
        augment = self.augmentation() if training else None
        return Material(ImageExamples(paths, self.preprocessing(), augment), len(paths))

    def finish(self, objective: Objective, learnt: Sequence[Path], held_out: Sequence[Path]) -> nn.Module:
        """The autoencoder with its residual as score and map."""
        return self._head(objective.get_submodule("autoencoder"))

    def empty_network(self, state: Mapping[str, npt.NDArray[Any]]) -> nn.Module:
        """An untrained autoencoder with its residual as score and map."""
        return self._head(self.autoencoder())

    def check_parameters(self) -> None:
        """Refuse values that cannot be meant."""
        super().check_parameters()
        refuse(self, {"sigma": not 0 <= self.sigma <= self.size, "top": not 0 < self.top <= 1})

    def _head(self, autoencoder: nn.Module) -> ReconstructionHead:
        return ReconstructionHead(autoencoder, self.residual, self.size, self.sigma, self.top)
