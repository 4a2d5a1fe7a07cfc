"""Students that learn to say what a teacher says of good images, and the maps of where they fail."""

from __future__ import annotations

from collections.abc import Sequence

import timm
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from blemish.core.errors import UsageError
from blemish.detectors.layers import convolution, enlarging_matrix

REVERSE = "reverse"


class PixelStudent(nn.Module):
    """A small network, trained from scratch, that predicts the teacher's feature maps from the photograph.

    With resnet18 at 320 x 320 and the taps of wide_resnet50_2:

    ==================================  ===============================================
    resnet18 up to stride 16            64 x 80 x 80, 128 x 40 x 40, 256 x 20 x 20
    three linear adapters, 1 x 1        256 x 80 x 80, 512 x 40 x 40, 1024 x 20 x 20
    ==================================  ===============================================

    2,782,784 parameters in resnet18 and 345,856 in the adapters.

    Args:
        name: timm's name of the network.
        taps: strides at which it is read.
        channels: of the teacher's maps.

    Raises:
        UsageError: there is no such network, or it has no such taps.
    """

    def __init__(self, name: str, taps: Sequence[int], channels: Sequence[int]) -> None:
        super().__init__()
        try:
            probe = timm.create_model(name, pretrained=False, features_only=True)
            strides: list[int] = probe.feature_info.reduction()  # type: ignore[operator,union-attr]
            places = tuple(len(strides) - 1 - strides[::-1].index(tap) for tap in taps)
        except (RuntimeError, ValueError) as error:
            raise UsageError(
                f"student={name} is not possible: choose {REVERSE}, or a network of timm with taps at strides "
                f"{', '.join(map(str, taps))}, as resnet18."
            ) from error
        self.network: nn.Module = timm.create_model(
            name, pretrained=False, features_only=True, out_indices=places
        )
        widths: list[int] = self.network.feature_info.channels()  # type: ignore[operator,union-attr]
        self.adapters = nn.ModuleList(
            nn.Conv2d(width, count, 1) for width, count in zip(widths, channels, strict=True)
        )

    def forward(self, image: Tensor, maps: Sequence[Tensor]) -> list[Tensor]:
        """Predictions of the teacher's maps from N x 3 x H x W images; `maps` are not looked at."""
        features = self.network(image)
        return [adapter(one) for adapter, one in zip(self.adapters, features, strict=True)]


class ReverseStudent(nn.Module):
    """A decoder that gives the teacher's maps back from their own digest at half the coarsest tap's size.

    Deng and Li, "Anomaly Detection via Reverse Distillation from One-Class Embedding", CVPR 2022, smaller: a defect's
    details do not fit through the digest. For 256 x 256, taps at strides 4, 8, 16 and width 32:

    =========================================  ============================================
    every tap, convolutions of stride 2        128 x 16 x 16 each
    joined, convolution of stride 2            256 x 8 x 8: the digest
    enlarged twofold, three convolutions       128 x 16 x 16 -> 1 x 1 convolution: stride 16
    enlarged twofold, three convolutions       64 x 32 x 32 -> 1 x 1 convolution: stride 8
    enlarged twofold, three convolutions       32 x 64 x 64 -> 1 x 1 convolution: stride 4
    =========================================  ============================================

    Convolutions are 3 x 3 with BatchNorm and ReLU. Maps of a vision transformer are all of one size: then the first row
    has no strides, all stages have the same width, and only the digest is smaller.

    Args:
        channels: of the teacher's maps, finest first.
        width: channels of the finest stage.
        step: how many times smaller each map is than the one before, 2 or 1, and how many times more channels its stage
            has.
    """

    def __init__(self, channels: Sequence[int], width: int, step: int = 2) -> None:
        super().__init__()
        count = len(channels)
        widths = [width * step**place for place in range(count)]
        self.inwards = nn.ModuleList(
            nn.Sequential(
                convolution(channels[place], widths[place]),
                *(convolution(widths[one], widths[one + 1], step) for one in range(place, count - 1)),
            )
            for place in range(count)
        )
        digest = 2 * widths[-1]
        self.digest = nn.Sequential(convolution(count * widths[-1], digest, 2), convolution(digest, digest))
        outer = [*widths[1:], digest]
        self.stages = nn.ModuleList(
            nn.Sequential(convolution(inputs, one), convolution(one, one), convolution(one, one))
            for inputs, one in zip(outer, widths, strict=True)
        )
        self.outputs = nn.ModuleList(
            nn.Conv2d(one, channel, 1) for one, channel in zip(widths, channels, strict=True)
        )

    def forward(self, image: Tensor, maps: Sequence[Tensor]) -> list[Tensor]:
        """Predictions of the teacher's maps from these maps; `image` is not looked at."""
        gathered = [inwards(one) for inwards, one in zip(self.inwards, maps, strict=True)]
        features = self.digest(torch.cat(gathered, 1))
        predictions: list[Tensor] = []
        for place in reversed(range(len(maps))):
            features = self.stages[place](
                F.interpolate(features, size=maps[place].shape[-2:], mode="nearest")
            )
            predictions.insert(0, self.outputs[place](features))
        return predictions


class Comparison(nn.Module):
    """The teacher's maps, standardised, against the student's predictions: one error map a tap.

    Args:
        statistics: mean and deviation of each tap's channels.
        unit: compare directions: both vectors are brought to the same length first.
    """

    def __init__(self, statistics: Sequence[tuple[Tensor, Tensor]], unit: bool) -> None:
        super().__init__()
        self.unit = unit
        for place, (mean, deviation) in enumerate(statistics):
            self.register_buffer(f"mean{place}", mean[:, None, None].clone())
            self.register_buffer(f"deviation{place}", deviation[:, None, None].clone())

    def targets(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """Standardised maps."""
        return [
            (one - self.get_buffer(f"mean{place}")) / self.get_buffer(f"deviation{place}")
            for place, one in enumerate(maps)
        ]

    def errors(self, targets: Sequence[Tensor], predictions: Sequence[Tensor]) -> list[Tensor]:
        """Squared errors, mean over channels: N x 1 x h x w a tap."""
        pairs = [(target, one.float()) for target, one in zip(targets, predictions, strict=True)]
        if self.unit:
            pairs = [(_of_unit_length(target), _of_unit_length(one)) for target, one in pairs]
        return [((target - one) ** 2).mean(1, keepdim=True) for target, one in pairs]


class ErrorFusion(nn.Module):
    """Error maps of several taps to score and map.

    The maps are brought to the finest grid bilinearly; their weighted sum plus an offset is the fused map; the score
    is the mean of its `count` highest values.

    Args:
        weights: of the taps.
        offset: added to the fused map, one number.
        count: values that make the score.
        grid: height and width of the finest tap's map.
        size: height and width of the input.
        sigma: smoothing of the map in pixels of the input.
    """

    weights: Tensor
    offset: Tensor
    enlarge: Tensor

    def __init__(
        self, weights: Tensor, offset: Tensor, count: int, grid: int, size: int, sigma: float
    ) -> None:
        super().__init__()
        self.grid = grid
        self.highest = count
        self.register_buffer("weights", weights.clone())
        self.register_buffer("offset", offset.clone())
        self.register_buffer("enlarge", enlarging_matrix(grid, size, sigma), persistent=False)

    def fused(self, errors: Sequence[Tensor]) -> Tensor:
        """Fused map N x 1 x g x g."""
        resized = [
            one
            if place == 0
            else F.interpolate(one, (self.grid, self.grid), mode="bilinear", align_corners=False)
            for place, one in enumerate(errors)
        ]
        return (torch.cat(resized, 1) * self.weights[:, None, None]).sum(1, keepdim=True) + self.offset

    def forward(self, errors: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Score (1) and map (H x W) of one image's error maps, 1 x 1 x h x w each."""
        fused = self.fused(errors)[0, 0]
        score = torch.topk(fused.flatten(), self.highest).values.mean(0, keepdim=True)
        return score, self.enlarge @ fused @ self.enlarge.T


class StudentTeacherHead(nn.Module):
    """Image and teacher's maps to score and map."""

    def __init__(self, comparison: Comparison, student: nn.Module, fusion: ErrorFusion) -> None:
        super().__init__()
        self.comparison = comparison
        self.student = student
        self.fusion = fusion

    def errors(self, image: Tensor, maps: Sequence[Tensor]) -> list[Tensor]:
        """Error maps, N x 1 x h x w a tap."""
        targets = self.comparison.targets(maps)
        return self.comparison.errors(targets, self.student(image, targets))

    def forward(self, image: Tensor, maps: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Score (1) and map (H x W) of a 1 x 3 x H x W image."""
        score, anomaly_map = self.fusion(self.errors(image, maps))
        return score, anomaly_map


class StudentTeacherNetwork(nn.Module):
    """The whole graph: teacher, student, comparison."""

    def __init__(self, backbone: nn.Module, head: StudentTeacherHead) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = head

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Score (1) and map (H x W) of a 1 x 3 x H x W preprocessed image."""
        score, anomaly_map = self.head(image, self.backbone(image))
        return score, anomaly_map


def _of_unit_length(vectors: Tensor) -> Tensor:
    """Vectors along dimension 1 brought to the length of the square root of their count: mean square 1."""
    return vectors * torch.rsqrt((vectors * vectors).mean(1, keepdim=True) + 1e-6)
