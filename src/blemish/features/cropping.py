"""A backbone that reads the middle of its input only."""

from __future__ import annotations

from torch import Tensor, nn

from blemish.features.backbones import Backbone


class CentreCropped(Backbone):
    """A backbone behind a centre crop, so that the crop is part of the graph and the preprocessing stays the same.

    Attributes:
        crop: height and width in pixels of what is read; the input must be as large at least.
        others: as of the backbone inside; the name tells of the crop, since features depend on it.
    """

    inner: Backbone

    def __init__(self, inner: Backbone, crop: int) -> None:
        nn.Module.__init__(self)
        self.inner = inner
        self.crop = crop
        self.name = f"{inner.name} of the middle {crop}"
        self.taps, self.channels, self.strides = inner.taps, inner.channels, inner.strides
        self.transformer = inner.transformer
        self.weights_digest = inner.weights_digest
        self.mean, self.std, self.interpolation = inner.mean, inner.std, inner.interpolation
        self.eval()

    def tap_digest(self, tap: int) -> str:
        """As of the backbone inside."""
        return self.inner.tap_digest(tap)

    def forward(self, images: Tensor) -> list[Tensor]:
        """Feature maps of the middle of N x 3 x H x W images."""
        top, left = (images.shape[2] - self.crop) // 2, (images.shape[3] - self.crop) // 2
        maps: list[Tensor] = self.inner(images[:, :, top : top + self.crop, left : left + self.crop])
        return maps
