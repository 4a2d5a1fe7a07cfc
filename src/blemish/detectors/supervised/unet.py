"""Supervised segmentation: a U-Net learns defects from their masks, from painted ones, or from both."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from blemish.data.catalog import Catalog
from blemish.detectors.parameters import refuse
from blemish.detectors.supervised.base import SupervisedDetector, balanced_weights
from blemish.detectors.supervised.mask_overlap import MaskOverlap
from blemish.detectors.supervised.pretrained import freeze_statistics, pretrained_backbone, slower_groups
from blemish.detectors.supervised.segmentation_examples import SegmentationExamples, Subject
from blemish.detectors.supervised.unet_network import (
    PlainEncoder,
    SegmentationHead,
    SimpleUNet,
    UNetNetwork,
    mask_loss,
)
from blemish.detectors.trained import Prepared
from blemish.detectors.training.examples import Batch
from blemish.detectors.training.loop import Material, Objective, Recipe, cosine_schedule
from blemish.detectors.training.photographs import Label, TrainingPhotographs
from blemish.features.backbones import DEFAULT_BACKBONE, Backbone
from blemish.view.preprocessing import Preprocessing

SIMPLE, PLAIN = "simple", "plain"
_STRIDES = (2, 4, 8, 16)
_JUDGED = 32


class UNetObjective(Objective):
    """Binary cross entropy of every pixel; a pretrained encoder learns ten times slower, its BatchNorm not at all."""

    positive_weight: Tensor

    def __init__(self, unet: nn.Module, positive_weight: float, pretrained: bool) -> None:
        super().__init__()
        self.unet = unet
        self.pretrained = pretrained
        self._overlap = MaskOverlap()
        self.register_buffer("positive_weight", torch.tensor(positive_weight))

    def loss(self, batch: Batch) -> Tensor:
        """Mean weighted cross entropy, in float32."""
        return mask_loss(self.unet(batch["image"]).float(), batch["mask"], self.positive_weight)

    def validation_loss(self, batch: Batch) -> Tensor:
        """The same, and the overlap with the masks is counted."""
        logits = self.unet(batch["image"]).float()
        probabilities, masks = torch.sigmoid(logits).cpu().numpy(), batch["mask"].cpu().numpy() > 0
        for probability, mask, half in zip(probabilities, masks, batch["half"].tolist(), strict=True):
            self._overlap.add(probability, mask, half)
        return mask_loss(logits, batch["mask"], self.positive_weight)

    def validation_figures(self) -> dict[str, float]:
        """The IoU of an epoch, each half of the images at the threshold that is best on the other."""
        counted, self._overlap = self._overlap, MaskOverlap()
        iou = counted.cross_iou()
        return {} if iou is None else {"validation_iou": iou}

    def train(self, mode: bool = True) -> UNetObjective:
        """Training mode, but for the statistics of a pretrained encoder."""
        super().train(mode)
        if self.pretrained:
            freeze_statistics(self.unet.get_submodule("encoder"))
        return self

    def parameter_groups(self, learning_rate: float) -> list[dict[str, Any]]:
        """Encoder and decoder, the first slower where it is pretrained."""
        if not self.pretrained:
            return super().parameter_groups(learning_rate)
        return slower_groups(self.unet, self.unet.get_submodule("encoder"), learning_rate)


@dataclasses.dataclass
class UNet(SupervisedDetector[float]):
    """U-Net with weighted binary cross entropy, Adam and a cosine schedule; see the base class.

    Good, really defective and painted photographs are drawn equally often.

    Attributes:
        encoder: a pretrained network (see `blemish.features.backbones.load_backbone`) to fine-tune; or one of 32, 64
            and 128 channels that begins at random and needs several times as many steps: "plain", or "simple" for the
            smallest of all, `SimpleUNet`, where a defective pixel weighs the whole ratio of good to defective ones.
        weights: file of weights of the pretrained encoder, or "random".
        synthetic: "no" learns from masks, "only" from defects painted on good photographs, "both" from both.
        top: share of the highest logits whose mean is the score: about as much as a small defect covers, so that small
            ones score as high as large ones.

    The map is the logits of the mask, so the mean of its sigmoid is the mask probability of a photograph.

    After `fit`, `history_` has the `validation_iou` of each epoch, and `metrics_` of the images held out: `cross_iou`
    (intersection over union of all their pixels, each half of the images at the threshold that is best on the other);
    `iou` at the probability `threshold`, which is chosen on the same images, and so a little too high; `soft_iou`,
    from probabilities without a threshold; `mask_probability` and `other_probability`, the mean probability inside
    and outside the masks.
    """

    name: ClassVar[str] = "unet"
    measures: ClassVar[str] = "logit of a defect"
    gives_mask_probability: ClassVar[bool] = True
    augments: ClassVar[bool] = True

    size: int = 192
    epochs: int = 30
    learning_rate: float = 1e-3
    patience: int = 0
    examples_per_epoch: int = 200
    precision: str = "float32"
    encoder: str = DEFAULT_BACKBONE
    weights: str | None = None
    synthetic: str = "no"
    top: float = 0.002

    def learns_from_defects(self) -> bool:
        """Whether real masks are learnt from."""
        return self.synthetic != "only"

    def usable(self, label: Label) -> bool:
        """A defective image without a mask does not say where the defect is."""
        return label.mask is not None

    def preprocessing(self) -> Preprocessing:
        """As the encoder's weights expect it; pixels in [0, 1] for the plain one, in [-1, 1] for the simple."""
        if self.encoder == SIMPLE:
            centred = {"mean": (127.5,) * 3, "std": (127.5,) * 3}
            return super().preprocessing().model_copy(update=centred)
        if self.encoder == PLAIN:
            return super().preprocessing()
        return self.viewed(self._backbone().preprocessing(self.size, self.size, self.bit_depth))

    def prepare(self, photographs: TrainingPhotographs) -> float:
        """Look at all photographs, and weigh the pixels: what a defective one counts for."""
        self.look_at(photographs.all)
        return self._weight_of_positives(photographs)

    def make_objective(self, prepared: Prepared[float]) -> Objective:
        """The U-Net."""
        pretrained = self.encoder not in (SIMPLE, PLAIN) and self.weights != "random"
        return UNetObjective(self._unet(), prepared.found, pretrained)

    def material(self, paths: Sequence[Path], training: bool, prepared: Prepared[float]) -> Material:
        """Photographs with masks; good ones once as they are and once painted, where defects are to be painted."""
        labels = prepared.photographs.labels_of(paths)
        subjects = self._subjects(paths, labels) if training else self._judged(paths, labels)
        more = self.augmented_by() if training else None
        examples = SegmentationExamples(subjects, self.preprocessing(), training, more)
        weights = balanced_weights([subject.kind for subject in subjects]) if training else None
        return Material(examples, len(subjects), weights)

    def finish(self, objective: Objective, prepared: Prepared[float]) -> nn.Module:
        """The U-Net with score and map; measures it on the images held out."""
        head = SegmentationHead(objective.get_submodule("unet"), self.size, self.top).eval()
        self.metrics_ = self._measure(head, prepared.photographs)
        return head

    def recipe(self) -> Recipe:
        """With a cosine schedule."""
        return dataclasses.replace(super().recipe(), schedule=cosine_schedule(self.epochs))

    def check_parameters(self) -> None:
        """Refuse values that cannot be meant."""
        super().check_parameters()
        wrong = {"synthetic": self.synthetic not in ("no", "only", "both"), "top": not 0 < self.top <= 1}
        refuse(self, wrong)
        self.preprocessing()

    def _refusal(self, catalog: Catalog) -> str:
        return (
            f"{catalog.root} has no defective training images with masks that unet could learn from: paint defects "
            "with --synthetic, or move a part of the labelled test images to training with "
            "blemish.data.splits.supervised_split."
        )

    def _subjects(self, paths: Sequence[Path], labels: Sequence[Label]) -> list[Subject]:
        subjects = [Subject(path, label.mask) for path, label in zip(paths, labels, strict=True)]
        if self.synthetic != "no":
            subjects += [Subject(one.path, painted=True) for one in subjects if one.mask is None]
        return subjects

    def _judged(self, paths: Sequence[Path], labels: Sequence[Label]) -> list[Subject]:
        """Photographs for validation: all with real defects, and some good ones, or every epoch would wait for it.

        Good and defective ones go to the two halves in turn, a painted one to that of its photograph.
        """
        good = [path for path, label in zip(paths, labels, strict=True) if not label.defective]
        kept = [good[place] for place in np.linspace(0, len(good) - 1, min(len(good), _JUDGED), dtype=int)]
        subjects = [
            one for one in self._subjects(paths, labels) if one.mask is not None or one.path in set(kept)
        ]
        defective = [one.path for one in subjects if one.mask is not None]
        halves = {path: place % 2 for some in (kept, defective) for place, path in enumerate(some)}
        return [dataclasses.replace(one, half=halves[one.path]) for one in subjects]

    def _weight_of_positives(self, photographs: TrainingPhotographs) -> float:
        """What a defective pixel counts for: the ratio of good to defective pixels, or its square root.

        The whole ratio, often several hundred, makes every doubtful pixel around a defect count as one; so it does in
        the simple network, which is trained with it as those before it were. There it is of all photographs that are
        learnt from, else of good and defective ones as they are drawn.
        """
        learnt = photographs.learnt
        subjects = self._subjects(learnt, photographs.labels_of(learnt))
        examples = SegmentationExamples(subjects, self.preprocessing(), False)
        whole = self.encoder == SIMPLE
        shares: dict[str, list[float]] = {}
        for number in np.random.default_rng(self.seed).permutation(len(subjects)):
            of_kind = shares.setdefault(subjects[number].kind, [])
            if whole or len(of_kind) < 50:
                _, mask = examples.read(int(number), np.random.default_rng((self.seed, int(number))))
                of_kind.append(float(mask.mean()))
        if whole:
            positive = float(np.mean([share for of_kind in shares.values() for share in of_kind]))
            return (1 - positive) / max(positive, 1e-5)
        positive = float(np.mean([np.mean(of_kind) for of_kind in shares.values()]))
        return float(np.sqrt((1 - positive) / max(positive, 1e-4)))

    def _measure(self, head: nn.Module, photographs: TrainingPhotographs) -> dict[str, float]:
        """What `metrics_` holds."""
        held_out = photographs.held_out
        subjects = self._judged(held_out, photographs.labels_of(held_out))
        examples = SegmentationExamples(subjects, self.preprocessing(), False)
        overlap = MaskOverlap()
        for number in range(len(examples)):
            example = examples(number, np.random.default_rng((self.seed, number)))
            with torch.inference_mode():
                logits = head(example["image"][None])[1]
            overlap.add(torch.sigmoid(logits).numpy(), example["mask"][0].numpy() > 0, subjects[number].half)
        return overlap.metrics()

    def _unet(self) -> nn.Module:
        if self.encoder == SIMPLE:
            return SimpleUNet()
        if self.encoder == PLAIN:
            return UNetNetwork(PlainEncoder(), PlainEncoder.channels)
        backbone = copy.deepcopy(self._backbone()).requires_grad_(True)
        return UNetNetwork(backbone, backbone.channels)

    def _backbone(self) -> Backbone:
        return pretrained_backbone(self.encoder, _STRIDES, self.weights, self.seed)
