"""Networks of the classifier: a plain trunk, the head over feature maps, and its Grad-CAM in closed form."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from blemish.detectors.layers import convolution, enlarging_matrix

POOLINGS: tuple[Callable[[Tensor], Tensor], ...] = (
    lambda maps: maps.mean((2, 3)),
    lambda maps: maps.amax((2, 3)),
    lambda maps: maps.amin((2, 3)),
)


class PlainTrunk(nn.Module):
    """A convolutional network of its own; for 3 x 256 x 256:

    ==========================================  ==================
    convolution 3 x 3, stride 2                 32 x 128 x 128
    convolution 3 x 3, stride 2                 64 x 64 x 64
    convolution 3 x 3, stride 2                 128 x 32 x 32
    convolution 3 x 3, stride 2                 128 x 16 x 16
    ==========================================  ==================

    BatchNorm and ReLU after each. 241,184 parameters.

    Attributes:
        channels, strides: of the maps that `forward` returns.
    """

    channels = (128, 128)
    strides = (8, 16)

    def __init__(self) -> None:
        super().__init__()
        self.beginning = nn.Sequential(convolution(3, 32, 2), convolution(32, 64, 2), convolution(64, 128, 2))
        self.end = convolution(128, 128, 2)

    def forward(self, images: Tensor) -> list[Tensor]:
        """Maps of N x 3 x H x W images at strides 8 and 16; H and W are multiples of 16."""
        finer: Tensor = self.beginning(images)
        return [finer, self.end(finer)]


class PrincipalAxes(nn.Module):
    """Rotate every map's channels to the principal axes of good images.

    In many directions of a network's features good images hardly vary, and small defects show there; along the channels
    themselves they are hidden by what does vary. Each map's rotation is a 1 x 1 convolution.

    Args:
        means: of the channels over good images, C each.
        covariances: C x C each.
    """

    def __init__(self, means: Sequence[Tensor], covariances: Sequence[Tensor]) -> None:
        super().__init__()
        for number, (mean, covariance) in enumerate(zip(means, covariances, strict=True)):
            axes = torch.linalg.eigh(covariance.double()).eigenvectors.T
            self.register_buffer(f"axes{number}", axes.float()[:, :, None, None])
            self.register_buffer(f"shift{number}", -(axes @ mean.double()).float())

    @classmethod
    def empty(cls, channels: Sequence[int]) -> PrincipalAxes:
        """One whose axes are yet to be loaded."""
        return cls([torch.zeros(width) for width in channels], [torch.eye(width) for width in channels])

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """Rotated maps, N x C x h x w each."""
        return [
            F.conv2d(one, self.get_buffer(f"axes{number}"), self.get_buffer(f"shift{number}"))
            for number, one in enumerate(maps)
        ]


class ClassifierHead(nn.Module):
    """Feature maps to classes; with maps of 40 x 48 x 48, 112 x 24 x 24 and 320 x 12 x 12, and two classes:

    ==========================================  ==================
    rotation to principal axes (frozen trunk)   as before
    mean, maximum and minimum of each channel   1416
    BatchNorm without weights, dropout          1416
    linear layer                                2
    ==========================================  ==================

    2,834 parameters. Class 0 is "good". Names of the classes are kept as a buffer, so that they are stored with the
    weights.

    Args:
        channels, grids: of the maps, finest first; grids are their heights and widths.
        size: of the input.
        names: of the classes.
        dropout: share of the pooled features left out at random while training.
        rotated: whether maps are rotated first, by `PrincipalAxes` that are yet to be loaded.
    """

    names: Tensor

    def __init__(
        self,
        channels: Sequence[int],
        grids: Sequence[int],
        size: int,
        names: Sequence[str],
        dropout: float = 0.0,
        rotated: bool = False,
    ) -> None:
        super().__init__()
        self.channels = tuple(channels)
        self.axes = PrincipalAxes.empty(channels) if rotated else nn.Identity()
        width = len(POOLINGS) * sum(channels)
        self.norm = nn.BatchNorm1d(width, affine=False)
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(width, len(names))
        nn.init.zeros_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)
        self.register_buffer("names", torch.tensor(list(json.dumps(list(names)).encode()), dtype=torch.uint8))
        self.enlarging = [f"rows{number}" for number in range(len(grids))]
        for name, grid in zip(self.enlarging, grids, strict=True):
            self.register_buffer(name, enlarging_matrix(grid, size, 0.0), persistent=False)
            self.register_buffer(f"finest_{name}", enlarging_matrix(grid, grids[0], 0.0), persistent=False)

    def class_names(self) -> list[str]:
        """Names of the classes, the good one first."""
        return names_in(self.names.numpy())

    def pooled(self, maps: Sequence[Tensor]) -> Tensor:
        """What the linear layer reads, N x 3 * sum of C, of feature maps, N x C x h x w each."""
        return pool(self.axes(maps))

    def logits(self, pooled: Tensor) -> Tensor:
        """Logits N x classes of what `pooled` returns."""
        return self._logits_of(self.features(pooled))

    def features(self, pooled: Tensor) -> Tensor:
        """What `pooled` returns, standardised, as the linear layer reads it."""
        features: Tensor = self.norm(pooled)
        return features

    def forward(self, maps: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Score (1), the log odds of "not good", and its Grad-CAM map (H x W) of one image's maps."""
        logits, shown, _ = self.explained(maps)
        return log_odds_of_defect(logits), shown

    def explained(self, maps: Sequence[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """Logits (1 x classes), the score's Grad-CAM map (H x W) and the features (1 x D) of one image's maps."""
        maps = self.axes(maps)
        features = self.features(pool(maps))
        logits = self._logits_of(features)
        shown = []
        for coarse, name in zip(self._activations(maps, score_gradient(logits)), self.enlarging, strict=True):
            rows = self.get_buffer(name)
            shown.append(rows @ coarse[0] @ rows.T)
        return logits, torch.stack(shown).sum(0), features

    def attention(self, maps: Sequence[Tensor]) -> Tensor:
        """Grad-CAM of the log odds of each class but "good" against "good", K x h x w on the finest map's grid.

        Negative where a place speaks for "good". Their mean, weighted with the shares that a softmax over these classes
        gives them, is the score's map.
        """
        maps = self.axes(maps)
        classes = self.linear.out_features
        against_good = (
            torch.eye(classes, device=maps[0].device)[1:] - torch.eye(classes, device=maps[0].device)[0]
        )
        shown = []
        for coarse, name in zip(self._activations(maps, against_good), self.enlarging, strict=True):
            rows = self.get_buffer(f"finest_{name}")
            shown.append(rows @ coarse @ rows.T)
        return torch.stack(shown).sum(0)

    def _activations(self, maps: Sequence[Tensor], by_logits: Tensor) -> Iterator[Tensor]:
        """Each rotated map's channels weighted by the gradients that follow from those by the logits, K x classes."""
        deviation = torch.sqrt(self.norm.get_buffer("running_var") + self.norm.eps)
        by_pooled = (by_logits @ self.linear.weight) / deviation
        shares = torch.split(by_pooled, [len(POOLINGS) * width for width in self.channels], 1)
        for one, share in zip(maps, shares, strict=True):
            # A pooled value's gradients by the positions sum to 1, be it a mean, a maximum or a minimum.
            importance = share.reshape(len(share), len(POOLINGS), -1).sum(1)
            # Relative to the image's own mean: a constant is no place.
            local = one[0] - one[0].mean((1, 2), keepdim=True)
            yield (importance[:, :, None, None] * local).sum(1)

    def _logits_of(self, features: Tensor) -> Tensor:
        logits: Tensor = self.linear(self.dropout(features))
        return logits


MIRRORS: tuple[tuple[int, ...], ...] = ((), (-1,), (-2,), (-2, -1))
"""Dimensions of an image that its four mirrored copies are flipped in; the first is the image itself."""


class TrunkWithHead(nn.Module):
    """The whole classifier: a preprocessed image in, score and map out.

    Args:
        trunk: images to feature maps.
        head: feature maps to classes.
        mirrored: whether logits and map are means over the image and its mirrored copies.
    """

    def __init__(self, trunk: nn.Module, head: ClassifierHead, mirrored: bool = False) -> None:
        super().__init__()
        self.trunk = trunk
        self.head = head
        self.mirrors = MIRRORS if mirrored else MIRRORS[:1]

    def logits(self, image: Tensor) -> Tensor:
        """Logits (1 x classes) of a 1 x 3 x H x W image."""
        pooled = torch.cat([self.head.pooled(maps) for maps in self._maps(image)])
        return self.head.logits(pooled).mean(0, keepdim=True)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Score (1) and map (H x W) of a 1 x 3 x H x W image."""
        logits, shown, _ = self.explained(image)
        return log_odds_of_defect(logits), shown

    def explained(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Logits (1 x classes) and map (H x W) of a 1 x 3 x H x W image, and the features (1 x D) of itself alone."""
        return self._explained(self._maps(image))

    def attended(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """As `explained`, and the attention (K x h x w, 0 and more) for each class but "good"."""
        maps = self._maps(image)
        attention = self._upright([self.head.attention(one) for one in maps])
        return *self._explained(maps), torch.relu(attention)

    def _explained(self, maps: Sequence[Sequence[Tensor]]) -> tuple[Tensor, Tensor, Tensor]:
        logits, shown, features = zip(*(self.head.explained(one) for one in maps), strict=True)
        return torch.cat(logits).mean(0, keepdim=True), self._upright(shown), features[0]

    def _upright(self, shown: Sequence[Tensor]) -> Tensor:
        """The mean of what is shown of the copies, each flipped back."""
        upright = [_flipped(one, mirror) for one, mirror in zip(shown, self.mirrors, strict=True)]
        return torch.stack(upright).mean(0)

    def features(self, image: Tensor) -> Tensor:
        """Features (1 x D) of a 1 x 3 x H x W image, without its mirrored copies."""
        return self.head.features(self.head.pooled(self.trunk(image)))

    def _maps(self, image: Tensor) -> list[list[Tensor]]:
        """Feature maps of each copy; one after the other, so that a graph is no larger in memory for them."""
        return [self.trunk(_flipped(image, mirror)) for mirror in self.mirrors]


class AttentiveClassifier(nn.Module):
    """The whole classifier of good and defective: score (1), map (H x W) and attention (1 x h x w)."""

    def __init__(self, network: TrunkWithHead) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The outputs for a 1 x 3 x H x W image."""
        logits, shown, _, attention = self.network.attended(image)
        return log_odds_of_defect(logits), shown, attention


def _flipped(tensor: Tensor, dimensions: tuple[int, ...]) -> Tensor:
    """The tensor flipped; without dimensions the tensor itself, for which a graph has no flip."""
    return tensor.flip(dimensions) if dimensions else tensor


def pool(maps: Sequence[Tensor]) -> Tensor:
    """Mean, maximum and minimum over positions of every channel, map after map: N x 3 * sum of C."""
    return torch.cat([pooling(one) for one in maps for pooling in POOLINGS], 1)


def names_in(buffer: npt.NDArray[np.uint8]) -> list[str]:
    """Names of the classes from the buffer that keeps them."""
    names: list[str] = json.loads(buffer.tobytes())
    return names


def log_odds_of_defect(logits: Tensor) -> Tensor:
    """log P(not good) - log P(good), N, of logits N x classes whose class 0 is good; it never saturates."""
    return torch.logsumexp(logits[:, 1:], 1) - logits[:, 0]


def score_gradient(logits: Tensor) -> Tensor:
    """Gradient of `log_odds_of_defect` by the logits, N x classes: -1 for good, the others' shares for them.

    Grad-CAM (Selvaraju et al., ICCV 2017) weighs a channel with the score's gradient, averaged over its positions.
    Behind pooling, standardisation and a linear layer that gradient is this vector times the layer's weights over the
    deviations (over the number of positions, left out here): no backward pass is needed, and the graph can be exported.
    The paper's ReLU on the map is left out too, so that places that speak for "good" are still ranked.
    """
    good = -torch.ones_like(logits[:, :1])
    return torch.cat([good, torch.softmax(logits[:, 1:], 1)], 1)


def balancing_offset(scores: Tensor, defective: Tensor) -> float:
    """What to take off log odds so that, both classes weighing alike, they foretell unseen images' labels best.

    The bias of a logistic regression with slope 1: where the weighted mean probability equals one half.

    Args:
        scores: log odds, N.
        defective: truth, bool N, with both values.
    """
    low, high = float(scores.min()) - 20, float(scores.max()) + 20
    for _ in range(60):
        middle = (low + high) / 2
        probability = torch.sigmoid(scores - middle)
        surplus = probability[defective].mean() + probability[~defective].mean() - 1
        low, high = (middle, high) if surplus > 0 else (low, middle)
    return (low + high) / 2
