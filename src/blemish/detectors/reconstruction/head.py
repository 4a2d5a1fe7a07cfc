"""From a reconstruction to score and map, and how alike two images are."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from blemish.detectors.layers import enlarging_matrix


def structural_similarity(first: Tensor, second: Tensor, window: int = 11, sigma: float = 1.5) -> Tensor:
    """SSIM of every pixel, N x C x H x W, of images with values in [0, 1].

    Wang et al., "Image quality assessment: from error visibility to structural similarity", IEEE Transactions on Image
    Processing 2004: Gaussian window, K1 = 0.01, K2 = 0.03; borders are mirrored.
    """
    channels = first.shape[1]
    places = torch.arange(window, dtype=first.dtype, device=first.device) - window // 2
    kernel = torch.exp(-0.5 * (places / sigma) ** 2)
    kernel = kernel / kernel.sum()
    rows = kernel.reshape(1, 1, window, 1).repeat(channels, 1, 1, 1)
    columns = kernel.reshape(1, 1, 1, window).repeat(channels, 1, 1, 1)

    def mean(images: Tensor) -> Tensor:
        padded = F.pad(images, (window // 2,) * 4, mode="reflect")
        return F.conv2d(F.conv2d(padded, rows, groups=channels), columns, groups=channels)

    mean_first, mean_second = mean(first), mean(second)
    variance_first = mean(first * first) - mean_first**2
    variance_second = mean(second * second) - mean_second**2
    covariance = mean(first * second) - mean_first * mean_second
    likeness = (2 * mean_first * mean_second + 1e-4) * (2 * covariance + 9e-4)
    return likeness / ((mean_first**2 + mean_second**2 + 1e-4) * (variance_first + variance_second + 9e-4))


def squared_error(image: Tensor, reconstruction: Tensor) -> Tensor:
    """Squared error of every pixel, mean over channels: N x 1 x H x W."""
    return ((image - reconstruction) ** 2).mean(1, keepdim=True)


def mixed_residual(image: Tensor, reconstruction: Tensor) -> Tensor:
    """Half the squared error and half of 1 - SSIM, of every pixel, mean over channels: N x 1 x H x W."""
    unlike = 1 - structural_similarity(image, reconstruction).mean(1, keepdim=True)
    return 0.5 * squared_error(image, reconstruction) + 0.5 * unlike


def edge_energy(image: Tensor) -> Tensor:
    """Squared gradient of the mean over channels, per pixel, by central differences: N x 1 x H x W."""
    grey = F.pad(image.mean(1, keepdim=True), (1, 1, 1, 1), mode="replicate")
    across = grey[..., 1:-1, 2:] - grey[..., 1:-1, :-2]
    down = grey[..., 2:, 1:-1] - grey[..., :-2, 1:-1]
    return 0.25 * (across**2 + down**2)


RESIDUALS = {"squared": squared_error, "mixed": mixed_residual}


class ReconstructionHead(nn.Module):
    """An autoencoder as a detector: residual of the image against its reconstruction.

    Args:
        autoencoder: image in, reconstruction out.
        residual: a name in `RESIDUALS`.
        size: height and width of the input.
        sigma: smoothing of the map in pixels; 0 for none.
        top: share of the highest map values whose mean is the score; 1 takes all, the mean error.
        border: pixels at each edge where the residual means nothing; that beside them is shown there.
        edges: how far, in pixels, edges of the reconstruction excuse errors around them; 0 for not at all.

    An edge that is drawn a little beside its place or a little blurred makes errors as high as any defect. They grow
    with the squared gradient, so that the residual is divided by 1 + e / `usual_edges`, where e is the gradient's
    square in the reconstruction, smoothed over `edges` pixels, and `usual_edges` its mean over good photographs.
    """

    smoothing: Tensor
    usual_edges: Tensor

    def __init__(
        self,
        autoencoder: nn.Module,
        residual: str,
        size: int,
        sigma: float,
        top: float,
        border: int = 0,
        edges: float = 0.0,
    ) -> None:
        super().__init__()
        self.autoencoder = autoencoder
        self.residual = RESIDUALS[residual]
        self.count = max(1, round(top * size * size))
        self.all = top >= 1
        self.border = border
        self.edges = edges
        self.register_buffer("smoothing", enlarging_matrix(size, size, sigma), persistent=False)
        if edges:
            self.register_buffer("spread", enlarging_matrix(size, size, edges), persistent=False)
            self.register_buffer("usual_edges", torch.ones(()))

    def inside(self, planes: Tensor) -> Tensor:
        """What lies inside the border, N x C x H' x W'."""
        height, width = planes.shape[-2:]
        return planes[..., self.border : height - self.border, self.border : width - self.border]

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Score (1) and map (H x W) of a 1 x 3 x H x W image."""
        score, anomaly_map, _ = self.shown(image)
        return score, anomaly_map

    def shown(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Score (1), map (H x W) and reconstruction (1 x 3 x H x W, in [0, 1]) of a 1 x 3 x H x W image."""
        reconstruction = self.autoencoder(image)
        error = self.residual(image, reconstruction)
        if self.edges:
            spread = self.get_buffer("spread")
            energy = spread @ edge_energy(reconstruction) @ spread.T
            error = error / (1 + energy / self.usual_edges)
        if self.border:
            error = F.pad(self.inside(error), (self.border,) * 4, mode="replicate")
        anomaly_map = self.smoothing @ error[0, 0] @ self.smoothing.T
        if self.all:
            return error.mean().reshape(1), anomaly_map, reconstruction
        highest = torch.topk(anomaly_map.flatten(), self.count).values
        return highest.mean(0, keepdim=True), anomaly_map, reconstruction


class Shown(nn.Module):
    """A head with its reconstruction as a third output, for explanations."""

    def __init__(self, head: nn.Module) -> None:
        super().__init__()
        self.head = head  # with a method `shown`

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Score (1), map (H x W) and reconstruction (1 x 3 x H x W) of a 1 x 3 x H x W image."""
        shown: Callable[[Tensor], tuple[Tensor, Tensor, Tensor]] = self.head.shown  # type: ignore[assignment]
        return shown(image)
