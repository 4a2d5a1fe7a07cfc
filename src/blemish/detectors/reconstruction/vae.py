"""The variational autoencoder: what is normal is a cloud of points, drawn as images."""

from __future__ import annotations

import dataclasses
import itertools
from typing import ClassVar

import torch
from torch import Tensor, nn

from blemish.detectors.layers import convolution, enlargement, transposed
from blemish.detectors.parameters import refuse
from blemish.detectors.reconstruction.base import ReconstructionDetector
from blemish.detectors.trained import Prepared
from blemish.detectors.training.examples import Batch
from blemish.detectors.training.loop import Objective


class VariationalAutoencoderNetwork(nn.Module):
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
            transposed(32, 3, 3, bias=True),
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


class VariationalObjective(Objective):
    """Squared error of a drawn reconstruction, and the divergence of the latent numbers from a standard normal.

    Kingma and Welling, "Auto-Encoding Variational Bayes", ICLR 2014; both are means over pixels, the second times
    `beta` (Higgins et al., "beta-VAE", ICLR 2017).
    """

    def __init__(self, autoencoder: VariationalAutoencoderNetwork, beta: float) -> None:
        super().__init__()
        self.autoencoder = autoencoder
        self.beta = beta

    def loss(self, batch: Batch) -> Tensor:
        """Reconstruction and divergence; latent numbers are drawn in training, and are the mean otherwise."""
        image = batch["image"]
        mean, log_variance = (part.float() for part in self.autoencoder.encode(image))
        latent = mean
        if self.training:
            latent = mean + torch.randn_like(mean) * torch.exp(0.5 * log_variance)
        error = (image - self.autoencoder.decode(latent).float()) ** 2
        divergence = -0.5 * (1 + log_variance - mean**2 - log_variance.exp()).sum(1).mean()
        return error.mean() + self.beta * divergence / image[0].numel()


@dataclasses.dataclass
class VariationalAutoencoder(ReconstructionDetector):
    """Convolutional variational autoencoder; score and map from the reconstruction of the latent mean.

    `beta` is twice the variance of the noise that pixels in [0, 1] are taken to have. With 1 nearly all that tells one
    good image from another is noise; the default is about what is left over of one (as Rybkin et al., "Simple and
    Effective VAE Training with Calibrated Decoders", ICML 2021, set it). Edges are drawn smoothly all the same, so
    errors beside them are excused.

    Attributes:
        latent: latent numbers of an image.
        beta: weight of the divergence.
    """

    name: ClassVar[str] = "vae"

    size: int = 128
    epochs: int = 30
    latent: int = 128
    beta: float = 0.01
    edges: float = 2.0

    def autoencoder(self) -> nn.Module:
        """The network, untrained."""
        return VariationalAutoencoderNetwork(self.size, self.latent)

    def make_objective(self, prepared: Prepared[None]) -> Objective:
        """The autoencoder with reconstruction and divergence."""
        return VariationalObjective(VariationalAutoencoderNetwork(self.size, self.latent), self.beta)

    def check_parameters(self) -> None:
        """Refuse values that cannot be meant."""
        super().check_parameters()
        refuse(self, {"latent": self.latent < 1, "beta": not 0 <= self.beta < 1e6})
