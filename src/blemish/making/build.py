"""From a catalog of good parts to an artifact: fit, calibrate, check parity, write."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import json
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch

from blemish.core.progress import task
from blemish.data.catalog import Catalog
from blemish.data.entries import ANOMALOUS, TRAIN
from blemish.detectors.base import Detector
from blemish.detectors.tiled import LocalHead, TileNetworks, WithNearest, exported_tiles
from blemish.evaluation.normal_scores import NormalScores
from blemish.features.onnx_export import to_onnx
from blemish.line.artifact import (
    FEATURES,
    HISTORY,
    MODEL,
    NEAREST,
    SCORING,
    write_artifact,
)
from blemish.line.manifest import (
    DetectorRecord,
    FeaturesRecord,
    Manifest,
    ParityRecord,
    SupervisionRecord,
    TrainingRecord,
    training_digests,
)
from blemish.line.rows import features_record
from blemish.line.tiled import TiledNetwork
from blemish.making.backbone import exported_backbone
from blemish.making.calibrate import Calibrated, calibrate
from blemish.making.calibration_set import CalibrationSet
from blemish.making.first_decision import ANY_RATES, Rates, require_promised
from blemish.making.good_patches import bank_members
from blemish.making.parity import check_parity, check_tiled_parity
from blemish.making.reach import Reach, measure_reach
from blemish.making.reading import LABELLED_SHARE, Readable, read_for_learning
from blemish.making.suitability import suitability_of
from blemish.view.preprocessing import Preprocessing

_PARITY_IMAGES = 4
_NOT_IN_JSON = frozenset({"normal", "manifest", "learnt", "set_aside"})
_LIBRARIES = ("blemish", "numpy", "openvino", "opencv-python-headless", "pillow", "timm", "torch")


@dataclasses.dataclass(frozen=True)
class BuildSummary:
    """What a build did.

    Attributes:
        path: the artifact.
        category, detector: what was learnt, and how.
        n_train: different images learnt from.
        learnt: the good ones among them; not in the JSON.
        n_labelled: of these, labelled test images that a supervised detector was given.
        epochs: epochs trained; 0 where the detector does not train.
        measured: what a supervised detector reached on the images held out from training, by name.
        n_scores: of these, scored as if unseen for the threshold.
        threshold: decision threshold on the anomaly score.
        seconds: time of the whole build.
        megabytes: size of the artifact.
        parity_error: largest relative difference between the laboratory's and the line's path.
        skipped: training images that could not be read, each with path and detail.
        copies: training images left out, as they show the same pixels as another, each with path and `same_as`.
        left_out: images left out as they stood far out of the others, each with path, score and deviations, where that
            was asked for; and all others of their parts, which have neither.
        set_aside: good photographs that the layout sets aside for the calibration; not in the JSON.
        normal: the scores for the threshold, with the photographs at either end; not in the JSON.
        manifest: what the artifact says of itself; not in the JSON.
        history: losses and validation figures of each epoch, empty where the detector does not train.
        chosen: what parameters that were left to the fit came to mean, by name.
        more_photographs: what to expect from so few photographs and what more would bring, where that was measured.
    """

    path: str
    category: str
    detector: str
    n_train: int
    learnt: Sequence[Path] = dataclasses.field(repr=False, compare=False)
    n_labelled: int
    epochs: int
    measured: dict[str, float]
    n_scores: int
    threshold: float
    seconds: float
    megabytes: float
    parity_error: float
    skipped: list[dict[str, str]]
    copies: list[dict[str, str]]
    left_out: list[dict[str, Any]]
    set_aside: CalibrationSet = dataclasses.field(repr=False, compare=False)
    normal: NormalScores = dataclasses.field(repr=False, compare=False)
    manifest: Manifest = dataclasses.field(repr=False, compare=False)
    history: Sequence[Mapping[str, float]] = dataclasses.field(repr=False, compare=False)
    chosen: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    more_photographs: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The summary as JSON-ready values."""
        return {name: value for name, value in vars(self).items() if name not in _NOT_IN_JSON}


def build_inspector(
    catalog: Catalog,
    out: Path,
    detector: Detector,
    *,
    name: str | None = None,
    folds: int | None = None,
    labelled_share: float = LABELLED_SHARE,
    readable: Readable | None = None,
    leave_out_suspicious: bool = False,
    check_photographs: bool = True,
    rates: Rates = ANY_RATES,
    pictures: bool = True,
) -> BuildSummary:
    """Fit a detector on the catalog's training images and write it as an inspector.

    Training images that cannot be read are left out and listed, and so are those that show the same pixels as another:
    equal images count once, for learning and for the threshold. This follows from scores of good images as if unseen
    (`blemish.line.decision.by_rates`): each scored by a detector fitted on the other folds, or held out from
    training; or, where the layout sets enough of them aside, these by the detector itself
    (`blemish.making.calibration_set`).
    Test images that a supervised detector learnt from are named in the artifact, so that nothing judges it by them.

    Args:
        catalog: one category.
        out: the `.blemish` file, replaced whole.
        detector: unfitted.
        name: the inspector's name; the file's when None.
        folds: parts of the cross-validation; as many as the detector says when None.
        labelled_share: see `learning_catalog`.
        leave_out_suspicious: learn again without the good images that stand far out and those of their parts
            (`NormalScores.leaving`), and calibrate without them.
        check_photographs: learn what photographs must be like to be judged (`blemish.making.suitability`), where enough
            of them were measured when they were read.
        pictures: whether pictures of the good patches in a memory bank go into the file, to be shown beside defects.
        readable: what `readable_for` gives of the `learning_catalog`, where somebody has already read it.
        rates: of good parts that are rejected and reviewed.

    Raises:
        CatalogError: too few readable good images.
        UsageError: so few can never promise the rates.
        BlemishError: the parity gate refused, or the file could not be written.
    """
    started = time.perf_counter()
    if readable is None:
        readable = read_for_learning(catalog, detector, labelled_share, measure=check_photographs)
    require_promised(rates, readable)
    supervision = _supervision(catalog, readable, labelled_share, detector.seed)
    detector.fit(readable.catalog)
    parts = folds or detector.calibration_folds
    calibrated = calibrate(detector, readable, parts, rates)
    left_out: list[dict[str, Any]] = []
    if leave_out_suspicious and (left_out := _leaving(calibrated.normal)):
        readable = readable.without([Path(one["path"]) for one in left_out])
        detector.fit(readable.catalog)
        calibrated = calibrate(detector, readable, parts, rates)
    networks, parity, reach = _export(detector, readable.catalog)
    training = TrainingRecord(
        category=catalog.category,
        n_images=len(readable.catalog),
        digests=training_digests([readable.digests[path] for path in readable.catalog.table["path"]]),
        seed=detector.seed,
        created=datetime.now(UTC),
        seconds=time.perf_counter() - started,
        supervision=supervision,
        measured=getattr(detector, "metrics_", {}),
    )
    suitable = suitability_of(readable) if check_photographs else None
    manifest = _manifest(name or Path(out).stem, detector, calibrated, training, parity, reach)
    manifest = manifest.model_copy(update={"suitability": suitable and suitable.record})
    history = getattr(detector, "history_", [])
    bank = bank_members(detector, readable, calibrated.farthest, pictures)
    members = {**networks, FEATURES: exported_backbone(), **calibrated.members(), **bank}
    members |= suitable.members() if suitable else {}
    write_artifact(out, manifest, members | ({HISTORY: json.dumps(history).encode()} if history else {}))
    return BuildSummary(
        path=str(out),
        category=catalog.category,
        detector=detector.name,
        n_train=len(readable.catalog),
        learnt=readable.catalog.train_normal(),
        n_labelled=len(supervision.digests) if supervision else 0,
        epochs=len(history),
        measured=training.measured,
        n_scores=len(calibrated.normal),
        threshold=calibrated.decision.threshold,
        seconds=time.perf_counter() - started,
        megabytes=Path(out).stat().st_size / 1e6,
        parity_error=parity.max_relative_error,
        skipped=readable.skipped,
        copies=readable.copies,
        left_out=left_out,
        set_aside=readable.calibration,
        normal=calibrated.normal,
        manifest=manifest,
        history=history,
        chosen=manifest.detector.chosen,
        more_photographs=detector.more_photographs(),
    )


def _supervision(catalog: Catalog, readable: Readable, share: float, seed: int) -> SupervisionRecord | None:
    """The test images of `catalog` that `readable` has for training; None where there are none."""
    before = dict(zip(catalog.table["path"], catalog.table["split"], strict=True))
    moved = [path for path in readable.digests if before[path] != TRAIN]  # copies too: none of them is unseen
    if not moved:
        return None
    table = readable.catalog.table
    return SupervisionRecord(
        share=share,
        seed=seed,
        n_defective=int((table["path"].isin(moved) & (table["label"] == ANOMALOUS)).sum()),
        digests=training_digests([readable.digests[path] for path in moved]),
    )


def suspects_of(normal: NormalScores) -> list[dict[str, Any]]:
    """Photographs learnt as good that stand out, each with path, score and deviations; JSON-ready.

    The score is None where it was not scored as if unseen.
    """
    found = [
        {"path": str(image.path), "score": image.score, "deviations": away} for image, away in normal.outliers
    ]
    return found + [
        {"path": str(path), "score": None, "deviations": normal.suspected[path]} for path in normal.unscored
    ]


def _leaving(normal: NormalScores) -> list[dict[str, Any]]:
    """`suspects_of`, and the other photographs of their parts, which have neither score nor deviations."""
    found = suspects_of(normal)
    named = {one["path"] for one in found}
    others = [str(path) for path in normal.leaving if str(path) not in named]
    return found + [{"path": path, "score": None, "deviations": None} for path in others]


def _export(detector: Detector, catalog: Catalog) -> tuple[dict[str, bytes], ParityRecord, Reach]:
    """The fitted detector as ONNX members, and what was measured of it on a few of the photographs."""
    contract, features = detector.preprocessing(), _features(detector)
    outputs, explains = _detector_record(detector).outputs, detector.explains
    paths = _spread(detector.files_seen(_spread(catalog.train_normal(), _PARITY_IMAGES)), _PARITY_IMAGES)
    with task("Exporting and checking the inspector"):
        has_bank = detector.bank_sources() is not None
        if contract.tiled:
            return _export_tiles(detector.tile_networks(), contract, outputs, paths, has_bank)
        network = detector.whole_network()
        shape = (3, contract.height, contract.width) if features is None else (features.columns,)
        has_bank = has_bank and isinstance(getattr(network, "head", None), LocalHead)
        whole = (*outputs, *explains)
        exported, names = (WithNearest(network), (*whole, NEAREST)) if has_bank else (network, whole)
        model = to_onnx(exported, torch.zeros(1, *shape), names)
        parity, reach = check_parity(network, model, contract, paths, features, whole), Reach(False)
        if detector.gives_maps and outputs == ("score", "map") and features is None:
            reach = measure_reach(model, contract, paths)
        return {MODEL: model}, parity, reach


def _export_tiles(
    networks: TileNetworks,
    contract: Preprocessing,
    outputs: Sequence[str],
    paths: Sequence[Path],
    has_bank: bool,
) -> tuple[dict[str, bytes], ParityRecord, Reach]:
    """A detector that reads tiles: a graph of one tile, and one of what all tiles give together."""
    model, scoring = exported_tiles(networks, contract, outputs, has_bank)
    runtime = TiledNetwork(model, scoring, contract, Path("the inspector"))
    parity = check_tiled_parity(networks, runtime, contract, paths)
    return {MODEL: model, SCORING: scoring}, parity, Reach(False)


def _features(detector: Detector) -> FeaturesRecord | None:
    """What the manifest says of a network that is given a row of features."""
    return None if detector.row_features is None else features_record(detector.row_features)


def _manifest(
    name: str,
    detector: Detector,
    calibrated: Calibrated,
    training: TrainingRecord,
    parity: ParityRecord,
    reach: Reach,
) -> Manifest:
    """Everything the artifact says of itself."""
    libraries = {}
    for library in _LIBRARIES:
        try:
            libraries[library] = importlib.metadata.version(library)
        except importlib.metadata.PackageNotFoundError:
            libraries[library] = "not installed as a package"
    measured = {"score_is_maximum": reach.score_is_maximum, "reach": reach.pixels}
    return Manifest(
        name=name,
        detector=_detector_record(detector).model_copy(update=measured),
        preprocessing=detector.photograph_preprocessing(),
        features=_features(detector),
        calibration=calibrated.record,
        decisions=(calibrated.decision,),
        training=training,
        libraries=libraries,
        parity=parity,
    )


def _detector_record(detector: Detector) -> DetectorRecord:
    """What the artifact says of the detector."""
    parameters = {
        key: list(value) if isinstance(value, tuple) else value
        for key, value in detector.get_params().items()
    }
    return DetectorRecord(
        name=detector.name,
        parameters=parameters,
        parts=detector.member_names,
        types=detector.defect_types,
        gives_maps=detector.gives_maps,
        gives_mask_probability=detector.gives_mask_probability,
        explains=detector.explains,
        metric=detector.measures,
        chosen=detector.chosen(),
    )


def _spread(paths: Sequence[Path], count: int) -> list[Path]:
    """`count` paths evenly spread over all."""
    return [paths[i] for i in np.unique(np.linspace(0, len(paths) - 1, count).astype(int))]
