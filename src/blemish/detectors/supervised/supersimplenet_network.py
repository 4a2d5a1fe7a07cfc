"""SuperSimpleNet's head: an adaptor, a segmentation head and a classification head over frozen feature maps."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.ops import sigmoid_focal_loss

from blemish.detectors.layers import PatchEmbedding, convolution, enlarging_matrix


class JoinedFeatures(nn.Module):
    """Maps of several taps as one: enlarged, joined, averaged over 3 x 3 positions, standardised.

    Args:
        mean, deviation: of each channel over good images.
        upscale: how many times finer the grid is than that of the finest map.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, mean: Tensor, deviation: Tensor, upscale: int) -> None:
        super().__init__()
        self.upscale = upscale
        self.embedding = PatchEmbedding(3)
        self.register_buffer("mean", mean[None, :, None, None])
        self.register_buffer("deviation", deviation[None, :, None, None])

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """N x D x h x w of the taps' N x C x h x w maps, finest first."""
        if self.upscale > 1:
            scale = float(self.upscale)
            maps = [
                F.interpolate(one, scale_factor=scale, mode="bilinear", align_corners=False) for one in maps
            ]
        joined: Tensor = self.embedding(maps)
        return (joined - self.mean) / self.deviation


class SuperSimpleHeads(nn.Module):
    """Adaptor and both heads; for features of 152 x 32 x 32, 256 hidden and 64 classification channels:

    =============================================  ==================
    adaptor: convolution 1 x 1                     152 x 32 x 32
    segmentation: convolution 1 x 1, BatchNorm     256 x 32 x 32
    convolution 1 x 1: the map                     1 x 32 x 32
    classification: features and map, kernel 3     64 x 32 x 32
    mean and maximum of these and of the map       130
    linear layer: the score                        1
    =============================================  ==================

    ReLU after each BatchNorm. 151,323 parameters.
    """

    def __init__(self, width: int, hidden: int, channels: int, kernel: int) -> None:
        super().__init__()
        self.adaptor = nn.Conv2d(width, width, 1)
        # Begin with the features as they are.
        nn.init.dirac_(self.adaptor.weight)
        nn.init.zeros_(self.adaptor.get_parameter("bias"))
        self.segmentation = nn.Sequential(
            convolution(width, hidden, kernel=1), nn.Conv2d(hidden, 1, 1, bias=False)
        )
        self.classification = convolution(width + 1, channels, kernel=kernel)
        self.linear = nn.Linear(2 * channels + 2, 1)

    def forward(self, adapted: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of the images (N) and of their positions (N x 1 x h x w), from adapted features."""
        logits = self.segmentation(adapted)
        # As the authors do, the classification learns from the map but does not change it.
        shown = logits.detach()
        maps = self.classification(torch.cat([adapted, shown], 1))
        pooled = [maps.mean((2, 3)), maps.amax((2, 3)), shown.mean((2, 3)), shown.amax((2, 3))]
        return self.linear(torch.cat(pooled, 1))[:, 0], logits


class SuperSimpleNetHead(nn.Module):
    """Feature maps to score and map: joined features, adaptor, heads; the map is enlarged and smoothed.

    The score is the mean of what both heads say: the classification's logit, and the mean of the map's highest `top`
    share. The authors take the first alone; on unseen defects the second ranks better, on labelled ones the first
    helps. Logits, not probabilities, which would saturate.
    """

    rows: Tensor

    def __init__(
        self, joined: JoinedFeatures, heads: SuperSimpleHeads, grid: int, size: int, sigma: float, top: float
    ) -> None:
        super().__init__()
        self.joined = joined
        self.heads = heads
        self.count = max(1, round(top * size * size))
        self.register_buffer("rows", enlarging_matrix(grid, size, sigma), persistent=False)

    def forward(self, maps: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Score (1) and map (H x W) of one image's feature maps, 1 x C x h x w each."""
        classified, logits = self.heads(self.heads.adaptor(self.joined(maps)))
        anomaly_map = self.rows @ logits[0, 0] @ self.rows.T
        highest = torch.topk(anomaly_map.flatten(), self.count).values
        return 0.5 * (classified + highest.mean(0, keepdim=True)), anomaly_map


def truncated_l1(logits: Tensor, masks: Tensor, known: Tensor, margin: float = 0.5) -> Tensor:
    """Hinge that pushes good positions below -margin and defective ones above margin; each kind counts half.

    Args:
        logits, masks: of one shape; masks are 0 or 1.
        known: of the same shape, 1 where the mask is to be believed.
        margin: beyond which nothing more is asked for.
    """
    good, defective = (1 - masks) * known, masks * known
    below = (F.relu(logits + margin) * good).sum() / good.sum().clamp(min=1)
    above = (F.relu(margin - logits) * defective).sum() / defective.sum().clamp(min=1)
    return below + above


def focal(logits: Tensor, targets: Tensor, known: Tensor) -> Tensor:
    """Focal loss (Lin et al., ICCV 2017, gamma 2, no alpha), mean over what is known."""
    losses: Tensor = sigmoid_focal_loss(logits, targets, alpha=-1, gamma=2)
    return (losses * known).sum() / known.sum().clamp(min=1)
