"""EfficientAD's networks: the patch description network, the autoencoder, and the whole graph.

Batzner, Heckler and König, "EfficientAD: Accurate Visual Anomaly Detection at Millisecond-Level Latencies", WACV 2024.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

MODEL_SIZES = ("tiny", "small", "medium")
PUBLISHED_CHANNELS = 384

_BORDER = (
    4  # positions that the unpadded network loses on each side of a map of a quarter of the input's size
)
_PUBLISHED_STEPS = (3, 8, 15, 32, 63, 127)  # sizes in the decoder for 256 pixels


class PatchDescription(nn.Module):
    """Patch description network (PDN): each output describes a patch of 33 x 33 pixels. For 3 x 256 x 256:

    ==============================  ===============  ===============================  ===============
    small                           output           medium                           output
    ==============================  ===============  ===============================  ===============
    convolution 4 x 4, ReLU         128 x 253 x 253  convolution 4 x 4, ReLU          256 x 253 x 253
    average pooling 2               128 x 126 x 126  average pooling 2                256 x 126 x 126
    convolution 4 x 4, ReLU         256 x 123 x 123  convolution 4 x 4, ReLU          512 x 123 x 123
    average pooling 2               256 x 61 x 61    average pooling 2                512 x 61 x 61
    convolution 3 x 3, ReLU         256 x 59 x 59    convolution 1 x 1, ReLU          512 x 61 x 61
    convolution 4 x 4               C x 56 x 56      convolution 3 x 3, ReLU          512 x 59 x 59
    -                               -                convolution 4 x 4, ReLU          C x 56 x 56
    -                               -                convolution 1 x 1                C x 56 x 56
    ==============================  ===============  ===============================  ===============

    The published teachers have C = 384, the students 768. Parameters, with biases:

    - small teacher 6,272 + 524,544 + 590,080 + 1,573,248 = 2,694,144; student 4,267,392;
    - medium teacher 12,544 + 2,097,664 + 262,656 + 2,359,808 + 3,146,112 + 147,840 = 8,026,624; student 11,615,488.

    "tiny" is not published: the small one with half its widths, a quarter of the work, for training on a CPU.

    Args:
        model_size: "tiny", "small" or "medium".
        channels: C.
    """

    def __init__(self, model_size: str, channels: int) -> None:
        super().__init__()
        shapes: tuple[tuple[int, int, int], ...]  # inputs, outputs, kernel
        if model_size in ("tiny", "small"):
            first = 64 if model_size == "tiny" else 128
            shapes = (
                *((3, first, 4), (first, 2 * first, 4)),
                *((2 * first, 2 * first, 3), (2 * first, channels, 4)),
            )
        else:
            shapes = (
                *((3, 256, 4), (256, 512, 4), (512, 512, 1), (512, 512, 3)),
                *((512, channels, 4), (channels, channels, 1)),
            )
        layers: list[nn.Module] = []
        for place, (inputs, outputs, kernel) in enumerate(shapes):
            layers += [nn.Conv2d(inputs, outputs, kernel), nn.ReLU(inplace=True)]
            if place < 2:
                layers.append(nn.AvgPool2d(2))
        self.layers = nn.Sequential(*layers[:-1])

    def forward(self, images: Tensor) -> Tensor:
        """Descriptions N x C x (s / 4 - 8) x (s / 4 - 8) of N x 3 x s x s images."""
        descriptions: Tensor = self.layers(images)
        return descriptions


class DescriptionAutoencoder(nn.Module):
    """Autoencoder from the image to the teacher's descriptions; it sees how parts lie together. For 3 x 256 x 256:

    ==================================================  ===================
    convolution 4 x 4, stride 2, ReLU                   32 x 128 x 128
    convolution 4 x 4, stride 2, ReLU                   32 x 64 x 64
    convolution 4 x 4, stride 2, ReLU                   64 x 32 x 32
    convolution 4 x 4, stride 2, ReLU                   64 x 16 x 16
    convolution 4 x 4, stride 2, ReLU                   64 x 8 x 8
    convolution 8 x 8                                   64 x 1 x 1
    resized to 3, convolution 4 x 4, ReLU, dropout      64 x 4 x 4
    resized to 8, convolution 4 x 4, ReLU, dropout      64 x 9 x 9
    resized to 15, convolution 4 x 4, ReLU, dropout     64 x 16 x 16
    resized to 32, convolution 4 x 4, ReLU, dropout     64 x 33 x 33
    resized to 63, convolution 4 x 4, ReLU, dropout     64 x 64 x 64
    resized to 127, convolution 4 x 4, ReLU, dropout    64 x 128 x 128
    resized to 56, convolution 3 x 3, ReLU              64 x 56 x 56
    convolution 3 x 3                                   384 x 56 x 56
    ==================================================  ===================

    Dropout is 0.2. 1,096,320 parameters for 256 pixels and 384 channels: 444,224 of the encoder and 652,096 of the
    decoder. Another size scales the last kernel of the encoder and the sizes in the decoder.

    Args:
        size: height and width of the image, a multiple of 32.
        channels: of the descriptions.
    """

    def __init__(self, size: int, channels: int) -> None:
        super().__init__()
        encoder: list[nn.Module] = []
        for inputs, outputs in itertools.pairwise((3, 32, 32, 64, 64, 64)):
            encoder += [nn.Conv2d(inputs, outputs, 4, 2, 1), nn.ReLU(inplace=True)]
        self.encoder = nn.Sequential(*encoder, nn.Conv2d(64, 64, size // 32))
        decoder: list[nn.Module] = []
        for step in _PUBLISHED_STEPS:
            decoder += [
                nn.Upsample(max(2, round(step * size / 256)), mode="bilinear"),
                nn.Conv2d(64, 64, 4, 1, 2),
                nn.ReLU(inplace=True),
                nn.Dropout(0.2),
            ]
        self.decoder = nn.Sequential(
            *decoder,
            nn.Upsample(size // 4 - 2 * _BORDER, mode="bilinear"),
            nn.Conv2d(64, 64, 3, 1, 1),
            nn.ReLU(inplace=True),
            nn.Conv2d(64, channels, 3, 1, 1),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Descriptions N x C x (s / 4 - 8) x (s / 4 - 8) of N x 3 x s x s images."""
        descriptions: Tensor = self.decoder(self.encoder(images))
        return descriptions


class EfficientADNetwork(nn.Module):
    """Teacher, student and autoencoder as one detector.

    The student's first half of channels predicts the teacher, its second half the autoencoder. The map is the mean of
    the two error maps, each brought by its quantiles to a common scale, with its lowest value around it where no patch
    is described; the score is the map's highest value.

    Args:
        model_size: "tiny", "small" or "medium".
        channels: of teacher and autoencoder; the student has twice as many.
        size: height and width of the image, a multiple of 32.
    """

    mean: Tensor
    deviation: Tensor
    quantiles: Tensor

    def __init__(self, model_size: str, channels: int, size: int) -> None:
        super().__init__()
        self.channels = channels
        self.size = size
        self.teacher = PatchDescription(model_size, channels)
        self.student = PatchDescription(model_size, 2 * channels)
        self.autoencoder = DescriptionAutoencoder(size, channels)
        self.register_buffer("mean", torch.zeros(channels, 1, 1))
        self.register_buffer("deviation", torch.ones(channels, 1, 1))
        # For each of the two error maps the values that become 0 and 0.1.
        self.register_buffer("quantiles", torch.tensor([[0.0, 0.1], [0.0, 0.1]]))

    def described(self, images: Tensor) -> Tensor:
        """The teacher's descriptions, every channel standardised over the training images."""
        descriptions: Tensor = self.teacher(images).float()
        return (descriptions - self.mean) / self.deviation

    def error_maps(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Errors N x 1 x h x w of the student against the teacher, and against the autoencoder."""
        of_teacher, of_autoencoder = self.student(images).split(self.channels, 1)
        local = ((self.described(images) - of_teacher) ** 2).mean(1, keepdim=True)
        wide = ((self.autoencoder(images) - of_autoencoder) ** 2).mean(1, keepdim=True)
        return local, wide

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Score (1) and map (H x W) of a 1 x 3 x H x W image."""
        scaled = [
            0.1 * (errors - low) / (high - low)
            for errors, (low, high) in zip(self.error_maps(image), self.quantiles, strict=True)
        ]
        combined = 0.5 * scaled[0] + 0.5 * scaled[1]
        # Not zeros as in the paper: where all else is lower, they would be the score of every image.
        lowest = combined.amin()
        combined = F.pad(combined - lowest, (_BORDER,) * 4) + lowest
        enlarged = F.interpolate(combined, (self.size, self.size), mode="bilinear", align_corners=False)
        return enlarged.amax().reshape(1), enlarged[0, 0]


def hard_feature_loss(target: Tensor, prediction: Tensor, share: float = 0.999) -> Tensor:
    """Mean of the squared errors that are not below their `share` quantile (equation 1 of the paper)."""
    errors = (target - prediction) ** 2
    # A quantile by position: torch.quantile refuses more than 16 million values.
    count = max(1, errors.numel() - int(share * (errors.numel() - 1)))
    threshold = torch.topk(errors.detach().flatten(), count).values[-1]
    return errors[errors >= threshold].mean()


def without_border(maps: Tensor) -> Tensor:
    """The part of N x C x (s / 4) x (s / 4) maps that a patch description network describes."""
    return maps[..., _BORDER:-_BORDER, _BORDER:-_BORDER]


def to_channels(vectors: Tensor, channels: int) -> Tensor:
    """N x D x h x w vectors to N x C x h x w: means over neighbouring dimensions, as PatchCore's code does."""
    count, _, height, width = vectors.shape
    rows = vectors.permute(0, 2, 3, 1).flatten(0, 2)[:, None]
    pooled = F.adaptive_avg_pool1d(rows, channels)[:, 0]
    return pooled.reshape(count, height, width, channels).permute(0, 3, 1, 2)


def quantile_pair(errors: Sequence[Tensor], low: float = 0.9, high: float = 0.995) -> Tensor:
    """Two quantiles over all values of the error maps of good images; they are never equal."""
    values = torch.cat([one.flatten() for one in errors]).double().numpy()
    pair = np.quantile(values, [low, high])
    pair[1] = max(pair[1], pair[0] + 1e-9 + 1e-6 * abs(pair[0]))
    return torch.from_numpy(pair).float()
