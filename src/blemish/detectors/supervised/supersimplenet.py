"""SuperSimpleNet: heads learn to see noise in a frozen network's features, and real defects where some are labelled."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from blemish.core.types import BoolArray
from blemish.data.catalog import Catalog
from blemish.data.perlin import perlin_mask
from blemish.detectors.frozen_trained import FrozenTrainedDetector, Statistics, taps_of
from blemish.detectors.parameters import refuse
from blemish.detectors.supervised.base import SupervisedDetector, balanced_weights
from blemish.detectors.supervised.segmentation_examples import mask_as_seen, shrunken_mask
from blemish.detectors.supervised.supersimplenet_network import (
    JoinedFeatures,
    SuperSimpleHeads,
    SuperSimpleNetHead,
    focal,
    truncated_l1,
)
from blemish.detectors.trained import Prepared, TrainedDetector
from blemish.detectors.training.examples import Batch, Example
from blemish.detectors.training.feature_examples import FeatureExamples
from blemish.detectors.training.loop import Material, Objective, Recipe, step_schedule
from blemish.detectors.training.photographs import TrainingPhotographs
from blemish.features.pixels import PixelCache
from blemish.view.preprocessing import Preprocessing


class SuperSimpleNetObjective(Objective):
    """Truncated L1 and focal loss of the map, and focal loss of the score.

    Every image is shown as it is, and with Gaussian noise on its adapted features where Perlin noise says so.
    """

    def __init__(
        self, joined: JoinedFeatures, heads: SuperSimpleHeads, taps: Sequence[int], noise: float
    ) -> None:
        super().__init__()
        self.joined = joined
        self.heads = heads
        self.taps = tuple(taps)
        self.noise = noise

    def loss(self, batch: Batch) -> Tensor:
        """The sum of the three, in float32."""
        adapted = self.heads.adaptor(self.joined(taps_of(batch, self.taps))).float()
        noisy = adapted + self.noise * torch.randn_like(adapted) * batch["noisy"]
        masks = torch.cat([batch["mask"], torch.maximum(batch["mask"], batch["noisy"])])
        # Where a real defect has no mask, only the noise is known for certain.
        known = torch.cat([batch["known"], torch.maximum(batch["known"], batch["noisy"])])
        defective = torch.cat(
            [batch["defective"], torch.maximum(batch["defective"], batch["noisy"].amax((1, 2, 3)))]
        )
        scores, logits = self.heads(torch.cat([adapted, noisy]))
        scores, logits = scores.float(), logits.float()
        of_map = truncated_l1(logits, masks, known) + focal(logits, masks, known)
        return of_map + focal(scores, defective, torch.ones_like(scores))

    def parameter_groups(self, learning_rate: float) -> list[dict[str, Any]]:
        """Heads, and the adaptor at half their rate, as the authors have it."""
        adaptor = list(self.heads.adaptor.parameters())
        known = {id(parameter) for parameter in adaptor}
        heads = [parameter for parameter in self.heads.parameters() if id(parameter) not in known]
        return [{"params": heads, "lr": learning_rate}, {"params": adaptor, "lr": 0.5 * learning_rate}]


@dataclasses.dataclass
class SuperSimpleNet(SupervisedDetector[Statistics], FrozenTrainedDetector):
    """SuperSimpleNet with AdamW; see the base classes.

    Features are standardised first, so that `noise` means the same for every backbone.

    Attributes:
        supervised: learn from defective training images too; a mask is used where there is one.
        upscale: how many times finer the grid is than that of the finest tap.
        hidden: channels of the segmentation head.
        channels, kernel: of the classification head's convolution.
        top: share of the highest map values that speaks in the score.
        noise: standard deviation of the noise, in those of the features.
        sigma: smoothing of the map, in pixels of the input.
    """

    name: ClassVar[str] = "supersimplenet"
    measures: ClassVar[str] = "logit of a defect"

    size: int = 256
    epochs: int = 10
    learning_rate: float = 1e-3
    patience: int = 0
    examples_per_epoch: int = 320
    supervised: bool = False
    upscale: int = 1
    hidden: int = 256
    channels: int = 64
    kernel: int = 3
    noise: float = 0.5
    top: float = 0.01
    sigma: float = 4.0

    def learns_from_defects(self) -> bool:
        """Whether labelled defects are learnt from."""
        return self.supervised

    def training_photographs(self, catalog: Catalog) -> TrainingPhotographs:
        """Good photographs alone, unless supervised."""
        return (
            super().training_photographs(catalog)
            if self.supervised
            else TrainedDetector.training_photographs(self, catalog)
        )

    def make_objective(self, prepared: Prepared[Statistics]) -> Objective:
        """The heads on standardised features."""
        return SuperSimpleNetObjective(self._joined(prepared.found), self._heads(), self.taps, self.noise)

    def material(self, paths: Sequence[Path], training: bool, prepared: Prepared[Statistics]) -> Material:
        """Feature maps with masks, and the areas that noise is to cover."""
        labels, side = prepared.photographs.labels_of(paths), self._grid()
        augmentation, contract, pixels = self.augmented_by(), self.preprocessing(), PixelCache()
        masks = [
            _mask_on_grid(label.mask, path, side, contract) for label, path in zip(labels, paths, strict=True)
        ]
        features = FeatureExamples(self.extractor(), paths, augmentation if training else None)

        def example(index: int, rng: np.random.Generator) -> Example:
            copy, label, mask = features.draw(rng), labels[index], masks[index]
            if copy and augmentation is not None and label.mask is not None:
                image = pixels.read(paths[index], contract)
                covered = shrunken_mask(mask_as_seen(label.mask, paths[index], contract), image.shape[:2])
                mask = _on_grid(augmentation.copy_with_mask(image, covered, copy - 1)[1], side)
            # A defect without a mask may be anywhere.
            known = not label.defective or label.mask is not None
            return features.read(index, copy) | {
                "mask": mask,
                "known": torch.full((1, side, side), float(known)),
                "defective": torch.tensor(float(label.defective)),
                "noisy": torch.from_numpy(perlin_mask((side, side), rng)[None].astype(np.float32)),
            }

        weights = (
            balanced_weights([label.defective for label in labels]) if training and self.supervised else None
        )
        return Material(example, len(paths), weights)

    def features_of(self, maps: list[Tensor]) -> list[Tensor]:
        """The joined maps, not yet standardised."""
        return [JoinedFeatures(torch.zeros(1), torch.ones(1), self.upscale)(maps)]

    def trained_head(self, objective: Objective, prepared: Prepared[Statistics]) -> nn.Module:
        """The heads with score and map."""
        head = SuperSimpleNetHead(
            self._joined(prepared.found), self._heads(), self._grid(), self.size, self.sigma, self.top
        )
        head.joined.load_state_dict(objective.get_submodule("joined").state_dict())
        head.heads.load_state_dict(objective.get_submodule("heads").state_dict())
        return head

    def recipe(self) -> Recipe:
        """AdamW; the rate falls to 0.4 of itself at 80 and at 90 % of the epochs."""
        milestones = (round(0.8 * self.epochs), round(0.9 * self.epochs))
        return dataclasses.replace(
            super().recipe(), optimizer="adamw", weight_decay=1e-5, schedule=step_schedule(milestones, 0.4)
        )

    def check_parameters(self) -> None:
        """Refuse values that cannot be meant."""
        super().check_parameters()
        wrong = {
            "upscale": not 1 <= self.upscale <= 8,
            "hidden": self.hidden < 1,
            "channels": self.channels < 1,
            "kernel": self.kernel < 1 or self.kernel % 2 == 0,
            "top": not 0 < self.top <= 1,
            "noise": not 0 < self.noise < 1000,
            "sigma": not 0 <= self.sigma <= self.size,
        }
        refuse(self, wrong)

    def _grid(self) -> int:
        """Height and width of the grid."""
        return self.upscale * int(self.extractor().shapes[0][1])

    def _joined(self, statistics: Statistics) -> JoinedFeatures:
        ((mean, deviation),) = statistics
        return JoinedFeatures(mean, deviation, self.upscale)

    def _heads(self) -> SuperSimpleHeads:
        width = sum(shape[0] for shape in self.extractor().shapes)
        return SuperSimpleHeads(width, self.hidden, self.channels, self.kernel)


def _mask_on_grid(mask: Path | None, photograph: Path, side: int, contract: Preprocessing) -> Tensor:
    """Mask, where it counts, on the features' grid, float32 1 x side x side; zero where there is none."""
    if mask is None:
        return torch.zeros(1, side, side)
    return _on_grid(mask_as_seen(mask, photograph, contract), side)


def _on_grid(mask: BoolArray, side: int) -> Tensor:
    """Mask, bool H x W, on the features' grid, float32 1 x side x side."""
    return torch.from_numpy(shrunken_mask(mask, (side, side))[None].astype(np.float32))
