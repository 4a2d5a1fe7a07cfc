"""Supervised classification: good or defective, or which defect, with a Grad-CAM map."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torchvision.transforms import v2

from blemish.core.errors import UsageError
from blemish.core.progress import track
from blemish.core.types import Prediction
from blemish.detectors.augmentation import NONE
from blemish.detectors.frozen import batch_of_one, said_by
from blemish.detectors.memo import Memo
from blemish.detectors.moments import PositionMoments
from blemish.detectors.of_backbone import OfBackbone
from blemish.detectors.parameters import refuse
from blemish.detectors.supervised.base import SupervisedDetector, balanced_weights
from blemish.detectors.supervised.classifier_network import (
    AttentiveClassifier,
    ClassifierHead,
    PlainTrunk,
    PrincipalAxes,
    TrunkWithHead,
    balancing_offset,
    log_odds_of_defect,
    pool,
)
from blemish.detectors.supervised.classifier_objective import ClassifierObjective, augmentation
from blemish.detectors.supervised.defect_types import (
    DefectTypes,
    Labelled,
    TypedClassifier,
    learn_types,
    told_by,
)
from blemish.detectors.supervised.pretrained import pretrained_backbone
from blemish.detectors.trained import Prepared
from blemish.detectors.training.examples import Example, Examples, ImageExamples
from blemish.detectors.training.feature_examples import together
from blemish.detectors.training.loop import Material, Objective, Recipe, cosine_schedule
from blemish.detectors.training.photographs import GOOD, Label, TrainingPhotographs
from blemish.detectors.turned_copies import mirrored_copies
from blemish.features.backbones import DEFAULT_BACKBONE, Backbone
from blemish.features.extraction import FeatureExtractor
from blemish.features.pixels import PixelCache
from blemish.features.together import Reads
from blemish.line.manifest import ATTENTION, Explains, TypeCalibrationRecord
from blemish.view.preprocessing import Preprocessing, standardise

PLAIN = "cnn"
DEFECTIVE = "defective"


@dataclasses.dataclass(frozen=True)
class Looked:
    """What a first look at the photographs has found.

    Attributes:
        names: of the classes, the good one first.
        class_weights: of each class in the loss, relative to how often it is drawn.
        axes: principal axes of the good photographs' features; None where the network itself is trained.
        pooled: features of each photograph and its mirrored copies, copies x D; none where the network is trained.
    """

    names: list[str]
    class_weights: npt.NDArray[np.float64]
    axes: PrincipalAxes | None
    pooled: dict[Path, Tensor]


@dataclasses.dataclass
class Classifier(OfBackbone, SupervisedDetector[Looked]):
    """Classifier on a network's feature maps, with AdamW and a cosine schedule; see the base class.

    The score is the log odds of "not good", the map its Grad-CAM.

    Attributes:
        backbone: "cnn" for a small network of its own, or a pretrained one (see
            `blemish.features.backbones.load_backbone`).
        taps: strides at which a pretrained one is read; of a vision transformer blocks counted from the last one.
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
        training_size: side of the augmented photographs that a network is trained on; 0 for that of all others, as a
            vision transformer must have it.
            A random crop shows things larger than the whole photograph does, so that a network is at its best on
            photographs larger than those it was trained on (Touvron et al., Fixing the train-test resolution
            discrepancy, NeurIPS 2019); and it trains faster.
        judges_mirrored: whether the image and its mirrored copies are judged together, by the mean of their logits.
            Four times the work, and only for a network that is trained whole.
        keep: "best" keeps the weights of the epoch whose loss on the images held out was lowest, "last" those at the
            end of the cosine: photographs larger than those trained on shift all scores until `fit` has balanced them,
            and the loss of shifted scores does not tell when to stop.

    After `fit`, `metrics_`: `accuracy` and `balanced_accuracy` on the images held out, by the likeliest class; and
    `types_`, what is told of defect types, None with `classes="binary"`.
    """

    name: ClassVar[str] = "classifier"
    measures: ClassVar[str] = "logit of a defect"
    augments: ClassVar[bool] = True

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
    _reader: Memo[FeatureExtractor] = dataclasses.field(
        default_factory=Memo, init=False, repr=False, compare=False
    )

    def preprocessing(self) -> Preprocessing:
        """As the network's weights expect it; pixels in [0, 1] for the plain one."""
        if self.backbone == PLAIN:
            return super().preprocessing()
        return self.viewed(self._pretrained().preprocessing(self.size, self.size, self.bit_depth))

    def reads(self) -> Reads:
        """Pixels; of a frozen network its feature maps, with pixels where copies are learnt from too."""
        if not self._frozen() or self.backbone == PLAIN:
            return super().reads()
        return Reads((self.extractor(),), (self.preprocessing(),) if self._copied() else ())

    def extractor(self) -> FeatureExtractor:
        """The frozen network behind the cache, made once."""
        return self._reader.recall(
            (self.get_params(), self.planned_view()),
            lambda: FeatureExtractor(self._pretrained(), self.preprocessing()),
        )

    def prepare(self, photographs: TrainingPhotographs) -> Looked:
        """Read all photographs, find the classes and how many there are of each."""
        learnt, labels = photographs.learnt, photographs.labels_of(photographs.learnt)
        axes, pooled = None, {}
        if self._frozen():
            good = [path for path, label in zip(learnt, labels, strict=True) if not label.defective]
            axes = self._find_axes(good)
            # A few thousand numbers a copy: they fit in memory, which reads faster than the cache.
            pooled = {
                path: self._pool_copies(path, axes, place < len(learnt))
                for place, path in enumerate(track(photographs.all, "Reading photographs"))
            }
        else:
            self.look_at(photographs.all)
        types = sorted({label.defect_type for label in labels if label.defective})
        names = [GOOD, *(types if self.classes == "types" else [DEFECTIVE])]
        weights = balanced_weights([label.defective for label in labels])
        drawn = np.bincount(self._classes_of(labels, names), weights, len(names))
        # Relative to how often a class is drawn; mean 1 over what is drawn.
        return Looked(names, 1 / (len(drawn) * drawn), axes, pooled)

    def make_objective(self, prepared: Prepared[Looked]) -> Objective:
        """Head, and trunk where it is trained."""
        looked, learnt = prepared.found, prepared.photographs.learnt
        head = self._head(looked.names)
        if looked.axes is not None:
            head.axes.load_state_dict(looked.axes.state_dict())
            pooled = torch.cat([looked.pooled[path] for path in learnt])
            head.norm.get_buffer("running_mean").copy_(pooled.mean(0))
            head.norm.get_buffer("running_var").copy_(pooled.var(0, correction=0).clamp(min=1e-8))
        pretrained = self.backbone != PLAIN and self.weights != "random"
        weights = looked.class_weights if self.class_weighting else np.ones(len(looked.names))
        return ClassifierObjective(
            head,
            None if self._frozen() else self._trunk(),
            weights.tolist(),
            self.label_smoothing,
            self.ridge / len(learnt),
            pretrained,
        )

    def material(self, paths: Sequence[Path], training: bool, prepared: Prepared[Looked]) -> Material:
        """Pooled features, or photographs (augmented for training), with their classes.

        Good and defective ones are drawn equally often.
        """
        labels, pooled = prepared.photographs.labels_of(paths), prepared.found.pooled
        classes = torch.tensor(self._classes_of(labels, prepared.found.names))

        def class_of(index: int, rng: np.random.Generator) -> Example:
            return {"class": classes[index]}

        def features_of(index: int, rng: np.random.Generator) -> Example:
            copies = pooled[paths[index]]
            return {"pooled": copies[rng.integers(len(copies)) if training else 0]}

        augmented = self._augmented() if training else None
        source: Examples = (
            features_of if self._frozen() else ImageExamples(paths, self.preprocessing(), augmented)
        )
        weights = balanced_weights([label.defective for label in labels]) if training else None
        return Material(together(source, class_of), len(paths), weights)

    def finish(self, objective: Objective, prepared: Prepared[Looked]) -> nn.Module:
        """Trunk and head with score and map; measures them on the images held out."""
        head = objective.get_submodule("head")
        assert isinstance(head, ClassifierHead)
        trunk: nn.Module = self._pretrained() if self._frozen() else objective.get_submodule("trunk")
        network = TrunkWithHead(trunk, head, self.judges_mirrored).eval()
        held_out = prepared.photographs.held_out
        classes = self._classes_of(prepared.photographs.labels_of(held_out), prepared.found.names)
        logits, self.metrics_ = self._judge(network, held_out, torch.tensor(classes))
        self.types_ = self._learn_types(network, prepared, logits) if self.classes == "types" else None
        return network

    def predict_files(self, paths: Sequence[Path]) -> Iterator[Prediction]:
        """Score photographs one by one, in order; features of a frozen network come from the cache."""
        if not self._frozen():
            yield from super().predict_files(paths)
            return
        head, types = self._fitted().head, self._types()
        for maps in self.extractor().stream(paths):
            one = batch_of_one(maps)
            yield said_by(head, one) if types is None else told_by(types, head, one)

    @property
    def defect_types(self) -> tuple[str, ...]:
        """Names of the types learnt, with `classes="types"`."""
        types = self._types()
        return types.names if types else ()

    def type_calibration(self) -> TypeCalibrationRecord | None:
        """How far the types can be believed."""
        types = self._types()
        return types.calibration if types else None

    def whole_network(self) -> nn.Module:
        """The graph, with types and the distance to them where types are learnt, and with attention."""
        network, types = self._fitted(), self._types()
        return (TypedClassifier(network, types) if types else AttentiveClassifier(network)).eval()

    @property
    def explains(self) -> tuple[Explains, ...]:
        """The attention, for each type or for defects as such."""
        return (ATTENTION,)

    def predict_types(self, paths: Sequence[Path]) -> Iterator[dict[str, float]]:
        """Probability of each class, "good" too and not calibrated, by name, for photographs one by one.

        Raises:
            NotFittedError: before `fit`.
            ImageError: a file cannot be read.
        """
        network = self._fitted()
        names = network.head.class_names()
        for logits in self._logits(network, paths):
            yield dict(zip(names, torch.softmax(logits, 0).tolist(), strict=True))

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
            "training_size": self.training_size % self.size_unit != 0
            or not 0 <= self.training_size <= self.size
            or (self.transformer is not None and self.training_size not in (0, self.size)),
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

    def _judge(
        self, network: TrunkWithHead, held_out: Sequence[Path], classes: Tensor
    ) -> tuple[Tensor, dict[str, float]]:
        """Balance the classes on the images held out; the logits of these, and what `metrics_` holds."""
        logits = torch.stack(list(self._logits(network, held_out)))
        if (classes > 0).any() and (classes == 0).any():
            offset = balancing_offset(log_odds_of_defect(logits), classes > 0)
            with torch.no_grad():
                network.head.linear.bias[0] += offset
            logits[:, 0] += offset
        right = (logits.argmax(1) == classes).float()
        of_class = [right[classes == one].mean() for one in sorted(set(classes.tolist()))]
        balanced = float(torch.stack(of_class).mean())
        return logits, {"accuracy": float(right.mean()), "balanced_accuracy": balanced}

    def _learn_types(
        self, network: TrunkWithHead, prepared: Prepared[Looked], held_out_logits: Tensor
    ) -> DefectTypes:
        """What is told of defect types, from the labelled defects and the logits of the images held out."""
        photographs, names = prepared.photographs, prepared.found.names[1:]
        defects = [path for path in photographs.all if path in photographs.labels]
        kinds = [names.index(photographs.labels[path].defect_type) for path in defects]
        held_out = set(photographs.held_out)
        unseen = np.array([path in held_out for path in defects], np.bool_)
        shown = [path in photographs.labels for path in photographs.held_out]
        with torch.inference_mode():
            features = torch.cat([self._features(network, prepared.found, path) for path in defects])
        trusted = unseen | self._frozen()
        labelled = Labelled(features, np.array(kinds, np.intp), unseen, trusted)
        return learn_types(names, labelled, held_out_logits[torch.tensor(shown)])

    def _features(self, network: TrunkWithHead, looked: Looked, path: Path) -> Tensor:
        """What the linear layer reads of one photograph, 1 x D."""
        if path in looked.pooled:
            return network.head.features(looked.pooled[path][:1])
        return network.features(torch.from_numpy(self.read_input(path))[None])

    def _types(self) -> DefectTypes | None:
        types: DefectTypes | None = getattr(self, "types_", None)
        return types

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

    def _pool_copies(self, path: Path, axes: PrincipalAxes, learnt: bool) -> Tensor:
        """Pooled features of a photograph, and where it is learnt from, of its copies: copies x D."""
        copies = [self.extractor().extract(path)]
        if learnt and self._copied():
            image, augmentation = PixelCache().read(path, self.preprocessing()), self.augmented_by()
            made = mirrored_copies(image) if self.mirrored else []
            made += [] if augmentation is None else augmentation.copies(image)
            copies += map(self.extractor().extract_resized, made)
        return torch.cat([pool(axes(batch_of_one(maps))) for maps in copies])

    def _classes_of(self, labels: Sequence[Label], names: Sequence[str]) -> list[int]:
        if self.classes == "binary":
            return [int(label.defective) for label in labels]
        return [names.index(label.defect_type) for label in labels]

    def _logits(self, network: TrunkWithHead, paths: Sequence[Path]) -> Iterator[Tensor]:
        """Logits of the classes for photographs one by one."""
        if self._frozen():
            head = network.head
            for maps in self.extractor().stream(paths):
                with torch.inference_mode():
                    logits = head.logits(head.pooled(batch_of_one(maps)))[0]
                yield logits
            return
        contract, pixels = self.preprocessing(), PixelCache()
        for path in paths:
            planes = torch.from_numpy(standardise(pixels.read(path, contract), contract))[None]
            with torch.inference_mode():
                logits = network.logits(planes)[0]
            yield logits

    def _fitted(self) -> TrunkWithHead:
        network = self.network()
        assert isinstance(network, TrunkWithHead)
        return network

    def _frozen(self) -> bool:
        return self.trainable == "head"

    def _copied(self) -> bool:
        """Whether a frozen network reads copies of the photographs too."""
        return self.mirrored or self.augment != NONE

    def _augmented(self) -> v2.Transform:
        """What is done to photographs that a network is trained on; before all else what `augment` says."""
        own, more = augmentation(self.training_size or self.size, self.mirrored), self.augmented_by()
        return own if more is None else v2.Compose([more, own])

    def _head(self, names: Sequence[str]) -> ClassifierHead:
        network = PlainTrunk if self.backbone == PLAIN else self._pretrained()
        strides = PlainTrunk.strides if self.backbone == PLAIN else self._pretrained().strides
        grids = [-(-self.size // stride) for stride in strides]
        return ClassifierHead(network.channels, grids, self.size, names, self.dropout, self._frozen())

    def _trunk(self) -> nn.Module:
        """A trunk to train."""
        if self.backbone == PLAIN:
            return PlainTrunk()
        return copy.deepcopy(self._pretrained()).requires_grad_(True)

    def _pretrained(self) -> Backbone:
        size = None if self.transformer is None else self.size  # any other reads any size
        return pretrained_backbone(self.backbone, self.taps, self.weights, self.seed, size)
