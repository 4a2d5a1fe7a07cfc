"""The autoencoder of features: 1 x 1 convolutions that give the patches of good images back."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn

from blemish.detectors.layers import PatchEmbedding, PatchScoring


class FeatureAutoencoderNetwork(nn.Module):
    """Autoencoder of patch vectors; for 1536 channels and widths 400, 200, 100 on 28 x 28 patches:

    ====================================  ================
    convolution 1 x 1, BatchNorm, ReLU    400 x 28 x 28
    convolution 1 x 1, BatchNorm, ReLU    200 x 28 x 28
    convolution 1 x 1: the waist          100 x 28 x 28
    convolution 1 x 1, BatchNorm, ReLU    200 x 28 x 28
    convolution 1 x 1, BatchNorm, ReLU    400 x 28 x 28
    convolution 1 x 1                     1536 x 28 x 28
    ====================================  ================

    1,434,036 parameters: 1,431,636 of the convolutions with their biases, 2,400 of BatchNorm, which the waist has not.

    Args:
        channels: of the patch vectors.
        widths: of the encoder's layers, the waist last; the decoder mirrors them.
    """

    def __init__(self, channels: int, widths: Sequence[int] = (400, 200, 100)) -> None:
        super().__init__()
        *hidden, waist = widths
        inwards, outwards = [channels, *hidden], [waist, *hidden[::-1]]
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise(inwards):
            layers += _convolution(inputs, outputs)
        layers.append(nn.Conv2d(inwards[-1], waist, 1))
        for inputs, outputs in pairwise(outwards):
            layers += _convolution(inputs, outputs)
        layers.append(nn.Conv2d(outwards[-1], channels, 1))
        self.layers = nn.Sequential(*layers)

    def forward(self, patches: Tensor) -> Tensor:
        """Reconstruction of N x C x h x w patches."""
        reconstruction: Tensor = self.layers(patches)
        return reconstruction


class PatchGrid(nn.Module):
    """Feature maps to patches on a square grid: averaged, resized, joined, standardised.

    Args:
        mean, deviation: of every channel, C.
        grid: height and width of the grid; 0 for the finest tap's own.
        neighbourhood: maps are averaged over this many positions squared.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, mean: Tensor, deviation: Tensor, grid: int, neighbourhood: int) -> None:
        super().__init__()
        self.embedding = PatchEmbedding(neighbourhood)
        self.grid = grid
        self.register_buffer("mean", mean[:, None, None].clone())
        self.register_buffer("deviation", deviation[:, None, None].clone())

    def joined(self, maps: Sequence[Tensor]) -> Tensor:
        """Patches N x C x g x g before they are standardised."""
        patches: Tensor = self.embedding(maps)
        if self.grid and patches.shape[-2:] != (self.grid, self.grid):
            patches = F.interpolate(patches, (self.grid, self.grid), mode="bilinear", align_corners=False)
        return patches

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """Standardised patches, N x C x g x g."""
        return (self.joined(maps) - self.mean) / self.deviation


class FeatureAutoencoderHead(nn.Module):
    """Feature maps to score and map by the autoencoder's squared error.

    Args:
        patches: feature maps to patches.
        autoencoder: patches to patches.
        scoring: patch errors to score and map.
    """

    def __init__(
        self, patches: PatchGrid, autoencoder: FeatureAutoencoderNetwork, scoring: PatchScoring
    ) -> None:
        super().__init__()
        self.patches = patches
        self.autoencoder = autoencoder
        self.scoring = scoring

    def forward(self, maps: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Score (1) and map (H x W) of one image's feature maps, 1 x C x h x w each."""
        patches = self.patches(maps)
        score, anomaly_map = self.scoring(squared_error(patches, self.autoencoder(patches)))
        return score, anomaly_map


def squared_error(patches: Tensor, reconstruction: Tensor) -> Tensor:
    """Squared error of every patch, mean over channels: N x 1 x h x w."""
    return ((patches - reconstruction.float()) ** 2).mean(1, keepdim=True)


def _convolution(inputs: int, outputs: int) -> list[nn.Module]:
    return [nn.Conv2d(inputs, outputs, 1), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]
