"""Detectors by reconstruction: an autoencoder learns to give good photographs back; where it fails is the defect."""

from __future__ import annotations

import dataclasses
from abc import abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from blemish.detectors.parameters import refuse
from blemish.detectors.reconstruction.head import RESIDUALS, ReconstructionHead, Shown, edge_energy
from blemish.detectors.trained import Prepared, TrainedDetector
from blemish.detectors.training.examples import Batch, ImageExamples
from blemish.detectors.training.loop import Material, Objective
from blemish.detectors.training.photographs import TrainingPhotographs
from blemish.line.manifest import RECONSTRUCTION, Explains


class ReconstructionObjective(Objective):
    """The mean residual between an image and its reconstruction."""

    def __init__(self, autoencoder: nn.Module, residual: str) -> None:
        super().__init__()
        self.autoencoder = autoencoder
        self.residual = RESIDUALS[residual]

    def loss(self, batch: Batch) -> Tensor:
        """Mean residual."""
        return self.mean_residual(batch["image"], self.autoencoder(batch["image"]))

    def mean_residual(self, image: Tensor, reconstruction: Tensor) -> Tensor:
        """In float32 whatever the network computes in: nearly equal numbers are subtracted."""
        with torch.autocast(image.device.type, enabled=False):
            return self.residual(image, reconstruction.float()).mean()


@dataclasses.dataclass
class ReconstructionDetector(TrainedDetector[None]):
    """An autoencoder of pixels in [0, 1].

    Attributes:
        sigma: smoothing of the map, in pixels of the input; 0 for none.
        top: share of the highest map values whose mean is the score; 1 takes the mean of all residuals.
        edges: how far, in pixels of the input, edges of the reconstruction excuse errors around them; 0 for not at all.
    """

    augments: ClassVar[bool] = True
    residual: ClassVar[str] = "squared"
    measures: ClassVar[str] = "reconstruction error"

    examples_per_epoch: int = 256
    sigma: float = 2.0
    top: float = 0.01
    edges: float = 0.0

    @abstractmethod
    def autoencoder(self) -> nn.Module:
        """The network, untrained."""

    def prepare(self, photographs: TrainingPhotographs) -> None:
        """Nothing is to be found first."""

    def make_objective(self, prepared: Prepared[None]) -> Objective:
        """The autoencoder with its residual."""
        return ReconstructionObjective(self.autoencoder(), self.residual)

    def augmentation(self) -> Callable[[Tensor], Tensor] | None:
        """What is done to training images, uint8 3 x H x W: what `augment` says, unless a subclass does more."""
        return self.augmented_by()

    def material(self, paths: Sequence[Path], training: bool, prepared: Prepared[None]) -> Material:
        """The photographs."""
        augment = self.augmentation() if training else None
        return Material(ImageExamples(paths, self.preprocessing(), augment), len(paths))

    def finish(self, objective: Objective, prepared: Prepared[None]) -> nn.Module:
        """The autoencoder with its residual as score and map."""
        head = self._head(objective.get_submodule("autoencoder"))
        if self.edges:
            held_out = prepared.photographs.held_out
            examples = self.material(held_out, False, prepared).examples
            rng = np.random.default_rng(self.seed)  # nothing is random without augmentation
            energies = []
            for number in range(len(held_out)):
                with torch.inference_mode():
                    drawn = head.autoencoder(examples(number, rng)["image"][None])
                    energies.append(float(edge_energy(head.inside(drawn)).mean()))
            # Never 0: a reconstruction without any edge has none to excuse.
            head.usual_edges.fill_(max(float(np.mean(energies)), 1e-8))
        return head

    @property
    def explains(self) -> tuple[Explains, ...]:
        """The reconstruction."""
        return (RECONSTRUCTION,)

    def whole_network(self) -> nn.Module:
        """The graph with the reconstruction."""
        return Shown(self.network()).eval()

    def check_parameters(self) -> None:
        """Refuse values that cannot be meant."""
        super().check_parameters()
        refuse(
            self,
            {
                "sigma": not 0 <= self.sigma <= self.size,
                "top": not 0 < self.top <= 1,
                "edges": not 0 <= self.edges <= self.size,
            },
        )

    def quick_parameters(self) -> dict[str, Any]:
        """And at most 256 photographs an epoch, as most of these detectors have by default."""
        most = ReconstructionDetector.examples_per_epoch
        return super().quick_parameters() | {"examples_per_epoch": min(self.examples_per_epoch, most)}

    def untaught_border(self) -> int:
        """Pixels at each edge whose reconstruction was never compared."""
        return 0

    def _head(self, autoencoder: nn.Module) -> ReconstructionHead:
        border = self.untaught_border()
        return ReconstructionHead(
            autoencoder, self.residual, self.size, self.sigma, self.top, border, self.edges
        )
