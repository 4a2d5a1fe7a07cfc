"""The convolutional autoencoder: the plainest network that learns what normal is."""

from __future__ import annotations

import dataclasses
import itertools
from typing import ClassVar

from torch import Tensor, nn

from blemish.detectors.reconstruction.base import ReconstructionDetector


class ConvolutionalAutoencoderNetwork(nn.Module):
    """Plain convolutional autoencoder; for 3 x 128 x 128:

    ======================================  ==================
    convolution 3 x 3, BatchNorm, ReLU      32 x 128 x 128
    max-pool 2                              32 x 64 x 64
    convolution 3 x 3, BatchNorm, ReLU      64 x 64 x 64
    max-pool 2                              64 x 32 x 32
    convolution 3 x 3, BatchNorm, ReLU      128 x 32 x 32
    max-pool 2                              128 x 16 x 16
    transposed convolution 2 x 2, ReLU      64 x 32 x 32
    transposed convolution 2 x 2, ReLU      32 x 64 x 64
    transposed convolution 2 x 2, sigmoid   3 x 128 x 128
    ======================================  ==================

    135,139 parameters.
    """

    def __init__(self) -> None:
        super().__init__()
        widths = (3, 32, 64, 128)
        encoder: list[nn.Module] = []
        for inputs, outputs in itertools.pairwise(widths):
            encoder += [
                nn.Conv2d(inputs, outputs, 3, padding=1),
                nn.BatchNorm2d(outputs),
                nn.ReLU(inplace=True),
                nn.MaxPool2d(2),
            ]
        self.encoder = nn.Sequential(*encoder)
        self.decoder = nn.Sequential(
            nn.ConvTranspose2d(128, 64, 2, 2),
            nn.ReLU(inplace=True),
            nn.ConvTranspose2d(64, 32, 2, 2),
            nn.ReLU(inplace=True),
            nn.ConvTranspose2d(32, 3, 2, 2),
            nn.Sigmoid(),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Reconstruction in (0, 1) of N x 3 x H x W images, H and W multiples of 8."""
        reconstruction: Tensor = self.decoder(self.encoder(images))
        return reconstruction


@dataclasses.dataclass
class ConvolutionalAutoencoder(ReconstructionDetector):
    """Convolutional autoencoder with max-pooling, mean squared error, Adam; see the base class.

    Targets are pixels in [0, 1]: a network that ends in a sigmoid cannot give back standardised ones.
    """

    name: ClassVar[str] = "cae"

    size: int = 128

    def autoencoder(self) -> nn.Module:
        """The network, untrained."""
        return ConvolutionalAutoencoderNetwork()
