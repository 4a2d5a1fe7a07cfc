"""The residual autoencoder, trained on a set that augmentation has grown."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from torch import Tensor, nn
from torchvision.transforms import v2

from blemish.detectors.base import refuse
from blemish.detectors.reconstruction.autoencoders import ResidualAutoencoder
from blemish.detectors.reconstruction.base import PLAIN, ReconstructionDetector, ReconstructionObjective
from blemish.detectors.registry import register
from blemish.detectors.training.examples import Batch
from blemish.detectors.training.loop import Objective


class CroppedObjective(ReconstructionObjective):
    """The mean residual without the borders, which augmentation has invented."""

    def __init__(self, autoencoder: nn.Module, residual: str, border: int) -> None:
        super().__init__(autoencoder, residual)
        self.border = border

    def loss(self, batch: Batch) -> Tensor:
        """Mean residual inside the borders."""
        image, edge = batch["image"], self.border
        reconstruction = self.autoencoder(image)
        height, width = image.shape[-2:]
        inside = (..., slice(edge, height - edge), slice(edge, width - edge))
        return self.mean_residual(image[inside], reconstruction[inside])


@register(
    "residual-autoencoder",
    summary="Autoencoder with a residual block on an augmented set; for few photographs of parts that turn.",
    learns_from="normal images",
    gives_maps=True,
    reference="He et al., Deep Residual Learning for Image Recognition, CVPR 2016 (the block)",
    presets={"plain": {**PLAIN, "examples_per_epoch": 1500}},
)
@dataclasses.dataclass
class ResidualAutoencoderDetector(ReconstructionDetector):
    """Residual autoencoder; every epoch sees 1,500 augmented images, validation sees the photographs as they are.

    Attributes:
        border: pixels at each edge that the training loss leaves out, and the map too: no one has taught the network
            what belongs there.
    """

    size: int = 224
    epochs: int = 10
    examples_per_epoch: int = 1500
    border: int = 8

    def autoencoder(self) -> nn.Module:
        """The network, untrained."""
        return ResidualAutoencoder()

    def make_objective(self) -> Objective:
        """The autoencoder, its residual inside the borders."""
        return CroppedObjective(self.autoencoder(), self.residual, self.border)

    def augmentation(self) -> Callable[[Tensor], Tensor]:
        """Flip, scale and translation, quarter turns, a trace of blur."""
        turns = v2.RandomChoice([v2.RandomRotation((angle, angle)) for angle in (-90.0, 90.0, 180.0)])
        moved = v2.RandomAffine(0, translate=(0.05, 0.05), scale=(0.9, 1.1))
        augment: Callable[[Tensor], Tensor] = v2.Compose(
            [
                v2.RandomHorizontalFlip(0.5),
                v2.RandomApply([moved], 0.75),
                v2.RandomApply([turns], 0.75),
                v2.GaussianBlur(3, (0.01, 0.05)),
            ]
        )
        return augment

    def untaught_border(self) -> int:
        """What the loss leaves out."""
        return self.border

    def check_parameters(self) -> None:
        """Refuse values that cannot be meant."""
        super().check_parameters()
        refuse(self, {"border": not 0 <= self.border < self.size // 4})
