"""Every registered detector before the checks of the contract, and what else holds for all of them.

A new detector joins by registering; nothing here names one.
"""

from __future__ import annotations

import ctypes
import dataclasses
import gc
import re
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from blemish.core.errors import UsageError
from blemish.core.folds import fold_positions
from blemish.core.types import Prediction
from blemish.data.catalog import Catalog, open_catalog
from blemish.detectors import checks
from blemish.detectors.base import Detector
from blemish.detectors.check_subject import Subject
from blemish.detectors.checks import Check, run_check
from blemish.detectors.registry import create_detector, detector_info, detector_names
from blemish.making.reading import learning_catalog

# What keeps tests short, for those detectors that have such a parameter.
SHORT = {
    "size": 64,
    "coreset_size": 600,
    "copies": "none",
    "epochs": 1,
    "examples_per_epoch": 16,
    "precision": "float32",
}
SHORT |= {"steps": 2, "width": 16, "members": ("patchcore:quick", "knn")}
# Enough to tell a plain defect, for those that train.
TAUGHT = {"epochs": 6, "examples_per_epoch": 64, "batch_size": 4, "patience": 0}
NEED_TEACHING = {checks.check_defects_score_higher, checks.check_maps_show_defects}

every_detector = pytest.mark.parametrize("name", detector_names())


def make(name: str, **parameters: Any) -> Detector:
    """An unfitted detector that learns quickly."""
    wanted = {**SHORT, **parameters}
    return create_detector(name, **{k: v for k, v in wanted.items() if k in detector_info(name).parameters})


def trains(name: str) -> bool:
    return "epochs" in detector_info(name).parameters


@pytest.fixture(scope="module")
def all_subjects() -> dict[tuple[str, bool], Subject]:
    return {}


@pytest.fixture
def subject_of(
    all_subjects: dict[tuple[str, bool], Subject], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str, bool], Subject]:
    """The detector `name` for the checks, fitted once for the whole suite; `taught` for long enough, or quickly."""

    def found(name: str, taught: bool = False) -> Subject:
        key = (name, taught and trains(name))
        if key not in all_subjects:
            detector = make(name, **(TAUGHT if key[1] else {}))
            all_subjects[key] = Subject.of(detector, tmp_path_factory.mktemp("subject"))
        return all_subjects[key]

    return found


@pytest.mark.parametrize("check", checks.CHECKS, ids=lambda check: check.__name__.removeprefix("check_"))
@every_detector
def test_it_keeps_the_contract(name: str, check: Check, subject_of: Callable[..., Subject]) -> None:
    run_check(check, subject_of(name, check in NEED_TEACHING))


@every_detector
def test_it_says_what_it_is(name: str) -> None:
    info = detector_info(name)
    assert re.fullmatch(r"[a-z][a-z0-9_-]*", name) and info.name == name
    assert len(info.summary) > 20 and len(info.reference) > 10
    assert info.learns_from in ("normal images", "masks", "labels")
    for preset, chosen in info.presets.items():
        assert create_detector(name, preset).get_params() == {**info.parameters, **chosen}
    assert create_detector(name).get_params() == info.parameters


@every_detector
def test_what_is_not_known_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match=r"no parameter no_such.*size"):
        create_detector(name, no_such=1)
    with pytest.raises(UsageError, match="no preset no_such"):
        create_detector(name, "no_such")
    with pytest.raises(UsageError, match=f"no detector no_{name}.*{name}"):
        create_detector(f"no_{name}")


@every_detector
def test_small_defects_of_the_sample_line_score_above_good_parts(name: str, washers: Path) -> None:
    if trains(name) or not detector_info(name).gives_maps:
        pytest.skip("it would need more time for them, or loses them in features of the whole image")
    catalog = open_catalog(washers)
    anomalous = (catalog.test()["label"] == "anomalous").to_numpy()
    detector = make(name, size=128).fit(catalog)
    scores = [prediction.score for prediction in detector.predict(catalog.test()["path"].tolist())]
    assert roc_auc_score(anomalous, scores) > 0.7


@every_detector
def test_plain_defects_are_told_clearly_by_what_trains(name: str, subject_of: Callable[..., Subject]) -> None:
    if not trains(name):
        pytest.skip("it does not train")
    subject = subject_of(name, True)
    anomalous = (subject.catalog.test()["label"] == "anomalous").to_numpy()
    assert roc_auc_score(anomalous, [one.score for one in subject.predictions]) > 0.9


@every_detector
def test_what_is_held_out_is_not_learnt(name: str, subject_of: Callable[..., Subject]) -> None:
    """Another image in a fold changes what the others of the fold score by nothing, and all other folds."""
    if detector_info(name).gives_maps or make(name).calibration != "k-fold":
        pytest.skip("the contract's check tells it")
    catalog = subject_of(name).catalog
    scores = scores_of(list(make(name).fit(catalog).cross_predict(catalog, 3)))
    fold, *others = fold_positions(len(scores), 3, make(name).seed)
    table = catalog.table.copy()
    rows = table.index[(table["split"] == "train") & (table["label"] == "normal")]
    table.loc[rows[fold[0]], "path"] = catalog.test().query("label == 'anomalous'")["path"].iloc[0]
    changed = dataclasses.replace(catalog, table=table)
    again = scores_of(list(make(name).fit(changed).cross_predict(changed, 3)))
    assert all(again[position] == scores[position] for position in fold[1:].tolist())
    for other in others:
        assert any(again[position] != scores[position] for position in other.tolist())


def scores_of(unseen: list[tuple[int, Prediction]]) -> dict[int, float]:
    return {position: prediction.score for position, prediction in unseen}


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
    """Bytes by which the peak of a fit on 160 photographs exceeds that on 16."""
    good = (catalog.table["split"] == "train") & (catalog.table["label"] == "normal")

    def another(path: str, number: int) -> Path:
        """The photograph but for a pixel, for those of equal pixels count once."""
        image, written = cv2.imread(str(path)), folder / f"{number:03d}.png"
        image[0, 0] = number
        cv2.imwrite(str(written), image)
        return written

    def peak(count: int) -> int:
        rows = catalog.table[good].iloc[np.arange(count) % good.sum()]
        others = [another(path, number) for number, path in enumerate(rows["path"])]
        table = pd.concat([rows.assign(path=others), catalog.table[~good]], ignore_index=True)
        many = dataclasses.replace(catalog, table=table)
        few_steps = {"batch_size": 2, "examples_per_epoch": 4}
        return _peak_bytes_of_fit(make(name, size=256, pool=4000, **few_steps), many)

    peak(32)  # to warm up: photographs that are read for the first time are decoded a few ahead
    few = peak(16)
    return peak(160) - few


@every_detector
def test_memory_does_not_grow_with_the_images(
    name: str, subject_of: Callable[..., Subject], washers: Path, tmp_path: Path
) -> None:
    if make(name).member_names:
        pytest.skip("its members are tested themselves")
    catalog = subject_of(name).catalog
    if detector_info(name).gives_maps and not trains(name):
        catalog = learning_catalog(open_catalog(washers), make(name))
    # All patches at strides 8 and 16 of 144 more images would be 88 MB; one fit like another differs by up to 30 MB.
    most = 40e6
    if _growth_of_peak(name, catalog, tmp_path) < most:
        return
    # Threads and an allocator with holes add to the peak of a process in which much has run: a fresh one decides.
    with ProcessPoolExecutor(1, get_context("spawn")) as fresh:
        assert fresh.submit(_growth_of_peak, name, catalog, tmp_path).result() < most
