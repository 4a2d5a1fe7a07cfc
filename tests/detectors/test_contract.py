"""One suite for every registered detector, as scikit-learn's `check_estimator` is for estimators.

A new detector joins by registering; nothing here names one.
"""

from __future__ import annotations

import ctypes
import dataclasses
import gc
import io
import re
import shutil
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import roc_auc_score

from blemish.core.errors import BlemishError, CatalogError, ImageError, NotFittedError, UsageError
from blemish.core.folds import fold_positions
from blemish.core.images import read_image
from blemish.core.network import CompiledNetwork
from blemish.core.preprocessing import preprocess
from blemish.core.types import Prediction
from blemish.data.catalog import Catalog, open_catalog
from blemish.detectors.base import Detector
from blemish.detectors.registry import create_detector, detector_info, detector_names
from blemish.features.onnx_export import to_onnx
from blemish.making.reading import learning_catalog

SIZE = 128
# What keeps tests short, for those detectors that have such a parameter.
SHORT = {"size": SIZE, "coreset_size": 150, "epochs": 1, "examples_per_epoch": 16, "precision": "float32"}
SHORT |= {"members": ("patchcore:quick", "knn")}
# Enough to tell a plain defect, for those that train.
TRAINED = {**SHORT, "epochs": 6, "examples_per_epoch": 64, "batch_size": 4, "patience": 0}

every_detector = pytest.mark.parametrize("name", detector_names())


@dataclasses.dataclass(frozen=True)
class Learnt:
    """A fitted detector, what it fitted, and what it says of all test images."""

    detector: Detector
    catalog: Catalog
    paths: list[Path]
    predictions: list[Prediction]

    @property
    def scores(self) -> np.ndarray:
        return np.array([prediction.score for prediction in self.predictions])


def make(name: str, **parameters: Any) -> Detector:
    """An unfitted detector that learns quickly."""
    wanted = {**SHORT, **parameters}
    return create_detector(name, **{k: v for k, v in wanted.items() if k in detector_info(name).parameters})


def trains(name: str) -> bool:
    return "epochs" in detector_info(name).parameters


def material(name: str, catalog: Catalog) -> Catalog:
    """The catalog that a detector may learn from: those that need defects get a part of the labelled ones."""
    return learning_catalog(catalog, make(name))


def is_fitted_value(attribute: str, value: object) -> bool:
    return attribute.endswith("_") and not attribute.startswith("_") and value is not None


def agree(left: list[Prediction], right: list[Prediction], relative: float) -> bool:
    """Whether scores and maps differ by no more than `relative` of the largest value."""
    pairs = list(zip(left, right, strict=True))
    scale = max(abs(one.anomaly_map).max() for one, _ in pairs)
    scores = max(abs(one.score - other.score) / abs(one.score) for one, other in pairs)
    maps = max(abs(one.anomaly_map - other.anomaly_map).max() / scale for one, other in pairs)
    return bool(scores <= relative and maps <= relative)


def through_a_file(state: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The state as an artifact would keep it: no pickle."""
    stream = io.BytesIO()
    np.savez(stream, allow_pickle=False, **state)
    stream.seek(0)
    with np.load(stream, allow_pickle=False) as arrays:
        return {key: arrays[key] for key in arrays.files}


def plain_part(
    rng: np.random.Generator, colour: tuple[int, int, int] | None
) -> tuple[np.ndarray, np.ndarray]:
    """A grey disc on a lighter ground with grain, with a square of `colour` on it, and the mask of that."""
    image = np.full((SIZE, SIZE, 3), 170.0)
    cv2.circle(image, (64 + int(rng.integers(-1, 2)), 64), 44, (110.0,) * 3, -1)
    mask = np.zeros((SIZE, SIZE), np.uint8)
    if colour is not None:
        x, y = rng.integers(40, 74, 2)
        mask[y : y + 16, x : x + 16] = 255
        image[mask > 0] = colour
    return np.clip(image + rng.normal(0, 2, image.shape), 0, 255).astype(np.uint8), mask


@pytest.fixture(scope="session")
def plain_parts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Parts whose defects a network learns to see in seconds."""
    root, rng = tmp_path_factory.mktemp("plain-parts"), np.random.default_rng(0)
    colours = {"black": (10, 10, 10), "red": (30, 30, 220)}
    kinds = {"train/good": (12, None), "test/good": (6, None)}
    kinds |= {f"test/{name}": (6, colour) for name, colour in colours.items()}
    for kind, (count, colour) in kinds.items():
        for number in range(count):
            image, mask = plain_part(rng, colour)
            (root / kind).mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(root / kind / f"{number:03d}.png"), image)
            if colour is not None:
                folder = root / "ground_truth" / Path(kind).name
                folder.mkdir(parents=True, exist_ok=True)
                cv2.imwrite(str(folder / f"{number:03d}_mask.png"), mask)
    return root


@pytest.fixture(scope="module")
def catalogs(washers: Path, plain_parts: Path) -> dict[bool, Catalog]:
    """What is learnt from: the sample line, and plain parts for those that would need more time or images for it."""
    return {False: open_catalog(washers), True: open_catalog(plain_parts)}


@pytest.fixture
def catalog(name: str, catalogs: dict[bool, Catalog]) -> Catalog:
    # In features of the whole image, a small defect of the sample line is lost.
    return material(name, catalogs[trains(name) or not detector_info(name).gives_maps])


@pytest.fixture(scope="module")
def all_learnt() -> dict[str, Learnt]:
    return {}


@pytest.fixture
def learnt(name: str, catalog: Catalog, all_learnt: dict[str, Learnt]) -> Learnt:
    """The detector `name`, fitted once for the whole suite."""
    if name not in all_learnt:
        detector = make(name, **(TRAINED if trains(name) else {})).fit(catalog)
        paths = [Path(path) for path in catalog.test()["path"]]
        all_learnt[name] = Learnt(detector, catalog, paths, list(detector.predict(paths)))
    return all_learnt[name]


@every_detector
def test_it_says_what_it_is(name: str) -> None:
    info = detector_info(name)
    assert re.fullmatch(r"[a-z][a-z0-9_-]*", name) and info.name == name
    assert len(info.summary) > 20 and len(info.reference) > 10
    assert info.learns_from in ("normal images", "masks", "labels")
    assert {"size", "bit_depth", "seed"} <= set(info.parameters)
    for preset, chosen in info.presets.items():
        made = create_detector(name, preset).parameters()
        assert made == {**info.parameters, **chosen}
    assert create_detector(name).parameters() == info.parameters


@every_detector
def test_what_is_not_known_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match=r"no parameter no_such.*size"):
        create_detector(name, no_such=1)
    with pytest.raises(UsageError, match="no preset no_such"):
        create_detector(name, "no_such")
    with pytest.raises(UsageError, match=f"no detector no_{name}.*{name}"):
        create_detector(f"no_{name}")


@every_detector
def test_init_only_stores(name: str) -> None:
    values = {parameter: object() for parameter in detector_info(name).parameters}
    detector = create_detector(name, **values)
    assert detector.parameters() == values
    assert not [key for key, value in vars(detector).items() if is_fitted_value(key, value)]


@every_detector
def test_a_clone_has_the_parameters_and_nothing_learnt(name: str, learnt: Learnt) -> None:
    clone = learnt.detector.clone()
    assert type(clone) is type(learnt.detector) and clone is not learnt.detector
    assert clone.parameters() == learnt.detector.parameters()
    assert not [key for key, value in vars(clone).items() if is_fitted_value(key, value)]
    with pytest.raises(NotFittedError):
        list(clone.predict(learnt.paths))


@every_detector
def test_fit_returns_self_and_marks_what_it_learnt(name: str, learnt: Learnt) -> None:
    detector = make(name)
    before = set(vars(detector))
    assert detector.fit(learnt.catalog) is detector
    assert detector.parameters() == make(name).parameters(), "fit changes no parameter"
    public = [key for key in vars(detector) if key not in before and not key.startswith("_")]
    assert [key for key, value in vars(detector).items() if is_fitted_value(key, value)]
    assert all(key.endswith("_") for key in public)


@every_detector
def test_unfitted_it_refuses_to_speak(name: str, learnt: Learnt) -> None:
    for ask in (
        lambda detector: list(detector.predict(learnt.paths[:1])),
        lambda detector: detector.network(),
        lambda detector: detector.state(),
    ):
        with pytest.raises(NotFittedError, match=f"{name} detector has learnt nothing yet: call fit first"):
            ask(make(name))


@every_detector
def test_an_empty_catalog_is_refused(name: str, catalog: Catalog) -> None:
    for nothing in (catalog.subset([]), catalog.subset((catalog.table["split"] == "test").to_numpy())):
        with pytest.raises(CatalogError, match=r"0 good training images .*photograph more"):
            make(name).fit(nothing)


@every_detector
def test_a_defect_among_the_training_images_is_refused(name: str, catalog: Catalog) -> None:
    if detector_info(name).learns_from != "normal images":
        pytest.skip("it learns from defects")
    table = catalog.table.copy()
    defective = table.index[table["label"] == "anomalous"][0]
    table.loc[defective, "split"] = "train"
    mixed = dataclasses.replace(catalog, table=table)
    with pytest.raises(CatalogError) as refused:
        make(name).fit(mixed)
    assert table.loc[defective, "path"] in str(refused.value)


@every_detector
def test_a_prediction_is_a_finite_score_and_a_map_of_the_inputs_size(name: str, learnt: Learnt) -> None:
    assert len(learnt.predictions) == len(learnt.paths)
    for prediction in learnt.predictions:
        assert type(prediction.score) is float and np.isfinite(prediction.score)
        assert prediction.anomaly_map.dtype == np.float32
        assert prediction.anomaly_map.shape == (SIZE, SIZE)
        assert np.isfinite(prediction.anomaly_map).all()
    for one, other in zip(learnt.predictions, learnt.predictions[1:], strict=False):
        assert not np.shares_memory(one.anomaly_map, other.anomaly_map)


@every_detector
def test_photographs_of_any_size_and_kind(name: str, learnt: Learnt, tmp_path: Path) -> None:
    image = cv2.imread(str(learnt.paths[0]))
    wide = cv2.resize(image, (300, 90))
    cv2.imwrite(str(tmp_path / "wide.jpg"), wide)
    cv2.imwrite(str(tmp_path / "grey.png"), wide[..., 0])
    cv2.imwrite(str(tmp_path / "deep.tiff"), wide.astype(np.uint16) * 257)
    for prediction in learnt.detector.predict(sorted(tmp_path.iterdir())):
        assert prediction.anomaly_map.shape == (SIZE, SIZE)


@every_detector
def test_a_broken_photograph_is_named(name: str, learnt: Learnt, tmp_path: Path) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no image")
    predictions = learnt.detector.predict([learnt.paths[0], broken])
    assert next(predictions).score == learnt.predictions[0].score
    with pytest.raises(ImageError, match=str(broken)):
        next(predictions)
    table = learnt.catalog.table.copy()
    table.loc[table.index[table["split"] == "train"][1], "path"] = str(broken)
    with pytest.raises(ImageError, match=str(broken)):
        make(name).fit(dataclasses.replace(learnt.catalog, table=table))


@every_detector
def test_defects_score_above_good_parts(name: str, learnt: Learnt) -> None:
    anomalous = (learnt.catalog.test()["label"] == "anomalous").to_numpy()
    assert learnt.scores[anomalous].mean() > learnt.scores[~anomalous].mean()
    assert roc_auc_score(anomalous, learnt.scores) > (0.9 if trains(name) else 0.7)


@every_detector
def test_a_map_is_higher_on_the_defect(name: str, learnt: Learnt) -> None:
    if not detector_info(name).gives_maps:
        pytest.skip("it gives no maps")
    ratios = []
    masks = learnt.catalog.test()["mask"]
    for mask, prediction in zip(masks, learnt.predictions, strict=True):
        if mask is not None:
            shown = cv2.imread(mask, cv2.IMREAD_GRAYSCALE)
            shown = cv2.resize(shown, (SIZE, SIZE), interpolation=cv2.INTER_NEAREST) > 0
            ratios.append(prediction.anomaly_map[shown].mean() > prediction.anomaly_map[~shown].mean())
    assert np.mean(ratios) > 0.8


@every_detector
def test_a_seed_repeats_everything(name: str, learnt: Learnt) -> None:
    first = make(name).fit(learnt.catalog) if trains(name) else learnt.detector
    again = make(name).fit(learnt.catalog)
    before = list(first.predict(learnt.paths))
    assert agree(before, list(again.predict(learnt.paths)), 1e-6)
    state, other = first.state(), again.state()
    assert state.keys() == other.keys()
    assert all(np.array_equal(state[key], other[key]) for key in state)


@every_detector
def test_predicting_learns_nothing(name: str, learnt: Learnt) -> None:
    before = {key: array.copy() for key, array in learnt.detector.state().items()}
    backwards = list(learnt.detector.predict(learnt.paths[::-1]))[::-1]
    assert [one.score for one in backwards] == learnt.scores.tolist(), "order does not count"
    assert all(np.array_equal(array, learnt.detector.state()[key]) for key, array in before.items())


@every_detector
def test_the_state_is_plain_arrays_and_gives_the_detector_back(name: str, learnt: Learnt) -> None:
    state = learnt.detector.state()
    assert all(isinstance(array, np.ndarray) and array.dtype.kind in "biuf" for array in state.values())
    restored = learnt.detector.clone().restore(through_a_file(state))
    assert agree(learnt.predictions, list(restored.predict(learnt.paths)), 1e-6)


@every_detector
def test_the_network_says_the_same_in_torch_and_at_run_time(name: str, learnt: Learnt) -> None:
    contract, network = learnt.detector.preprocessing(), learnt.detector.network()
    model = to_onnx(network, torch.zeros(1, 3, SIZE, SIZE), ["score", "map"])
    runtime = CompiledNetwork(model)
    torches, runtimes = [], []
    for path in learnt.paths:
        planes = preprocess(read_image(path), contract)[None]
        with torch.inference_mode():
            score, anomaly_map = network(torch.from_numpy(planes))
        assert score.shape == (1,)
        torches.append(Prediction(float(score), anomaly_map.numpy()))
        outputs = runtime(planes)
        runtimes.append(Prediction(float(outputs[0].reshape(-1)[0]), outputs[1].reshape(SIZE, SIZE)))
    assert agree(learnt.predictions, torches, 1e-3)
    assert agree(learnt.predictions, runtimes, 1e-3)


@every_detector
def test_each_good_image_is_scored_once_as_if_unseen(name: str, learnt: Learnt) -> None:
    paths = learnt.catalog.train_normal()
    unseen = list(learnt.detector.cross_predict(learnt.catalog, 3))
    positions = [position for position, _ in unseen]
    assert len(positions) == len(set(positions)) and set(positions) <= set(range(len(paths)))
    learnt_by_heart = [one.score for one in learnt.detector.predict([paths[i] for i in positions])]
    scores = [prediction.score for _, prediction in unseen]
    if not detector_info(name).gives_maps:
        # Principal components of a dozen images vary most with these very images, so unseen ones may score lower.
        assert_what_is_held_out_is_not_learnt(name, learnt.catalog, scores_of(unseen))
    elif learnt.detector.calibration == "k-fold":
        assert np.mean(scores) > np.mean(learnt_by_heart)
    else:  # those held out are scored by the one network that has not learnt from them
        assert 0 < len(positions) < len(paths) and scores == learnt_by_heart
    again = list(learnt.detector.cross_predict(learnt.catalog, 3))
    assert [one.score for _, one in again] == scores


def scores_of(unseen: list[tuple[int, Prediction]]) -> dict[int, float]:
    return {position: prediction.score for position, prediction in unseen}


def assert_what_is_held_out_is_not_learnt(name: str, catalog: Catalog, scores: dict[int, float]) -> None:
    """Another image in a fold changes what the others of the fold score by nothing, and all other folds."""
    fold, *others = fold_positions(len(scores), 3, make(name).seed)
    table = catalog.table.copy()
    rows = table.index[(table["split"] == "train") & (table["label"] == "normal")]
    table.loc[rows[fold[0]], "path"] = catalog.test().query("label == 'anomalous'")["path"].iloc[0]
    changed = dataclasses.replace(catalog, table=table)
    again = scores_of(list(make(name).fit(changed).cross_predict(changed, 3)))
    assert all(again[position] == scores[position] for position in fold[1:].tolist())
    for other in others:
        assert any(again[position] != scores[position] for position in other.tolist())


def _peak_bytes_of_fit(detector: Detector, catalog: Catalog) -> int:
    """Most memory that the process has held while the detector was fitted, beyond what it held before (Linux)."""
    gc.collect()
    allocator = ctypes.CDLL(None)
    allocator.mallopt(
        -3, 2**18
    )  # M_MMAP_THRESHOLD: large blocks go back at once, and the peak is that of the fit
    allocator.malloc_trim(0)
    try:
        Path("/proc/self/clear_refs").write_text("5")  # forget the peak of before
    except OSError:
        pytest.skip("the peak of memory cannot be measured here")
    before = _kilobytes("VmRSS")
    detector.fit(catalog)
    return 1024 * (_kilobytes("VmHWM") - before)


def _kilobytes(what: str) -> int:
    return int(re.search(rf"{what}:\s+(\d+) kB", Path("/proc/self/status").read_text())[1])


def _growth_of_peak(name: str, catalog: Catalog, folder: Path) -> int:
    """Bytes by which the peak of a fit on 88 photographs exceeds that on 16."""
    good = (catalog.table["split"] == "train") & (catalog.table["label"] == "normal")

    def peak(count: int) -> int:
        rows = catalog.table[good].iloc[np.arange(count) % good.sum()]
        copies = [shutil.copy(path, folder / f"{number:03d}.png") for number, path in enumerate(rows["path"])]
        table = pd.concat([rows.assign(path=copies), catalog.table[~good]], ignore_index=True)
        many = dataclasses.replace(catalog, table=table)
        return _peak_bytes_of_fit(make(name, size=256, pool=4000, batch_size=2), many)

    peak(16)  # to warm up
    return peak(88) - peak(16)


@every_detector
def test_memory_does_not_grow_with_the_images(name: str, catalog: Catalog, tmp_path: Path) -> None:
    if make(name).member_names:
        pytest.skip("its members are tested themselves")
    # All patches at strides 8 and 16 of 72 more images would be 44 MB.
    most = 20e6
    if _growth_of_peak(name, catalog, tmp_path) < most:
        return
    # Threads and an allocator with holes add to the peak of a process in which much has run: a fresh one decides.
    with ProcessPoolExecutor(1, get_context("spawn")) as fresh:
        assert fresh.submit(_growth_of_peak, name, catalog, tmp_path).result() < most


@every_detector
def test_an_error_is_one_sentence_for_a_person(name: str, catalog: Catalog) -> None:
    with pytest.raises(BlemishError) as refused:
        make(name).fit(catalog.subset([]))
    assert str(refused.value).endswith(".") and "\n" not in str(refused.value)
