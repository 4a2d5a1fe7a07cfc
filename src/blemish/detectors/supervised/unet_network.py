"""The U-Net: an encoder, and a decoder that reads the encoder's maps again at every size."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from blemish.detectors.layers import convolution


class PlainEncoder(nn.Module):
    """Four levels of two 3 x 3 convolutions, the first of stride 2; for 3 x 256 x 256:

    ==========================================  ==================
    level 1                                     32 x 128 x 128
    level 2                                     64 x 64 x 64
    level 3                                     128 x 32 x 32
    waist                                       128 x 16 x 16
    ==========================================  ==================

    BatchNorm and ReLU after each convolution. 582,880 parameters.

    Attributes:
        channels: of the maps that `forward` returns, finest first.
    """

    channels = (32, 64, 128, 128)

    def __init__(self) -> None:
        super().__init__()
        widths = (3, *self.channels)
        self.levels = nn.ModuleList(
            nn.Sequential(convolution(inputs, outputs, 2), convolution(outputs, outputs))
            for inputs, outputs in pairwise(widths)
        )

    def forward(self, images: Tensor) -> list[Tensor]:
        """Maps of N x 3 x H x W images at strides 2, 4, 8 and 16; H and W are multiples of 16."""
        maps = []
        for level in self.levels:
            images = level(images)
            maps.append(images)
        return maps


class UNetNetwork(nn.Module):
    """U-Net (Ronneberger et al., MICCAI 2015); with `PlainEncoder`, for 3 x 256 x 256:

    ==========================================  ==================
    encoder                                     128 x 16 x 16
    enlarged, joined with level 3, convolution  64 x 32 x 32
    enlarged, joined with level 2, convolution  32 x 64 x 64
    enlarged, joined with level 1, convolution  16 x 128 x 128
    transposed convolution 2 x 2                1 x 256 x 256
    ==========================================  ==================

    Enlarging is bilinear; convolutions are 3 x 3 with BatchNorm and ReLU. 776,705 parameters.

    Args:
        encoder: N x 3 x H x W images in, maps of strides 2, 4, 8 ... out.
        channels: of these maps.
    """

    def __init__(self, encoder: nn.Module, channels: Sequence[int]) -> None:
        super().__init__()
        self.encoder = encoder
        self.joints = nn.ModuleList()
        width = channels[-1]
        for skip in reversed(channels[:-1]):
            outputs = max(16, skip // 2)
            self.joints.append(convolution(width + skip, outputs))
            width = outputs
        self.last = nn.ConvTranspose2d(width, 1, 2, 2)
        # Defects are rare: begin at a probability of 0.01 instead of spending the first epochs on that.
        nn.init.constant_(self.last.get_parameter("bias"), -4.6)

    def forward(self, images: Tensor) -> Tensor:
        """Logit of a defect at every pixel, N x 1 x H x W."""
        *skips, maps = self.encoder(images)
        for joint, skip in zip(self.joints, reversed(skips), strict=True):
            larger = F.interpolate(maps, scale_factor=2.0, mode="bilinear", align_corners=False)
            maps = joint(torch.cat([larger, skip], 1))
        logits: Tensor = self.last(maps)
        return logits


class SimpleUNet(nn.Module):
    """The smallest U-Net, one convolution a level; for 3 x 256 x 256:

    =============================================  ===================
    convolution                                    32 x 256 x 256
    maximum of 2 x 2, convolution                  64 x 128 x 128
    maximum of 2 x 2, convolution                  128 x 64 x 64
    enlarged                                       64 x 128 x 128
    joined with level 2, convolution               64 x 128 x 128
    enlarged                                       32 x 256 x 256
    joined with level 1, convolution               32 x 256 x 256
    convolution 1 x 1                              1 x 256 x 256
    =============================================  ===================

    Convolutions are 3 x 3 with bias and ReLU; enlarging is by transposed convolutions of 2 x 2. 226,593 parameters.

    Without BatchNorm the first weights decide whether it learns at all: they are drawn as in He et al., "Delving Deep
    into Rectifiers", ICCV 2015, and the last are so small that every probability begins at one half.
    """

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.third = _with_bias(3, 32), _with_bias(32, 64), _with_bias(64, 128)
        self.enlarge_third, self.joint_second = nn.ConvTranspose2d(128, 64, 2, 2), _with_bias(128, 64)
        self.enlarge_second, self.joint_first = nn.ConvTranspose2d(64, 32, 2, 2), _with_bias(64, 32)
        self.last = nn.Conv2d(32, 1, 1)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
                nn.init.zeros_(layer.get_parameter("bias"))
        nn.init.normal_(self.last.weight, std=0.01)

    def forward(self, images: Tensor) -> Tensor:
        """Logit of a defect at every pixel, N x 1 x H x W; H and W are multiples of 4."""
        first = self.first(images)
        second = self.second(F.max_pool2d(first, 2))
        third = self.third(F.max_pool2d(second, 2))
        maps = self.joint_second(torch.cat([self.enlarge_third(third), second], 1))
        maps = self.joint_first(torch.cat([self.enlarge_second(maps), first], 1))
        logits: Tensor = self.last(maps)
        return logits


class SegmentationHead(nn.Module):
    """A U-Net as a detector: the map is the logits, the score the mean of their highest `top` share.

    Logits, not probabilities: these are 1 for all that is clear, and could not be ranked.
    """

    def __init__(self, unet: nn.Module, size: int, top: float) -> None:
        super().__init__()
        self.unet = unet
        self.count = max(1, round(top * size * size))

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Score (1) and map (H x W) of a 1 x 3 x H x W image."""
        logits = self.unet(image)[0, 0]
        return torch.topk(logits.flatten(), self.count).values.mean(0, keepdim=True), logits


def mask_loss(logits: Tensor, masks: Tensor, positive_weight: Tensor) -> Tensor:
    """Mean binary cross entropy of logits against masks of 0 and 1, where defective pixels weigh `positive_weight`."""
    return F.binary_cross_entropy_with_logits(logits, masks, pos_weight=positive_weight)


def _with_bias(inputs: int, outputs: int) -> nn.Sequential:
    """A convolution of 3 x 3 and ReLU."""
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU(inplace=True))
