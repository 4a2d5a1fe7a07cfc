"""GANomaly: an autoencoder taught beside a discriminator, whose reconstruction is encoded once more.

Samet Akcay, Amir Atapour-Abarghouei and Toby Breckon, "GANomaly: Semi-Supervised Anomaly Detection via Adversarial
Training", ACCV 2018.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from blemish.detectors.layers import enlarging_matrix
from blemish.detectors.parameters import refuse
from blemish.detectors.reconstruction.ganomaly_network import Discriminator, GanomalyNetwork
from blemish.detectors.reconstruction.head import Shown
from blemish.detectors.trained import Prepared, TrainedDetector
from blemish.detectors.training.examples import Batch, ImageExamples
from blemish.detectors.training.loop import Material, Objective, Recipe
from blemish.detectors.training.photographs import TrainingPhotographs
from blemish.line.manifest import RECONSTRUCTION, Explains


class GanomalyObjective(Objective):
    """The three losses of the generator, and the discriminator's own, in one step.

    The generator is to give the image back (L1), to give its latent numbers back (squared error), and to look real to
    the discriminator, by what that sees before it decides (squared error of its features). Neither learns from the
    other's losses: the discriminator is frozen while the generator's are computed, and sees a reconstruction that
    leads back to nothing.
    """

    def __init__(
        self, generator: GanomalyNetwork, discriminator: Discriminator, weights: tuple[float, float, float]
    ) -> None:
        super().__init__()
        self.generator = generator
        self.discriminator = discriminator
        self.weights = weights

    def loss(self, batch: Batch) -> Tensor:
        """The losses of both, in float32."""
        image = batch["image"]
        reconstruction, latent, again = (one.float() for one in self.generator(image))
        seen_real, real = self.discriminator(image)
        with _frozen(self.discriminator):
            seen_fake, _ = self.discriminator(reconstruction)
        _, fake = self.discriminator(reconstruction.detach())
        adversarial, contextual, encoder = self.weights
        generator = (
            adversarial * F.mse_loss(seen_fake.float(), seen_real.detach().float())
            + contextual * F.l1_loss(reconstruction, image)
            + encoder * F.mse_loss(again, latent)
        )
        real, fake = real.float(), fake.float()
        told = F.binary_cross_entropy_with_logits(real, torch.ones_like(real))
        told = told + F.binary_cross_entropy_with_logits(fake, torch.zeros_like(fake))
        return generator + 0.5 * told

    def validation_loss(self, batch: Batch) -> Tensor:
        """What a good image scores: the distance between its latent numbers."""
        _, latent, again = self.generator(batch["image"])
        return F.l1_loss(again.float(), latent.float())

    def parameter_groups(self, learning_rate: float) -> list[dict[str, Any]]:
        """All at one rate, with the momentum that adversarial training bears."""
        (group,) = super().parameter_groups(learning_rate)
        return [group | {"betas": (0.5, 0.999)}]


class GanomalyHead(nn.Module):
    """The generator as a detector: the latent distance is the score, the error of the reconstruction the map.

    Args:
        generator: image in; reconstruction, latent numbers, and those of the reconstruction out.
        size: height and width of the input.
        sigma: smoothing of the map in pixels; 0 for none.
    """

    smoothing: Tensor

    def __init__(self, generator: nn.Module, size: int, sigma: float) -> None:
        super().__init__()
        self.generator = generator
        self.register_buffer("smoothing", enlarging_matrix(size, size, sigma), persistent=False)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Score (1) and map (H x W) of a 1 x 3 x H x W image."""
        score, anomaly_map, _ = self.shown(image)
        return score, anomaly_map

    def shown(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Score (1), map (H x W) and reconstruction (1 x 3 x H x W, in [0, 1]) of a 1 x 3 x H x W image."""
        reconstruction, latent, again = self.generator(image)
        error = (image - reconstruction).abs().mean(1)[0]
        anomaly_map = self.smoothing @ error @ self.smoothing.T
        return (latent - again).abs().mean(1), anomaly_map, reconstruction


@dataclasses.dataclass
class Ganomaly(TrainedDetector[None]):
    """GANomaly with Adam at the authors' rate and weights; see the base class.

    The authors score whole images, by the distance between the latent numbers of an image and of its reconstruction:
    that is the score here too. The map is the reconstruction's error, so the two may disagree.

    The last weights are kept: adversarial training has no loss that says when to stop.

    Attributes:
        width: channels of the first convolution; each other has twice as many as the one before.
        latent: latent numbers of an image.
        adversarial_weight, contextual_weight, encoder_weight: of the generator's three losses.
        sigma: smoothing of the map, in pixels of the input.
    """

    name: ClassVar[str] = "ganomaly"
    measures: ClassVar[str] = "difference of latent numbers"
    augments: ClassVar[bool] = True

    size: int = 128
    epochs: int = 20
    learning_rate: float = 2e-4
    patience: int = 0
    examples_per_epoch: int = 256
    width: int = 32
    latent: int = 100
    adversarial_weight: float = 1.0
    contextual_weight: float = 50.0
    encoder_weight: float = 1.0
    sigma: float = 2.0

    def prepare(self, photographs: TrainingPhotographs) -> None:
        """Nothing is to be found first."""

    def make_objective(self, prepared: Prepared[None]) -> Objective:
        """Generator and discriminator."""
        generator = GanomalyNetwork(self.size, self.width, self.latent)
        weights = (self.adversarial_weight, self.contextual_weight, self.encoder_weight)
        return GanomalyObjective(generator, Discriminator(self.size, self.width), weights)

    def material(self, paths: Sequence[Path], training: bool, prepared: Prepared[None]) -> Material:
        """The photographs."""
        augmentation = self.augmented_by() if training else None
        return Material(ImageExamples(paths, self.preprocessing(), augmentation), len(paths))

    def finish(self, objective: Objective, prepared: Prepared[None]) -> nn.Module:
        """The generator with score and map."""
        return GanomalyHead(objective.get_submodule("generator"), self.size, self.sigma)

    @property
    def explains(self) -> tuple[Explains, ...]:
        """The reconstruction."""
        return (RECONSTRUCTION,)

    def whole_network(self) -> nn.Module:
        """The graph with the reconstruction."""
        return Shown(self.network()).eval()

    def recipe(self) -> Recipe:
        """To the end."""
        return dataclasses.replace(super().recipe(), keep="last")

    def check_parameters(self) -> None:
        """Refuse values that cannot be meant."""
        super().check_parameters()
        wrong = {
            "width": self.width < 1,
            "latent": self.latent < 1,
            "sigma": not 0 <= self.sigma <= self.size,
        }
        for name in ("adversarial_weight", "contextual_weight", "encoder_weight"):
            wrong[name] = not 0 <= getattr(self, name) < 1e6
        refuse(self, wrong)


@contextmanager
def _frozen(network: nn.Module) -> Iterator[None]:
    """The network's weights are constants meanwhile."""
    network.requires_grad_(False)
    try:
        yield
    finally:
        network.requires_grad_(True)
