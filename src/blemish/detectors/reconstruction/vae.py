"""The variational autoencoder: what is normal is a cloud of points, drawn as images."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor, nn

from blemish.detectors.base import refuse
from blemish.detectors.reconstruction.autoencoders import VariationalAutoencoder
from blemish.detectors.reconstruction.base import PLAIN, ReconstructionDetector
from blemish.detectors.registry import register
from blemish.detectors.training.examples import Batch
from blemish.detectors.training.loop import Objective


class VariationalObjective(Objective):
    """Squared error of a drawn reconstruction, and the divergence of the latent numbers from a standard normal.

    Kingma and Welling, "Auto-Encoding Variational Bayes", ICLR 2014; both are means over pixels, the second times
    `beta` (Higgins et al., "beta-VAE", ICLR 2017).
    """

    def __init__(self, autoencoder: VariationalAutoencoder, beta: float) -> None:
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


@register(
    "vae",
    summary="Variational autoencoder; smooth reconstructions, for parts that differ little from each other.",
    learns_from="normal images",
    gives_maps=True,
    reference="Kingma and Welling, Auto-Encoding Variational Bayes, ICLR 2014",
    presets={"plain": PLAIN},
)
@dataclasses.dataclass
class VariationalAutoencoderDetector(ReconstructionDetector):
    """Convolutional variational autoencoder; score and map from the reconstruction of the latent mean.

    Attributes:
        latent: latent numbers of an image.
        beta: weight of the divergence.
    """

    size: int = 128
    epochs: int = 30
    latent: int = 128
    beta: float = 1.0

    def autoencoder(self) -> nn.Module:
        """The network, untrained."""
        return VariationalAutoencoder(self.size, self.latent)

    def make_objective(self) -> Objective:
        """The autoencoder with reconstruction and divergence."""
        return VariationalObjective(VariationalAutoencoder(self.size, self.latent), self.beta)

    def check_parameters(self) -> None:
        """Refuse values that cannot be meant."""
        super().check_parameters()
        refuse(self, {"latent": self.latent < 1, "beta": not 0 <= self.beta < 1e6})
