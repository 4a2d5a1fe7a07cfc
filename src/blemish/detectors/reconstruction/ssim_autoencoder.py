"""The hourglass autoencoder that is trained on structure as well as on pixel values."""

from __future__ import annotations

import dataclasses
import itertools
from typing import ClassVar

from torch import Tensor, nn

from blemish.detectors.layers import transposed
from blemish.detectors.reconstruction.base import ReconstructionDetector


class HourglassAutoencoder(nn.Module):
    """Symmetric hourglass; for 3 x 256 x 256:

    ==========================================  ==================
    convolution 4 x 4, stride 2                 32 x 128 x 128
    convolution 4 x 4, stride 2                 64 x 64 x 64
    convolution 4 x 4, stride 2                 128 x 32 x 32
    convolution 4 x 4, stride 2                 256 x 16 x 16
    convolution 3 x 3: the waist                64 x 16 x 16
    convolution 3 x 3                           256 x 16 x 16
    transposed convolution 4 x 4, stride 2      128 x 32 x 32
    transposed convolution 4 x 4, stride 2      64 x 64 x 64
    transposed convolution 4 x 4, stride 2      32 x 128 x 128
    transposed convolution 4 x 4, stride 2      3 x 256 x 256
    ==========================================  ==================

    BatchNorm and LeakyReLU 0.2 between, a sigmoid at the end. 1,676,291 parameters.
    """

    def __init__(self) -> None:
        super().__init__()
        widths = (3, 32, 64, 128, 256)
        layers: list[nn.Module] = []
        for inputs, outputs in itertools.pairwise(widths):
            layers += _leaky(nn.Conv2d(inputs, outputs, 4, 2, 1, bias=False), outputs)
        layers += _leaky(nn.Conv2d(256, 64, 3, 1, 1, bias=False), 64)
        layers += _leaky(nn.Conv2d(64, 256, 3, 1, 1, bias=False), 256)
        for inputs, outputs in zip(widths[:1:-1], widths[-2:0:-1], strict=False):
            layers += _leaky(transposed(inputs, outputs, 4, bias=False), outputs)
        self.layers = nn.Sequential(*layers, transposed(32, 3, 4, bias=True), nn.Sigmoid())

    def forward(self, images: Tensor) -> Tensor:
        """Reconstruction in (0, 1) of N x 3 x H x W images, H and W multiples of 16."""
        reconstruction: Tensor = self.layers(images)
        return reconstruction


def _leaky(layer: nn.Module, channels: int) -> list[nn.Module]:
    return [layer, nn.BatchNorm2d(channels), nn.LeakyReLU(0.2, inplace=True)]


@dataclasses.dataclass
class StructuralAutoencoder(ReconstructionDetector):
    """Symmetric hourglass; loss and map are half the squared error and half of 1 - SSIM; see the base class."""

    name: ClassVar[str] = "ssim-autoencoder"

    residual: ClassVar[str] = "mixed"

    size: int = 256

    def autoencoder(self) -> nn.Module:
        """The network, untrained."""
        return HourglassAutoencoder()
