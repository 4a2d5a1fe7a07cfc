"""The hourglass autoencoder that is trained on structure as well as on pixel values."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from torch import nn

from blemish.detectors.reconstruction.autoencoders import HourglassAutoencoder
from blemish.detectors.reconstruction.base import PLAIN, ReconstructionDetector
from blemish.detectors.registry import register


@register(
    "ssim-autoencoder",
    summary="Autoencoder trained on structural similarity; for textures, where pixel values alone say little.",
    learns_from="normal images",
    gives_maps=True,
    reference="Bergmann et al., Improving Unsupervised Defect Segmentation by Applying Structural Similarity to "
    "Autoencoders, VISAPP 2019",
    presets={"plain": PLAIN},
)
@dataclasses.dataclass
class StructuralAutoencoder(ReconstructionDetector):
    """Symmetric hourglass; loss and map are half the squared error and half of 1 - SSIM; see the base class."""

    residual: ClassVar[str] = "mixed"

    size: int = 256

    def autoencoder(self) -> nn.Module:
        """The network, untrained."""
        return HourglassAutoencoder()
