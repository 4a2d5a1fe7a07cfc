"""How a classifier is trained: the loss, and augmented photographs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.transforms import v2

from blemish.detectors.supervised.classifier_network import ClassifierHead
from blemish.detectors.supervised.pretrained import freeze_statistics, slower_groups
from blemish.detectors.training.examples import Batch
from blemish.detectors.training.loop import Objective


class ClassifierObjective(Objective):
    """Cross entropy with class weights and label smoothing.

    Args:
        head: over the pooled maps of `trunk`, or over those in the batch where the trunk is frozen.
        trunk: None where it is frozen.
        class_weights: of each class in the loss.
        smoothing: share of the label that is spread over all classes.
        ridge: factor of the squared weights of the linear layer in the loss, halved.
        pretrained: the trunk learns ten times slower than the head, and its BatchNorm not at all.
    """

    class_weights: Tensor

    def __init__(
        self,
        head: ClassifierHead,
        trunk: nn.Module | None,
        class_weights: Sequence[float],
        smoothing: float,
        ridge: float,
        pretrained: bool,
    ) -> None:
        super().__init__()
        self.head = head
        self.trunk = trunk
        self.smoothing = smoothing
        self.ridge = ridge
        self.pretrained = pretrained
        self.register_buffer("class_weights", torch.tensor(class_weights, dtype=torch.float32))

    def loss(self, batch: Batch) -> Tensor:
        """Weighted mean over the batch and the ridge, in float32."""
        return self.validation_loss(batch) + 0.5 * self.ridge * self.head.linear.weight.square().sum()

    def validation_loss(self, batch: Batch) -> Tensor:
        """Weighted mean over the batch."""
        pooled = batch["pooled"] if self.trunk is None else self.head.pooled(self.trunk(batch["image"]))
        return F.cross_entropy(
            self.head.logits(pooled).float(),
            batch["class"],
            weight=self.class_weights,
            label_smoothing=self.smoothing,
        )

    def train(self, mode: bool = True) -> ClassifierObjective:
        """Training mode, but for statistics that are known: of a pretrained trunk, of a frozen trunk's features."""
        super().train(mode)
        if self.trunk is None:
            freeze_statistics(self.head)
        elif self.pretrained:
            freeze_statistics(self.trunk)
        return self

    def parameter_groups(self, learning_rate: float) -> list[dict[str, Any]]:
        """Head and trunk, the trunk slower where it is pretrained."""
        if self.trunk is None or not self.pretrained:
            return super().parameter_groups(learning_rate)
        return slower_groups(self, self.trunk, learning_rate)


def augmentation(size: int, mirrored: bool) -> v2.Transform:
    """Crops of at least 80 % of a photograph, enlarged or shrunken to `size`, mirrored if wanted, in varied light."""
    flips = [v2.RandomHorizontalFlip(0.5), v2.RandomVerticalFlip(0.5)] if mirrored else []
    crop = v2.RandomResizedCrop((size, size), scale=(0.8, 1.0), ratio=(0.9, 1.1), antialias=True)
    return v2.Compose([*flips, crop, v2.ColorJitter(brightness=0.1, contrast=0.1)])
