"""Supervised classification: good or defective, or which defect, with a Grad-CAM map."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from blemish.core.errors import UsageError
from blemish.core.preprocessing import Preprocessing, standardise
from blemish.core.progress import track
from blemish.core.types import Prediction
from blemish.detectors.base import State, refuse
from blemish.detectors.frozen import batch_of_one, prediction_of
from blemish.detectors.moments import PositionMoments
from blemish.detectors.registry import register
from blemish.detectors.supervised.base import GOOD, SupervisedDetector, balanced_weights
from blemish.detectors.supervised.classification import ClassifierObjective, augmentation
from blemish.detectors.supervised.classifier_network import (
    ClassifierHead,
    PlainTrunk,
    PrincipalAxes,
    TrunkWithHead,
    balancing_offset,
    log_odds_of_defect,
    names_in,
    pool,
)
from blemish.detectors.supervised.pretrained import pretrained_backbone
from blemish.detectors.training.examples import Example, Examples, ImageExamples
from blemish.detectors.training.feature_examples import together
from blemish.detectors.training.loop import Material, Objective, Recipe, cosine_schedule
from blemish.detectors.turned_copies import mirrored_copies
from blemish.features.backbones import DEFAULT_BACKBONE, Backbone
from blemish.features.extraction import FeatureExtractor
from blemish.features.pixels import PixelCache
from blemish.features.together import Reads

PLAIN = "cnn"
DEFECTIVE = "defective"


@register(
    "classifier",
    summary="Supervised: good or defective, or which defect; for many labelled photographs without masks.",
    learns_from="labels",
    gives_maps=True,
    reference="Selvaraju et al., Grad-CAM: Visual Explanations from Deep Networks, ICCV 2017 (the map)",
    presets={
        "cnn": {"backbone": PLAIN, "trainable": "all", "size": 192, "batch_size": 8, "examples_per_epoch": 0},
        "fine-tuned": {
            "trainable": "all",
            "size": 320,
            "training_size": 256,
            "judges_mirrored": True,
            "learning_rate": 1e-3,
            "batch_size": 16,
            "examples_per_epoch": 0,
            "epochs": 16,
            "patience": 0,
            "keep": "last",
        },
        "resnet18": {"backbone": "resnet18", "size": 224},
        "vgg16": {"backbone": "vgg16_bn", "size": 224},
    },
)
@dataclasses.dataclass
class ClassifierDetector(SupervisedDetector):
    """Classifier on a network's feature maps, with AdamW and a cosine schedule; see the base class.

    The score is the log odds of "not good", the map its Grad-CAM.

    Attributes:
        backbone: "cnn" for a small network of its own, or a pretrained one (see
            `blemish.features.backbones.load_backbone`).
        taps: strides at which a pretrained one is read.
        weights: file of weights of the pretrained network, or "random".
        trainable: "head" keeps the network frozen, reads its features once an image and learns in seconds; "all"
            trains everything, on augmented photographs.
        classes: "binary", good or defective; or "types", good or one of the defect types seen.
        dropout: share of the head's features left out at random while training.
        label_smoothing: share of a label spread over all classes.
        ridge: penalty on the head's weights, shared among the images that are learnt from; as 1 / C of a logistic
            regression.
        class_weighting: whether rare classes weigh as much in the loss as common ones.
        mirrored: whether mirrored copies are learnt from too; no where a part that is mirrored is defective.
        training_size: side of the augmented photographs that a network is trained on; 0 for that of all others.
            A random crop shows things larger than the whole photograph does, so that a network is at its best on
            photographs larger than those it was trained on (Touvron et al., Fixing the train-test resolution
            discrepancy, NeurIPS 2019); and it trains faster.
        judges_mirrored: whether the image and its mirrored copies are judged together, by the mean of their logits.
            Four times the work, and only for a network that is trained whole.
        keep: "best" keeps the weights of the epoch whose loss on the images held out was lowest, "last" those at the
            end of the cosine: photographs larger than those trained on shift all scores until `fit` has balanced them,
            and the loss of shifted scores does not tell when to stop.

    After `fit`, `metrics_`: `accuracy` and `balanced_accuracy` on the images held out, by the likeliest class.
    """

    size: int = 512
    epochs: int = 40
    batch_size: int = 32
    learning_rate: float = 3e-3
    patience: int = 10
    examples_per_epoch: int = 512
    precision: str = "float32"
    backbone: str = DEFAULT_BACKBONE
    taps: tuple[int, ...] = (8, 16, 32)
    weights: str | None = None
    trainable: str = "head"
    classes: str = "binary"
    dropout: float = 0.3
    label_smoothing: float = 0.05
    ridge: float = 30.0
    class_weighting: bool = True
    mirrored: bool = True
    training_size: int = 0
    judges_mirrored: bool = False
    keep: str = "best"

    def preprocessing(self) -> Preprocessing:
        """As the network's weights expect it; pixels in [0, 1] for the plain one."""
        if self.backbone == PLAIN:
            return super().preprocessing()
        return self._pretrained().preprocessing(self.size, self.size, self.bit_depth)

    def reads(self) -> Reads:
        """Pixels; of a frozen network its feature maps, with pixels where mirrored copies are learnt from."""
        if not self._frozen() or self.backbone == PLAIN:
            return super().reads()
        return Reads((self.extractor(),), (self.preprocessing(),) if self.mirrored else ())

    def extractor(self) -> FeatureExtractor:
        """The frozen network behind the cache, made once."""
        made: FeatureExtractor | None = getattr(self, "_extractor", None)
        if made is None:
            made = FeatureExtractor(self._pretrained(), self.preprocessing())
            self._extractor = made
        return made

    def make_objective(self) -> Objective:
        """Head, trunk where it is trained; `_train` has found what depends on the images that are learnt from."""
        head = self._head(self._names)
        if self._frozen():
            head.axes.load_state_dict(self._axes.state_dict())
            pooled = torch.cat([self._pooled[path] for path in self._learnt])
            head.norm.get_buffer("running_mean").copy_(pooled.mean(0))
            head.norm.get_buffer("running_var").copy_(pooled.var(0, correction=0).clamp(min=1e-8))
        pretrained = self.backbone != PLAIN and self.weights != "random"
        weights = self._class_weights if self.class_weighting else np.ones(len(self._names))
        return ClassifierObjective(
            head,
            None if self._frozen() else self._trunk(),
            weights.tolist(),
            self.label_smoothing,
            self.ridge / len(self._learnt),
            pretrained,
        )

    def material(self, paths: Sequence[Path], training: bool) -> Material:
        """Pooled features, or photographs (augmented for training), with their classes.

        Good and defective ones are drawn equally often.
        """
        classes = torch.tensor(self._classes_of(paths))

        def class_of(index: int, rng: np.random.Generator) -> Example:
            return {"class": classes[index]}

        def features_of(index: int, rng: np.random.Generator) -> Example:
            copies = self._pooled[paths[index]]
            return {"pooled": copies[rng.integers(len(copies)) if training else 0]}

        augmented = augmentation(self.training_size or self.size, self.mirrored) if training else None
        source: Examples = (
            features_of if self._frozen() else ImageExamples(paths, self.preprocessing(), augmented)
        )
        weights = balanced_weights([label.defective for label in self.labels(paths)]) if training else None
        return Material(together(source, class_of), len(paths), weights)

    def finish(self, objective: Objective, learnt: Sequence[Path], held_out: Sequence[Path]) -> nn.Module:
        """Trunk and head with score and map; measures them on the images held out."""
        head = objective.get_submodule("head")
        assert isinstance(head, ClassifierHead)
        trunk: nn.Module = self._pretrained() if self._frozen() else objective.get_submodule("trunk")
        self.network_: nn.Module = TrunkWithHead(trunk, head, self.judges_mirrored).eval()
        self.metrics_ = self._judge(head, held_out)
        return self.network_

    def empty_network(self, state: Mapping[str, npt.NDArray[Any]]) -> nn.Module:
        """An untrained classifier for the classes that are named in the state."""
        names = names_in(state["head.names"])
        trunk = self._pretrained() if self._frozen() else self._trunk()
        return TrunkWithHead(trunk, self._head(names), self.judges_mirrored)

    def predict(self, paths: Sequence[Path]) -> Iterator[Prediction]:
        """Score photographs one by one, in order; features of a frozen network come from the cache."""
        if not self._frozen():
            yield from super().predict(paths)
            return
        head = self._fitted_head()
        for maps in self.extractor().stream(paths):
            with torch.inference_mode():
                yield prediction_of(*head(batch_of_one(maps)))

    def predict_types(self, paths: Sequence[Path]) -> Iterator[dict[str, float]]:
        """Probability of each class, by name, for photographs one by one.

        Raises:
            NotFittedError: before `fit`.
            ImageError: a file cannot be read.
        """
        names = self._fitted_head().class_names()
        for logits in self._logits(paths):
            yield dict(zip(names, torch.softmax(logits, 0).tolist(), strict=True))

    def state(self) -> State:
        """Weights and buffers of what was trained, by name; a frozen network is known."""
        return {
            name: value.numpy()
            for name, value in self.network().state_dict().items()
            if name.startswith("head.") or not self._frozen()
        }

    def restore(self, state: Mapping[str, npt.NDArray[Any]]) -> Self:
        """Become the detector whose `state` this is."""
        if self._frozen():
            known = self._pretrained().state_dict()
            state = {**{f"trunk.{name}": value.numpy() for name, value in known.items()}, **state}
        return super().restore(state)

    def recipe(self) -> Recipe:
        """AdamW with a cosine schedule; the head's weights have the ridge instead of the decay."""
        return dataclasses.replace(
            super().recipe(),
            optimizer="adamw",
            weight_decay=0.0 if self._frozen() else 1e-2,
            schedule=cosine_schedule(self.epochs),
            keep=self.keep,
        )

    def check_parameters(self) -> None:
        """Refuse values that cannot be meant."""
        super().check_parameters()
        wrong = {
            "trainable": self.trainable not in ("head", "all"),
            "classes": self.classes not in ("binary", "types"),
            "dropout": not 0 <= self.dropout < 1,
            "label_smoothing": not 0 <= self.label_smoothing < 1,
            "ridge": not self.ridge >= 0,
            "keep": self.keep not in ("best", "last"),
            "training_size": self.training_size % 32 != 0 or not 0 <= self.training_size <= self.size,
        }
        refuse(self, wrong)
        if self.backbone == PLAIN and self._frozen():
            raise UsageError(
                "trainable=head is not possible with backbone=cnn, which has learnt nothing yet: choose trainable=all."
            )
        if self.judges_mirrored and (self._frozen() or not self.mirrored):
            raise UsageError(
                "judges_mirrored=true needs trainable=all and mirrored=true: the network must have learnt from "
                "mirrored copies."
            )
        self.preprocessing()

    def _train(self, learnt: Sequence[Path], held_out: Sequence[Path]) -> None:
        """Read all photographs, find the classes and how many there are of each, and train."""
        photographs = [*learnt, *held_out]
        if self._frozen():
            self._axes = self._find_axes([path for path in learnt if not self._labels[path].defective])
            # A few thousand numbers a copy: they fit in memory, which reads faster than the cache.
            self._pooled = {
                path: self._pool_copies(path, self.mirrored and place < len(learnt))
                for place, path in enumerate(track(photographs, "Reading photographs"))
            }
        else:
            self.look_at(photographs)
        self._learnt = list(learnt)
        types = sorted({label.defect_type for label in self.labels(learnt) if label.defective})
        self._names = [GOOD, *(types if self.classes == "types" else [DEFECTIVE])]
        drawn = np.bincount(self._classes_of(learnt), self.material(learnt, True).weights, len(self._names))
        # Relative to how often a class is drawn; mean 1 over what is drawn.
        self._class_weights = 1 / (len(drawn) * drawn)
        super()._train(learnt, held_out)
        self._pooled = {}

    def _judge(self, head: ClassifierHead, held_out: Sequence[Path]) -> dict[str, float]:
        """Balance the classes on the images held out, and return what `metrics_` holds."""
        classes = torch.tensor(self._classes_of(held_out))
        logits = torch.stack(list(self._logits(held_out)))
        if (classes > 0).any() and (classes == 0).any():
            offset = balancing_offset(log_odds_of_defect(logits), classes > 0)
            with torch.no_grad():
                head.linear.bias[0] += offset
            logits[:, 0] += offset
        right = (logits.argmax(1) == classes).float()
        of_class = [right[classes == one].mean() for one in sorted(set(classes.tolist()))]
        return {"accuracy": float(right.mean()), "balanced_accuracy": float(torch.stack(of_class).mean())}

    def _find_axes(self, good: Sequence[Path]) -> PrincipalAxes:
        """The principal axes of the good photographs' features."""
        moments = [PositionMoments.empty(1, shape[0]) for shape in self.extractor().shapes]
        for maps in track(self.extractor().stream(good), "Reading good photographs", len(good)):
            for sums, one in zip(moments, batch_of_one(maps), strict=True):
                sums.add(one[0].flatten(1).T[:, None])
        means = [sums.sums[0] / sums.count for sums in moments]
        pairs = zip(moments, means, strict=True)
        covariances = [sums.products[0] / sums.count - torch.outer(mean, mean) for sums, mean in pairs]
        return PrincipalAxes(means, covariances)

    def _pool_copies(self, path: Path, mirrored: bool) -> Tensor:
        """Pooled features of a photograph, and of its mirrored copies if these are asked for: copies x D."""
        copies = [self.extractor().extract(path)]
        if mirrored:
            image = PixelCache().read(path, self.preprocessing())
            copies += map(self.extractor().extract_resized, mirrored_copies(image))
        return torch.cat([pool(self._axes(batch_of_one(maps))) for maps in copies])

    def _classes_of(self, paths: Sequence[Path]) -> list[int]:
        if self.classes == "binary":
            return [int(label.defective) for label in self.labels(paths)]
        return [self._names.index(label.defect_type) for label in self.labels(paths)]

    def _logits(self, paths: Sequence[Path]) -> Iterator[Tensor]:
        """Logits of the classes for photographs one by one."""
        if self._frozen():
            head = self._fitted_head()
            for maps in self.extractor().stream(paths):
                with torch.inference_mode():
                    yield head.logits(head.pooled(batch_of_one(maps)))[0]
            return
        network, contract, pixels = self.network(), self.preprocessing(), PixelCache()
        assert isinstance(network, TrunkWithHead)
        for path in paths:
            planes = torch.from_numpy(standardise(pixels.read(path, contract), contract))[None]
            with torch.inference_mode():
                yield network.logits(planes)[0]

    def _fitted_head(self) -> ClassifierHead:
        head = self.network().get_submodule("head")
        assert isinstance(head, ClassifierHead)
        return head

    def _frozen(self) -> bool:
        return self.trainable == "head"

    def _head(self, names: Sequence[str]) -> ClassifierHead:
        network = PlainTrunk if self.backbone == PLAIN else self._pretrained()
        strides = PlainTrunk.strides if self.backbone == PLAIN else self._pretrained().taps
        grids = [-(-self.size // stride) for stride in strides]
        return ClassifierHead(network.channels, grids, self.size, names, self.dropout, self._frozen())

    def _trunk(self) -> nn.Module:
        """A trunk to train."""
        if self.backbone == PLAIN:
            return PlainTrunk()
        return copy.deepcopy(self._pretrained()).requires_grad_(True)

    def _pretrained(self) -> Backbone:
        return pretrained_backbone(self.backbone, self.taps, self.weights, self.seed)
