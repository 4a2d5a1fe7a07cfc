"""The contract that every detector keeps, as scikit-learn estimators keep theirs."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self, overload

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import nn

from blemish.core.errors import UsageError
from blemish.core.image_inputs import ImageInput
from blemish.core.settings import cache_folder
from blemish.core.storage import file_digest
from blemish.core.types import FloatArray, Prediction, mean_probability
from blemish.data.catalog import Catalog
from blemish.data.copies import counted_once
from blemish.data.entries import TRAIN
from blemish.detectors.augmentation import AUTO, NONE
from blemish.detectors.augmentation_choice import AugmentationChoice, choose_augmentation
from blemish.detectors.augmenting import Augmenting
from blemish.detectors.bank_sources import BankSources
from blemish.detectors.folding import Folding
from blemish.detectors.inputs import ImageInputs, catalog_of, files_of, is_several
from blemish.detectors.joined_parts import joined_predictions, joined_unseen
from blemish.detectors.parameters import Parameters, require_fitted
from blemish.detectors.placing import is_moved, placed, where_it_counts
from blemish.detectors.tiled import TileNetworks
from blemish.detectors.timing import measured_seconds
from blemish.detectors.view_parameters import ViewParameters
from blemish.features.pixels import PixelCache, contents_of
from blemish.features.together import Reads
from blemish.line.manifest import Explains, TypeCalibrationRecord
from blemish.view.preprocessing import Preprocessing, standardise
from blemish.view_planning.plan import PlannedView

QUICK_SIZE, QUICK_EPOCHS = 128, 5
"""Of a small first run."""


@dataclasses.dataclass(repr=False)
class Detector(Parameters, ViewParameters, Folding, Augmenting, ABC):
    """Base of all detectors: a dataclass whose fields are its parameters, as in scikit-learn.

    `__init__` only stores parameters; `fit` checks them, learns, writes attributes that end in `_` and returns
    self; nothing is learnt outside `fit`; the same seed gives the same result.

    A detector of your own is a dataclass too, and gives two methods, `learn` and `network`, and others where it can do
    better than here. `blemish.check_detector` judges it, and `blemish.register` makes it known by a name.

    Attributes:
        seed: seed of everything random.
        augment: what is done to good photographs so that more is learnt from them, besides what the detector does
            itself: "none", some of `blemish.detectors.augmentation.TRANSFORMS` with commas between, or "auto", which
            chooses on good photographs held out and defects painted on them.

    `measures` says in words what the score is. A detector that says whether but not where (`gives_maps` is False)
    has a map that is its score everywhere; one whose map holds the logits of a mask (`gives_mask_probability`) gives
    the mean probability of each photograph too. `later` names parameters that came after the others (see
    `key_parameters`), and `augments` says whether copies are learnt from where `augment` asks for them. A detector
    that `reads_tiles` takes photographs of any size, and gives `tile_networks`.
    Where training has a history, `history_` holds for each epoch its number, losses, rate and seconds.

    Example:
        >>> import blemish
        >>> blemish.PatchCore(size=352).set_params(seed=1).clone()
        PatchCore(size=352, seed=1)
        >>> blemish.PatchCore(size=352).get_params()["size"]
        352
    """

    gives_maps: ClassVar[bool] = True
    gives_mask_probability: ClassVar[bool] = False
    calibration: ClassVar[str] = "k-fold"
    calibration_folds: ClassVar[int] = 4
    measures: ClassVar[str] = "anomaly score"
    augments: ClassVar[bool] = False
    reads_tiles: ClassVar[bool] = False
    later: ClassVar[tuple[str, ...]] = ()
    seed: int = 0
    augment: str = NONE
    _augmentation_choice: AugmentationChoice | None = dataclasses.field(
        default=None, init=False, repr=False, compare=False
    )

    def __init_subclass__(cls, **arguments: Any) -> None:
        super().__init_subclass__(**arguments)
        if "name" not in vars(cls):  # a stranger's, until it is registered
            cls.name = cls.__name__

    def fit(self, data: ImageInputs) -> Self:
        """Learn from good parts; photographs of equal pixels count once (see `blemish.data.copies.counted_once`).

        Args:
            data: a folder in any layout, paths, PIL images, uint8 arrays (H x W x 3 RGB, or H x W), bytes of files,
                one of these alone, or a catalog. Of a catalog it is the training images.

        Raises:
            CatalogError: there are too few normal training images, or defective ones stand among them.
            UsageError: a parameter's value cannot be meant, or what was given is no photograph.
            ImageError: a training image cannot be read.
        """
        before = self._fitted_with, self._augmentation_choice
        self._fitted_with = None  # what learns may ask the detector what it says
        try:
            with catalog_of(data, self.bit_depth) as given:
                catalog = self._counted_once(given)
                self.know_groups(catalog)
                if not self._told_view:
                    self.look_by(self.plan_view(catalog.train_normal()))
                self.check_tiles()
                catalog = catalog if self.cuts is None else self.cuts.catalog(catalog).catalog
                self.know_groups(catalog)
                self.check_augment()
                self._augmentation_choice = self.choose_augment(catalog) if self.augment == AUTO else None
                self.learn(catalog)
        except BaseException:
            self._fitted_with, self._augmentation_choice = before
            raise
        self._fitted_with = self.get_params()
        return self

    @overload
    def predict(self, images: str | Path) -> Any: ...

    @overload
    def predict(self, images: bytes | Image.Image | npt.NDArray[np.uint8]) -> Prediction: ...

    @overload
    def predict(self, images: Sequence[ImageInput] | Catalog) -> Iterator[Prediction]: ...

    def predict(self, images: ImageInputs) -> Any:
        """Score photographs.

        Args:
            images: one photograph (a path, bytes of a file, a PIL image or a uint8 array), or several, in a sequence,
                a folder or a catalog.

        Returns:
            The prediction for one photograph; for several their predictions one by one, in order, in bounded memory.

        Raises:
            NotFittedError: before `fit`.
            ImageError: a file cannot be read.
            UsageError: what was given is no photograph.
        """
        if is_several(images):
            return self._predictions(images)
        (prediction,) = self._predictions(images)
        return prediction

    def predict_seen(self, paths: Sequence[Path]) -> Iterator[Prediction]:
        """What `predict` does with files that need no cutting: photographs, or parts that were cut out of them."""
        moved = is_moved(self.planned_view().view)
        for path, said in zip(paths, self.predict_files(paths), strict=True):
            prediction = placed(said, path, self.preprocessing()) if moved else said
            if self.gives_mask_probability:
                probability = mean_probability(prediction.anomaly_map)
                prediction = dataclasses.replace(prediction, mask_probability=probability)
            yield self._where_it_counts(prediction)

    @abstractmethod
    def learn(self, catalog: Catalog) -> object:
        """What `fit` does: learn from the catalog's training images, and raise as `fit` says."""

    def predict_files(self, paths: Sequence[Path]) -> Iterator[Prediction]:
        """What `predict` does with files: score them one by one, in order, and raise as `predict` says."""
        network = self.network().eval()
        for path in paths:
            with torch.inference_mode():
                score, anomaly_map = network(torch.from_numpy(self.read_input(path))[None])
            yield Prediction(float(score[0]), anomaly_map.numpy())

    @abstractmethod
    def network(self) -> nn.Module:
        """The fitted detector as one graph: a 1 x 3 x H x W preprocessed image in, score (1) and map (H x W) out.

        Where `row_features` names any, a 1 x D row of them comes in.
        """

    @property
    def row_features(self) -> str | None:
        """Which of `blemish.line.rows.ROW_FEATURES` the network is given instead of the picture; usually none."""
        return None

    def learns_from_defects(self) -> bool:
        """Whether `fit` needs defective images among the training images, with these parameters."""
        return False

    def measured_seconds(self, paths: Sequence[Path], planned: PlannedView) -> float:
        """Seconds that a photograph takes on this machine, from its file to its score, looked at as planned.

        A clone is fitted on a few of the photographs, and its network is run as the line runs it.
        """
        return measured_seconds(self, paths, planned)

    def check_tiles(self) -> None:
        """Refuse a view in tiles where the detector cannot read it.

        Raises:
            UsageError: it needs its input in one piece.
        """
        if self.planned_view().tiled and not self.reads_tiles:
            raise UsageError(
                f"{self.name} cannot read photographs in tiles: choose patchcore, knn or gaussian-mixture, a smaller "
                "input, or split them into parts with --parts grid:RxC (rows, columns), which every detector reads."
            )

    def tile_networks(self) -> TileNetworks:
        """The fitted detector as two graphs, one of a tile; of a detector that `reads_tiles`."""
        raise NotImplementedError

    def choose_augment(self, catalog: Catalog) -> AugmentationChoice | None:
        """What `augment` "auto" comes to mean on these photographs; None for nothing."""
        return choose_augmentation(self, catalog)

    def chosen(self) -> dict[str, Any]:
        """What parameters that were left to `fit` came to mean by what it saw, by name; JSON-ready."""
        choice = self._augmentation_choice
        return {} if choice is None else choice.to_json()

    def suspicious(self) -> dict[Path, float]:
        """Good photographs that show what no other does, and by how many robust standard deviations, where known."""
        return {}

    def more_photographs(self) -> dict[str, Any]:
        """What to expect from so few photographs and what more would bring, JSON-ready; empty where not measured."""
        return {}

    @property
    def member_names(self) -> tuple[str, ...]:
        """Names of the detectors that this one is made of, where it is of several."""
        return ()

    @property
    def defect_types(self) -> tuple[str, ...]:
        """Names of the defect types that the fitted detector tells apart."""
        return ()

    def type_calibration(self) -> TypeCalibrationRecord | None:
        """How far these types can be believed; None where there are none."""
        return None

    @property
    def explains(self) -> tuple[Explains, ...]:
        """Names of the outputs of `whole_network` behind the others, which only explanations fetch."""
        return ()

    def whole_network(self) -> nn.Module:
        """The graph with all outputs that `blemish.line.manifest.DetectorRecord.outputs` names, then `explains`.

        Where there are parts, -log10 of the p-value by each of them; where there are defect types, the probability of
        each, and the distance to the nearest labelled defect.
        """
        return self.network()

    def bank_sources(self) -> BankSources | None:
        """Where the vectors of the fitted memory bank come from; None of a detector without one.

        With one, `network` and `tile_networks().tile` have a `backbone`, and a `head` that knows `LocalHead.nearest`.
        """
        return None

    def reads(self) -> Reads:
        """What learning reads of every photograph, so that one pass decodes it once for all: its pixels, unless said.

        Raises:
            UsageError: a parameter's value cannot be meant.
        """
        return Reads(contracts=(self.preprocessing(),))

    def preprocessing(self) -> Preprocessing:
        """The contract between a photograph and the network's input: pixels in [0, 1], unless a detector changes it."""
        zero, full = (0.0, 0.0, 0.0), (255.0, 255.0, 255.0)
        planned = self.planned_view()
        return Preprocessing(
            height=planned.height,
            width=planned.width,
            mean=zero,
            std=full,
            bit_depth=self.bit_depth,
            view=planned.view,
        )

    def viewed(self, contract: Preprocessing) -> Preprocessing:
        """A contract with the view as planned."""
        return contract.model_copy(update={"view": self.planned_view().view})

    def photograph_preprocessing(self) -> Preprocessing:
        """The contract that an inspector carries: `preprocessing`, and how parts are cut out before it."""
        contract, whole = self.preprocessing(), self.photograph_view().view
        if self.cuts is None or whole is None:
            return contract
        halo = 0 if contract.view is None else contract.view.halo
        return contract.model_copy(update={"view": whole.model_copy(update={"halo": halo})})

    def files_seen(self, paths: Sequence[Path]) -> list[Path]:
        """What is looked at of photographs: these files, or files of the parts that were cut out of them.

        Raises:
            ImageError: one cannot be read, or shows no part.
        """
        if self.cuts is None:
            return list(paths)
        return [file for path in paths for file in self.cuts.photograph(path).files]

    def read_input(self, path: Path) -> FloatArray:
        """A photograph as the network's input, float32 3 x H x W; decoded once, then kept as pixels on disk.

        Where `row_features` names any, it is a row of them, float32 D.

        Raises:
            ImageError: the file cannot be read.
        """
        contract = self.preprocessing()
        return standardise(_pixel_cache(cache_folder()).read(path, contract), contract)

    def cross_predict(self, catalog: Catalog, folds: int) -> Iterator[tuple[int, Prediction]]:
        """Score every normal training image as if unseen, by a detector fitted on the other folds.

        Yields the image's position in `catalog.train_normal()` and its prediction. Of images of equal pixels the first
        is scored alone: none has a copy among those that were learnt from, and none has one of its own group there.

        Raises:
            NotFittedError: before `fit`, or with other parameters than `fit` had.
        """
        once = self._counted_once(catalog)
        self.know_groups(once)
        places = {path: place for place, path in reversed(list(enumerate(catalog.train_normal())))}
        paths = once.train_normal()
        for position, prediction in self._unseen(once, folds):
            yield places[paths[position]], self._where_it_counts(prediction)

    def _unseen(self, catalog: Catalog, folds: int) -> Iterator[tuple[int, Prediction]]:
        """What `predict_unseen` says of photographs: of those with several parts, what it says of all their parts."""
        if self.cuts is None:
            self.know_groups(catalog)
            yield from self.predict_unseen(catalog, folds)
        else:
            cut = self.cuts.catalog(catalog)
            self.know_groups(cut.catalog)
            yield from joined_unseen(self.cuts, catalog, cut, self.predict_unseen(cut.catalog, folds))

    def predict_unseen(self, catalog: Catalog, folds: int) -> Iterator[tuple[int, Prediction]]:
        """What `cross_predict` does with images that are all different: a position and a prediction of each.

        Raises:
            NotFittedError: before `fit`, or with other parameters than `fit` had.
        """
        require_fitted(self, "_fitted_with")
        paths = catalog.train_normal()
        rows = np.flatnonzero((catalog.table["split"] == "train") & (catalog.table["label"] == "normal"))
        for held_out in self.fold_parts(paths, folds, self.seed):
            others = np.setdiff1d(np.arange(len(catalog)), rows[held_out])
            detector = self.clone().set_params(augment=self._augment()).look_as(self.planned_view())
            detector.fit(catalog.subset(others))
            yield from zip(held_out.tolist(), detector.predict([paths[i] for i in held_out]), strict=True)

    def key_parameters(self) -> dict[str, Any]:
        """Parameters for the key of what is kept: those of `later` only where they are not at their default, so that
        what was kept before there was such a parameter is found again; `augment` as what it came to mean."""
        usual, later = self.defaults(), ("augment", *self.view_names, *self.later)
        given = self.get_params() | {"augment": self._augment()}
        if self.mask:  # another mask under the same name is another
            with contextlib.suppress(OSError):
                given["mask"] = f"{self.mask} {file_digest(Path(self.mask))}"
        return {name: given[name] for name in given if name not in later or given[name] != usual[name]}

    def key_of(self, paths: Sequence[Path]) -> tuple[Any, ...]:
        """What is learnt from photographs depends on them, their groups, the view and the parameters: a memo's key."""
        return self.get_params(), self.planned_view(), list(paths), self.groups_of(paths)

    @property
    def size_unit(self) -> int:
        """Pixels of which `size` is a multiple: networks halve it five times."""
        return 32

    def check_size(self) -> None:
        """Refuse a size that the network cannot read, or that no machine has memory for.

        Raises:
            UsageError: it is no multiple of 32 from 64 to 2048.
        """
        if self.size % self.size_unit or not 64 <= self.size <= 2048:
            raise UsageError(
                f"size={self.size} is not possible for {self.name}: choose a multiple of {self.size_unit} from 64 to "
                "2048."
            )

    def quick_parameters(self) -> dict[str, Any]:
        """What is changed for a small first run: 128 pixels; a subclass adds what else takes long."""
        return {"size": QUICK_SIZE}

    def suited_space(self, space: Mapping[str, list[Any]]) -> dict[str, list[Any]]:
        """Values that a search tries by default: those of `DetectorInfo`, as other parameters leave them possible."""
        return dict(space)

    def _predictions(self, images: ImageInputs) -> Iterator[Prediction]:
        """Predictions of photographs, those in memory as files for as long as they are scored."""
        with files_of(images, self.bit_depth) as paths:
            if self.cuts is None:
                yield from self.predict_seen(paths)
            else:
                yield from joined_predictions(self.cuts, paths, self.predict_seen)

    def _where_it_counts(self, prediction: Prediction) -> Prediction:
        return where_it_counts(prediction, self.planned_view().view) if self.gives_maps else prediction

    def _counted_once(self, catalog: Catalog) -> Catalog:
        """The catalog with one training image of each content."""
        paths = [Path(path) for path in catalog.table.loc[catalog.table["split"] == TRAIN, "path"]]
        return counted_once(catalog, contents_of(paths, self.bit_depth, _pixel_cache(cache_folder())))


@functools.lru_cache(maxsize=1)
def _pixel_cache(folder: Path) -> PixelCache:
    """The cache of pixels, opened once, as that counts its files; `folder` is where all caches are now."""
    return PixelCache()
