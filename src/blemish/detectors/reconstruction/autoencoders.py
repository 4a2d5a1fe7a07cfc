"""Autoencoders of pixels: networks that learn to give good photographs back, and fail on what they have not seen."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn


def convolution(inputs: int, outputs: int, stride: int = 1, kernel: int = 3) -> nn.Sequential:
    """Convolution without bias, BatchNorm, ReLU."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


def enlargement(inputs: int, outputs: int, kernel: int = 3) -> nn.Sequential:
    """Transposed convolution of stride 2 without bias, BatchNorm, ReLU: twice the height and width."""
    return nn.Sequential(
        _transposed(inputs, outputs, kernel, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)
    )


def _transposed(inputs: int, outputs: int, kernel: int, bias: bool) -> nn.ConvTranspose2d:
    """Transposed convolution that doubles the size exactly, whatever the kernel (2, 3 or 4)."""
    padding = (kernel - 1) // 2
    missing = 2 - (kernel - 2 * padding)
    return nn.ConvTranspose2d(inputs, outputs, kernel, 2, padding, output_padding=missing, bias=bias)


class ConvolutionalAutoencoder(nn.Module):
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
            layers += _leaky(_transposed(inputs, outputs, 4, bias=False), outputs)
        self.layers = nn.Sequential(*layers, _transposed(32, 3, 4, bias=True), nn.Sigmoid())

    def forward(self, images: Tensor) -> Tensor:
        """Reconstruction in (0, 1) of N x 3 x H x W images, H and W multiples of 16."""
        reconstruction: Tensor = self.layers(images)
        return reconstruction


def _leaky(layer: nn.Module, channels: int) -> list[nn.Module]:
    return [layer, nn.BatchNorm2d(channels), nn.LeakyReLU(0.2, inplace=True)]


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


class ResidualAutoencoder(nn.Module):
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
            _transposed(32, 3, 3, bias=True),
            nn.Sigmoid(),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Reconstruction in (0, 1) of N x 3 x H x W images, H and W multiples of 16."""
        reconstruction: Tensor = self.layers(images)
        return reconstruction


class VariationalAutoencoder(nn.Module):
    """Convolutional variational autoencoder (Kingma and Welling, 2014); for 3 x 128 x 128 and 128 latent numbers:

    ==========================================  ==================
    convolution 3 x 3, stride 2                 32 x 64 x 64
    convolution 3 x 3, stride 2                 64 x 32 x 32
    convolution 3 x 3, stride 2                 128 x 16 x 16
    convolution 3 x 3, stride 2                 256 x 8 x 8
    two linear layers: mean, log variance       128 and 128
    linear layer                                256 x 8 x 8
    transposed convolution 3 x 3, stride 2      128 x 16 x 16
    transposed convolution 3 x 3, stride 2      64 x 32 x 32
    transposed convolution 3 x 3, stride 2      32 x 64 x 64
    transposed convolution 3 x 3, stride 2      3 x 128 x 128
    ==========================================  ==================

    BatchNorm and ReLU between, a sigmoid at the end. 7,085,379 parameters.
    """

    def __init__(self, size: int, latent: int) -> None:
        super().__init__()
        self.grid = size // 16
        widths = (3, 32, 64, 128, 256)
        pairs = list(itertools.pairwise(widths))
        self.encoder = nn.Sequential(*(convolution(inputs, outputs, 2) for inputs, outputs in pairs))
        cells = 256 * self.grid**2
        self.mean = nn.Linear(cells, latent)
        self.log_variance = nn.Linear(cells, latent)
        self.start = nn.Linear(latent, cells)
        self.decoder = nn.Sequential(
            enlargement(256, 128),
            enlargement(128, 64),
            enlargement(64, 32),
            _transposed(32, 3, 3, bias=True),
            nn.Sigmoid(),
        )

    def encode(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log variance, N x latent each, of N x 3 x size x size images."""
        features = self.encoder(images).flatten(1)
        return self.mean(features), self.log_variance(features).clamp(-20, 10)

    def decode(self, latent: Tensor) -> Tensor:
        """Image in (0, 1) of N x latent numbers."""
        image: Tensor = self.decoder(self.start(latent).unflatten(1, (256, self.grid, self.grid)))
        return image

    def forward(self, images: Tensor) -> Tensor:
        """Reconstruction from the mean: nothing is drawn at random."""
        return self.decode(self.encode(images)[0])
