"""The default backbone as an ONNX network that travels inside every inspector: it describes defects on the line."""

from __future__ import annotations

import functools

import torch
from torch import Tensor, nn

from blemish.features.backbones import DEFAULT_BACKBONE, Backbone, load_backbone
from blemish.features.onnx_export import to_onnx

SIZE = 352
TAPS = (8, 16)
"""Behind stride 16 stand three quarters of the network's weights: with them each inspector would be 9 MB larger."""


class _OfPixels(nn.Module):
    """A backbone that standardises for itself, so that its file needs no contract beside it."""

    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        self.backbone = backbone
        self.mean = torch.tensor(backbone.mean)[None, :, None, None]
        self.std = torch.tensor(backbone.std)[None, :, None, None]

    def forward(self, pixels: Tensor) -> list[Tensor]:
        """Feature maps of 1 x 3 x H x W pixel values 0 to 255."""
        maps: list[Tensor] = self.backbone((pixels - self.mean) / self.std)
        return maps


@functools.cache
def exported_backbone() -> bytes:
    """ONNX: 1 x 3 x 352 x 352 pixel values 0 to 255 in; out a 1 x channels x h x w feature map a tap.

    Outputs are named `BACKBONE_strideN`: `blemish.line.features` reads from them what they are.
    """
    backbone = load_backbone(DEFAULT_BACKBONE, TAPS)
    names = [f"{DEFAULT_BACKBONE}_stride{tap}" for tap in TAPS]
    return to_onnx(_OfPixels(backbone), torch.zeros(1, 3, SIZE, SIZE), names)
