"""The flow's network: an invertible map from feature maps to Gaussian noise, whose volume is known exactly."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from blemish.detectors.layers import PatchScoring

_CLAMP = 2.0
"""Most that a step stretches or shrinks a channel at a place, as a natural logarithm."""


class CouplingStep(nn.Module):
    """One step of a flow: channels shuffled, stretched and moved each by its own, and one half by what the other says.

    The affine coupling of Dinh et al., "Density estimation using Real NVP", ICLR 2017: the half that speaks is kept, so
    that the step is undone exactly, and its Jacobian is triangular. A convolution sees the neighbours of a place, yet
    what a place contributes to the logarithm of the volume is known for it alone.

    A step begins as a shuffle, for the last convolution begins at zero.

    Args:
        channels: of the maps, 2 at least.
        hidden: channels between the two convolutions, as a multiple of those that speak.
        kernel: of the convolutions, odd.
    """

    order: Tensor

    def __init__(self, channels: int, hidden: float, kernel: int) -> None:
        super().__init__()
        self.moved = channels // 2
        self.kept = channels - self.moved
        between = max(1, round(hidden * self.kept))
        self.register_buffer("order", torch.randperm(channels))
        self.log_scale = nn.Parameter(torch.zeros(1, channels, 1, 1))
        self.shift = nn.Parameter(torch.zeros(1, channels, 1, 1))
        last = nn.Conv2d(between, 2 * self.moved, kernel, padding=kernel // 2)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)  # type: ignore[arg-type]
        self.speaking = nn.Sequential(
            nn.Conv2d(self.kept, between, kernel, padding=kernel // 2), nn.ReLU(inplace=True), last
        )

    def forward(self, maps: Tensor) -> tuple[Tensor, Tensor]:
        """Maps N x C x h x w, and each place's share of the log volume, N x 1 x h x w."""
        shuffled = maps.index_select(1, self.order) * self.log_scale.exp() + self.shift
        kept, moved = torch.split(shuffled, [self.kept, self.moved], 1)
        stretch, push = self._said_by(kept)
        log_volume = stretch.sum(1, keepdim=True) + self.log_scale.sum()
        return torch.cat([kept, moved * stretch.exp() + push], 1), log_volume

    def inverse(self, maps: Tensor) -> Tensor:
        """The maps of which `forward` makes these."""
        kept, moved = torch.split(maps, [self.kept, self.moved], 1)
        stretch, push = self._said_by(kept)
        shuffled = torch.cat([kept, (moved - push) * torch.exp(-stretch)], 1)
        return ((shuffled - self.shift) * torch.exp(-self.log_scale)).index_select(1, self.order.argsort())

    def _said_by(self, kept: Tensor) -> tuple[Tensor, Tensor]:
        """Logarithm of the stretch, and the push, of the moved half: in its precision whatever convolutions have."""
        stretch, push = self.speaking(kept).to(kept.dtype).chunk(2, 1)
        return _CLAMP * torch.tanh(stretch / _CLAMP), push


class Flow(nn.Module):
    """Steps one after the other, from maps of a known mean and deviation to Gaussian noise.

    Args:
        mean, deviation: of every channel, C; maps are standardised by them first.
        steps: how many.
        hidden: of each step, see `CouplingStep`.
        kernels: of the steps, which take turns.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(
        self, mean: Tensor, deviation: Tensor, steps: int, hidden: float, kernels: Sequence[int]
    ) -> None:
        super().__init__()
        self.register_buffer("mean", mean[:, None, None].clone())
        self.register_buffer("deviation", deviation[:, None, None].clone())
        self.steps = nn.ModuleList(
            CouplingStep(len(mean), hidden, kernels[number % len(kernels)]) for number in range(steps)
        )

    def forward(self, maps: Tensor) -> Tensor:
        """Each place's share of the negative log likelihood of standardised maps, in nats a channel: N x 1 x h x w.

        Its sum over places, times C, is exact: the noise's density and the volume are sums over places.
        """
        noise, volume = self.noise(maps)
        squares = (noise * noise).sum(1, keepdim=True)
        return 0.5 * math.log(2 * math.pi) + (0.5 * squares - volume) / noise.shape[1]

    def noise(self, maps: Tensor) -> tuple[Tensor, Tensor]:
        """Noise N x C x h x w, and each place's share of the log volume of standardised maps, N x 1 x h x w."""
        noise = (maps - self.mean) / self.deviation
        volume = torch.zeros_like(noise[:, :1])
        for step in self.steps:
            noise, more = step(noise)
            volume = volume + more
        return noise, volume

    def inverse(self, noise: Tensor) -> Tensor:
        """The maps that become this noise."""
        for step in reversed(self.steps):
            assert isinstance(step, CouplingStep)
            noise = step.inverse(noise)
        return noise * self.deviation + self.mean


class FlowHead(nn.Module):
    """Feature maps to score and map: the mean over the taps of what each flow is surprised by, on the finest grid."""

    def __init__(self, flows: Iterable[nn.Module], scoring: PatchScoring) -> None:
        super().__init__()
        self.flows = nn.ModuleList(flows)
        self.scoring = scoring

    def forward(self, maps: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Score (1) and map (H x W) of one image's feature maps, 1 x C x h x w each."""
        size = maps[0].shape[-2:]
        found = [flow(one) for flow, one in zip(self.flows, maps, strict=True)]
        others = [F.interpolate(one, size, mode="bilinear", align_corners=False) for one in found[1:]]
        score, anomaly_map = self.scoring(torch.stack([found[0], *others]).mean(0))
        return score, anomaly_map
