"""What detectors on frozen features share: the backbone, its extractor, and the whole graph for export."""

from __future__ import annotations

import dataclasses
import functools
from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from blemish.core.errors import UsageError
from blemish.core.progress import task
from blemish.core.types import Prediction
from blemish.detectors.augmentation import COPIES, NONE
from blemish.detectors.layers import PatchScoring
from blemish.detectors.memo import Memo
from blemish.detectors.of_backbone import OfBackbone
from blemish.detectors.tiled import LocalHead, TileDistances, TileNetworks, stitched_distances
from blemish.features.backbones import DEFAULT_BACKBONE, Backbone, load_backbone
from blemish.features.extraction import FeatureExtractor, FeatureMaps
from blemish.features.halo import needed_halo
from blemish.features.learning_device import in_float32, learning_device, on_learning_device
from blemish.features.pixels import PixelCache
from blemish.features.together import Reads
from blemish.view.preprocessing import Preprocessing
from blemish.view.tiles import map_shape
from blemish.view.view import View

_NOTHING = {"masking": False, "rotations": 1, "augment": NONE}
"""Values at which parameters do nothing, where it is not 0."""

IndexArray = npt.NDArray[np.intp]


@dataclasses.dataclass
class BackboneDetector(OfBackbone):
    """A detector that reads a frozen backbone somewhere.

    Attributes:
        backbone: name of the network (see `blemish.features.backbones.load_backbone`).
        weights: file of weights instead of the usual ones, or "random" (for tests of shape and speed).
    """

    backbone: str = DEFAULT_BACKBONE
    weights: str | None = None
    _reader: Memo[FeatureExtractor] = dataclasses.field(
        default_factory=Memo, init=False, repr=False, compare=False
    )

    @abstractmethod
    def read_at(self) -> tuple[int, ...]:
        """Taps at which the backbone is read.

        Raises:
            UsageError: with these parameters it is not read at all.
        """

    def finest_stride(self) -> int:
        """Stride of the finest tap; of a vision transformer its patch."""
        return min(self.read_at()) if self.transformer is None else self.transformer.patch

    @property
    def read_size(self) -> int:
        """Side in pixels of what the backbone reads of its input."""
        return self.size

    def check_tiles(self) -> None:
        """And refuse copies."""
        super().check_tiles()
        self.refuse_in_tiles(*(["augment"] if self.augment != NONE else []))

    def refuse_in_tiles(self, *names: str) -> None:
        """Refuse parameters that say something of a photograph in one piece, where it is read in tiles.

        Raises:
            UsageError: there are any.
        """
        if self.planned_view().tiled and names:
            name = names[0]
            raise UsageError(
                f"{name}={getattr(self, name)} is not possible for {self.name} on photographs read in tiles, as it "
                f"needs them in one piece: set it to {_NOTHING.get(name, 0)}, or choose a smaller input."
            )

    def reads(self) -> Reads:
        """The backbone's feature maps, and pixels where copies are made of them; tiles are read when wanted."""
        if self.extractor().contract.tiled:
            return Reads()
        return Reads((self.extractor(),), () if self.augment == NONE else (self.preprocessing(),))

    def preprocessing(self) -> Preprocessing:
        """The contract between a photograph and the backbone's input."""
        return self.extractor().contract

    def extractor(self) -> FeatureExtractor:
        """The feature extractor of these parameters, made once."""
        return self._reader.recall((self.get_params(), self.planned_view()), self._make_extractor)

    def _make_extractor(self) -> FeatureExtractor:
        self.check_size()
        backbone = self._load_backbone()
        if not 8 <= self.bit_depth <= 16:
            raise UsageError(f"bit_depth={self.bit_depth} is not possible: choose 8 to 16.")
        planned = self.planned_view()
        contract = backbone.preprocessing(planned.height, planned.width, self.bit_depth)
        return FeatureExtractor(backbone, contract.model_copy(update={"view": self._seen_by(backbone)}))

    def _seen_by(self, backbone: Backbone) -> View | None:
        """The view, with as much around each tile as this network sees."""
        planned = self.planned_view()
        if planned.view is None or not planned.tiled:
            return planned.view
        return planned.view.model_copy(update={"halo": needed_halo(backbone, self.averaged_over)})

    @property
    def averaged_over(self) -> int:
        """Positions squared over which feature maps are averaged."""
        return getattr(self, "neighbourhood", 1)

    def _load_backbone(self) -> Backbone:
        size = None if self.transformer is None else self.read_size  # any other reads any size
        if self.weights is None:
            return _usual_backbone(self.backbone, self.read_at(), size)
        if self.weights != "random":
            return load_backbone(self.backbone, self.read_at(), Path(self.weights), size=size)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            return load_backbone(self.backbone, self.read_at(), pretrained=False, size=size)


@dataclasses.dataclass
class FrozenFeatureDetector(BackboneDetector):
    """A detector that reads a frozen backbone at the taps that its user names.

    Attributes:
        taps: strides at which it is read; of a vision transformer blocks counted from the last one, -1, which is read
            alone unless taps are given.
    """

    taps: tuple[int, ...] = (8, 16)

    def read_at(self) -> tuple[int, ...]:
        """Taps at which the backbone is read."""
        return tuple(self.taps)

    def good_features(self, paths: Sequence[Path]) -> Iterator[tuple[int, FeatureMaps]]:
        """Feature maps to learn from: a photograph's position with its own, then with those of its augmented copies."""
        augmentation, pixels = self.augmented_by(), PixelCache()
        for position, maps in enumerate(self.extractor().stream(paths)):
            yield position, maps
            if augmentation is not None:
                image = pixels.read(paths[position], self.preprocessing())
                for copy in augmentation.copies(image):
                    yield position, self.extractor().extract_resized(copy)

    def maps_each(self) -> int:
        """Most feature maps that `good_features` gives of a photograph."""
        return 1 if self.augmented_by() is None else 1 + COPIES

    def scored_by(self, head: nn.Module, paths: Sequence[Path]) -> Iterator[Prediction]:
        """What a head, feature maps in, score (1) and map (H x W) out, says of photographs one by one, in order."""
        if self.extractor().contract.tiled:
            assert isinstance(head, LocalHead)  # `reads_tiles` says so
            for tiles in self.extractor().stream_tiles(paths):
                distances = stitched_distances(self.extractor(), head, tiles)
                said = said_by(head.scoring, distances)
                yield dataclasses.replace(said, farthest=float(distances.max()))
            return
        head, device = on_learning_device(head), learning_device()
        for maps in self.extractor().stream(paths):
            yield said_by(head, batch_of_one(maps, device))

    def networks_of_tiles(self, head: LocalHead) -> TileNetworks:
        """The graph of a tile, and the one that scores what all tiles give together."""
        return TileNetworks(TileDistances(self.extractor().backbone, head).eval(), head.scoring.eval())

    def patch_scoring(self, grid: tuple[int, int], top: float | None, sigma: float) -> PatchScoring:
        """What scores the distances of all patches on a grid; in tiles the map is no larger than disks can bear."""
        contract = self.extractor().contract
        height, width = map_shape(contract, contract.height // grid[0])
        return PatchScoring(grid, (height, width), top, sigma * height / contract.height)

    def scored_by_fold(
        self, paths: Sequence[Path], folds: int, most: int, head_without: Callable[[IndexArray], nn.Module]
    ) -> Iterator[tuple[int, Prediction]]:
        """Positions and predictions of `most` of the photographs (see `drawn`), each by a head without its own fold.

        Args:
            paths: photographs learnt from.
            folds: parts of the cross-validation.
            most: photographs that are scored, drawn by the seed; more where their last group has more.
            head_without: makes a head of all photographs but those at the positions given.
        """
        chosen = self.drawn(paths, most, self.seed)
        with task("Scoring good images as if unseen", len(chosen)) as advance:
            for part in self.fold_parts(paths, folds, self.seed):
                head = head_without(part)
                scored = np.intersect1d(part, chosen).tolist()
                predictions = self.scored_by(head, [paths[position] for position in scored])
                for position, prediction in zip(scored, predictions, strict=True):
                    advance(1)
                    yield position, prediction


@functools.lru_cache(maxsize=4)
def _usual_backbone(name: str, taps: tuple[int, ...], size: int | None) -> Backbone:
    """A backbone with its usual weights, which detectors share: it is frozen."""
    return load_backbone(name, taps, size=size)


class BackboneWithHead(nn.Module):
    """The whole detector: a preprocessed image in, score and map out."""

    def __init__(self, backbone: Backbone, head: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = head

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Score (1) and map (H x W) of a 1 x 3 x H x W image."""
        score, anomaly_map = self.head(self.backbone(image))
        return score, anomaly_map


def batch_of_one(maps: FeatureMaps, device: torch.device | None = None) -> list[Tensor]:
    """Extracted feature maps as tensors with a batch dimension in front, on a device if so asked."""
    return [torch.from_numpy(features)[None].to(device) for features in maps]


def said_by(head: nn.Module, *inputs: Any) -> Prediction:
    """What a head says; computed here, for a generator that yields inside `inference_mode` spreads it to its caller."""
    with torch.inference_mode(), in_float32():
        if isinstance(head, LocalHead):
            score, anomaly_map, distances = head.said(*inputs)
            return prediction_of(score, anomaly_map, float(distances.max()))
        return prediction_of(*head(*inputs))


def prediction_of(score: Tensor, anomaly_map: Tensor, farthest: float | None = None) -> Prediction:
    """A head's outputs, score (1) and map (H x W), as a prediction of its own memory."""
    found = anomaly_map.cpu().numpy().astype(np.float32, copy=True)
    return Prediction(float(score[0]), found, farthest=farthest)
