"""The residual autoencoder, trained on a set that augmentation has grown."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import ClassVar

import torch
from torch import Tensor, nn
from torchvision.transforms import v2

from blemish.detectors.layers import convolution, enlargement, transposed
from blemish.detectors.parameters import refuse
from blemish.detectors.reconstruction.base import ReconstructionDetector, ReconstructionObjective
from blemish.detectors.trained import Prepared
from blemish.detectors.training.examples import Batch
from blemish.detectors.training.loop import Objective


class ResidualBlock(nn.Module):
    """Two 3 x 3 convolutions beside a 1 x 1 one of stride 2 (He et al., 2016): N x inputs x H x W to half the size."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.path = nn.Sequential(
            convolution(inputs, outputs, stride=2),
            nn.Conv2d(outputs, outputs, 3, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
        )
        self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, 2, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, maps: Tensor) -> Tensor:
        """Feature maps of half the size."""
        return torch.relu(self.path(maps) + self.shortcut(maps))


class ResidualAutoencoderNetwork(nn.Module):
    """Autoencoder with a residual block; for 3 x 224 x 224:

    ==========================================  ==================
    stem: convolution 3 x 3, stride 2           32 x 112 x 112
    stem: convolution 3 x 3, stride 2           64 x 56 x 56
    residual block, stride 2                    128 x 28 x 28
    bottleneck: convolution 3 x 3, stride 2     256 x 14 x 14
    transposed convolution 3 x 3, stride 2      128 x 28 x 28
    transposed convolution 3 x 3, stride 2      64 x 56 x 56
    transposed convolution 3 x 3, stride 2      32 x 112 x 112
    transposed convolution 3 x 3, stride 2      3 x 224 x 224
    ==========================================  ==================

    BatchNorm and ReLU between, a sigmoid at the end. 933,443 parameters.
    """

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            convolution(3, 32, stride=2),
            convolution(32, 64, stride=2),
            ResidualBlock(64, 128),
            convolution(128, 256, stride=2),
            enlargement(256, 128),
            enlargement(128, 64),
            enlargement(64, 32),
            transposed(32, 3, 3, bias=True),
            nn.Sigmoid(),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Reconstruction in (0, 1) of N x 3 x H x W images, H and W multiples of 16."""
        reconstruction: Tensor = self.layers(images)
        return reconstruction


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


@dataclasses.dataclass
class ResidualAutoencoder(ReconstructionDetector):
    """Residual autoencoder; every epoch sees 1,500 augmented images, validation sees the photographs as they are.

    Attributes:
        border: pixels at each edge that the training loss leaves out, and the map too: no one has taught the network
            what belongs there.
    """

    name: ClassVar[str] = "residual-autoencoder"

    size: int = 224
    epochs: int = 10
    examples_per_epoch: int = 1500
    border: int = 8

    def autoencoder(self) -> nn.Module:
        """The network, untrained."""
        return ResidualAutoencoderNetwork()

    def make_objective(self, prepared: Prepared[None]) -> Objective:
        """The autoencoder, its residual inside the borders."""
        return CroppedObjective(self.autoencoder(), self.residual, self.border)

    def augmentation(self) -> Callable[[Tensor], Tensor]:
        """Flip, scale and translation, quarter turns, a trace of blur; before them what `augment` says."""
        augmentation = self.augmented_by()
        turns = v2.RandomChoice([v2.RandomRotation((angle, angle)) for angle in (-90.0, 90.0, 180.0)])
        moved = v2.RandomAffine(0, translate=(0.05, 0.05), scale=(0.9, 1.1))
        augment: Callable[[Tensor], Tensor] = v2.Compose(
            [
                *([] if augmentation is None else [augmentation]),
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
