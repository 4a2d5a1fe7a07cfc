"""The network of an ensemble: members side by side, their scores made comparable, and combined."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

_TAIL_SHARE = 0.1
_SMALLEST = 1e-30  # the slope to a nearer neighbour would be too large for a float32


class Surprise(nn.Module):
    """How surprising a score is among those of unseen good images: -log10 of the share that scores at least as high.

    Between the sorted scores s_1 .. s_n the logarithm of the share is interpolated linearly; above the highest it goes
    on as an exponential tail whose mean excess is that of the highest tenth (peaks over threshold, Pickands, 1975),
    below the lowest with a small slope. So it rises strictly: no two scores become one.
    """

    places: Tensor
    widths: Tensor
    slopes: Tensor
    lowest: Tensor
    tail: Tensor

    def __init__(self, normal_scores: npt.NDArray[np.float64]) -> None:
        super().__init__()
        places, values, tail = surprise_points(normal_scores)
        widths = np.diff(places)
        slopes = np.diff(values) / widths if len(places) > 1 else np.empty(0)

        def buffer(name: str, numbers: npt.ArrayLike) -> None:
            self.register_buffer(name, torch.tensor(np.asarray(numbers, np.float64), dtype=torch.float32))

        buffer("places", places)
        buffer("widths", widths)
        buffer("slopes", slopes)
        buffer("lowest", values[:1])
        buffer("tail", [tail])

    def forward(self, score: Tensor) -> Tensor:
        """Surprise (1) of a score (1)."""
        above = torch.relu(score - self.places[:-1])
        inside = (self.slopes * torch.minimum(above, self.widths)).sum().reshape(1)
        beyond = self.tail * torch.relu(score - self.places[-1:])
        below = 1e-3 * self.tail * torch.relu(self.places[:1] - score)
        return self.lowest + inside + beyond - below


def surprise_points(
    normal_scores: npt.NDArray[np.float64],
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], float]:
    """Distinct sorted scores, the surprise at each, and the slope above the highest.

    Args:
        normal_scores: scores of unseen good images, at least 1, finite.
    """
    scores = np.sort(np.asarray(normal_scores, np.float64))
    scores[np.abs(scores) < _SMALLEST] = 0
    n = len(scores)
    places = np.unique(scores)
    at_least = n - np.searchsorted(scores, places, side="left")
    values = -np.log10((1 + at_least) / (n + 1))
    if len(places) > 1:
        values[0] = min(values[0], 0.0)
    highest = scores[-max(2, round(_TAIL_SHARE * n)) :]
    excess = float((highest - highest[0]).mean())
    spread = excess if excess > 0 else max(1e-3 * abs(float(places[-1])), 1e-6)
    return places, values, 1 / (spread * np.log(10))


class Member(nn.Module):
    """One member: its own standardisation of pixels, its graph, its surprise, its map's scale."""

    scale: Tensor
    offset: Tensor

    def __init__(
        self,
        network: nn.Module,
        mean: Sequence[float],
        std: Sequence[float],
        surprise: Surprise,
        map_low: float,
        map_high: float,
    ) -> None:
        super().__init__()
        self.network = network
        self.surprise = surprise
        self.register_buffer("scale", 1 / torch.tensor(std)[None, :, None, None])
        self.register_buffer("offset", -(torch.tensor(mean) / torch.tensor(std))[None, :, None, None])
        self.map_low, self.map_high = map_low, map_high

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Surprise (1) and scaled map (H x W), 0 where good parts usually are and 1 at their highest."""
        score, anomaly_map = self.network(pixels * self.scale + self.offset)
        return self.surprise(score), (anomaly_map - self.map_low) / (self.map_high - self.map_low)


class EnsembleNetwork(nn.Module):
    """Members side by side: a 1 x 3 x H x W image of pixels 0 to 255 in."""

    def __init__(self, members: Sequence[Member], rule: str) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)
        self.rule = rule

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Score (1), map (H x W), and the surprise of every member (M)."""
        surprises, maps = zip(*(member(pixels) for member in self.members), strict=True)
        each = torch.cat(surprises)
        stacked = torch.stack(maps)
        if self.rule == "max":
            return each.amax(0, keepdim=True), stacked.amax(0), each
        return each.mean(0, keepdim=True), stacked.mean(0), each


class WithoutParts(nn.Module):
    """The ensemble as any other detector: score and map."""

    def __init__(self, network: EnsembleNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Score (1) and map (H x W)."""
        score, anomaly_map, _ = self.network(pixels)
        return score, anomaly_map
