"""The convolutional autoencoder: the plainest network that learns what normal is."""

from __future__ import annotations

import dataclasses

from torch import nn

from blemish.detectors.reconstruction.autoencoders import ConvolutionalAutoencoder
from blemish.detectors.reconstruction.base import PLAIN, ReconstructionDetector
from blemish.detectors.registry import register


@register(
    "cae",
    summary="Convolutional autoencoder of pixels; small and quick, sees changes of colour and gross damage.",
    learns_from="normal images",
    gives_maps=True,
    reference="Masci et al., Stacked Convolutional Auto-Encoders for Hierarchical Feature Extraction, ICANN 2011",
    presets={"plain": PLAIN},
)
@dataclasses.dataclass
class ConvolutionalAutoencoderDetector(ReconstructionDetector):
    """Convolutional autoencoder with max-pooling, mean squared error, Adam; see the base class.

    Targets are pixels in [0, 1]: a network that ends in a sigmoid cannot give back standardised ones.
    """

    size: int = 128

    def autoencoder(self) -> nn.Module:
        """The network, untrained."""
        return ConvolutionalAutoencoder()
