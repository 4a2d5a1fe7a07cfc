"""What is learnt from is decoded once, whatever the detector reads of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from blemish.core import images
from blemish.core.errors import CatalogError, UsageError
from blemish.data.catalog import Catalog, open_catalog
from blemish.detectors.registry import create_detector
from blemish.line.artifact import NORMAL_SCORES, read_artifact
from blemish.making.build import build_inspector
from blemish.making.reading import learning_catalog, read_for_learning

PARITY_IMAGES = 4
SHORT = {"size": 64, "epochs": 1, "examples_per_epoch": 8}

DETECTORS: dict[str, tuple[str, dict[str, Any]]] = {
    "memory": ("patchcore", {"size": 64, "coreset_size": 50}),
    "few photographs": ("few-shot", {"size": 64, "images": 4, "bank_size": 100}),
    "reconstruction": ("cae", SHORT),
    "student of pixels": ("student-teacher", {**SHORT, "student": "resnet18"}),
    "distilled while fitting": ("efficientad", {**SHORT, "distillation_steps": 2}),
    "table": ("isolation-forest", {"size": 64}),
    "labels": ("classifier", {"size": 64, "epochs": 2}),
    "masks": ("unet", {**SHORT, "encoder": "plain"}),
    "several": ("ensemble", {"size": 64, "members": ("padim", "knn")}),
}


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each file was decoded."""
    counts: Counter[str] = Counter()
    really: Callable[..., Any] = images._decode

    def counted(content: bytes, name: str, *more: Any) -> Any:
        counts[name] += 1
        return really(content, name, *more)

    monkeypatch.setattr(images, "_decode", counted)
    return counts


@pytest.mark.parametrize("kind", DETECTORS)
def test_each_photograph_is_decoded_once_for_learning(
    kind: str, washers: Path, tmp_path: Path, decoded: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """But the four that the exported network is checked on, as negatives and with an edge drawn in."""
    monkeypatch.setenv("BLEMISH_CACHE", str(tmp_path / "cold"))
    name, parameters = DETECTORS[kind]
    catalog, detector = open_catalog(washers), create_detector(name, **parameters)
    built = build_inspector(catalog, tmp_path / "washer.blemish", detector, folds=2)
    times = dict(decoded)
    learning = learning_catalog(catalog, detector).table
    learnt = learning.loc[learning["split"] == "train", "path"].tolist()
    assert len(learnt) == built.n_train >= 12
    again = [path for path in learnt if times[path] in (2, 3)]
    assert len(again) == PARITY_IMAGES
    assert {times[path] for path in learnt if path not in again} == {1}


def test_a_cache_too_small_costs_time_and_moves_no_score(
    washers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = {}
    for gigabytes in ("1", "0.000001"):
        monkeypatch.setenv("BLEMISH_CACHE", str(tmp_path / gigabytes))
        monkeypatch.setenv("BLEMISH_CACHE_GB", gigabytes)
        out = tmp_path / f"{gigabytes}.blemish"
        name, parameters = DETECTORS["memory"]
        build_inspector(open_catalog(washers), out, create_detector(name, **parameters), folds=2)
        scores[gigabytes] = read_artifact(out).array(NORMAL_SCORES)
    assert np.array_equal(scores["1"], scores["0.000001"])


@pytest.mark.parametrize(("name", "wrong"), [("patchcore", {"size": 65}), ("cae", {"bit_depth": 40})])
def test_what_cannot_be_meant_is_refused_before_anything_is_read(
    name: str, wrong: dict[str, Any], washers: Path, decoded: Counter[str]
) -> None:
    with pytest.raises(UsageError, match="not possible"):
        read_for_learning(open_catalog(washers), create_detector(name, **wrong))
    assert not decoded


@pytest.mark.parametrize("size", [65, -1, 10**9])
def test_a_size_that_cannot_be_meant_is_refused_by_the_detector(
    size: int, washers: Path, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=f"size={size} is not possible for cae"):
        build_inspector(open_catalog(washers), tmp_path / "x.blemish", create_detector("cae", size=size))


def test_nothing_readable_is_said_with_the_first_reason(tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / f"{number}.png").write_text("no photograph")
    with pytest.raises(CatalogError, match=r"None of the 3 photographs .*0\.png: "):
        read_for_learning(open_catalog(tmp_path), create_detector("cae"))


def test_a_subset_keeps_its_digests(washers: Path) -> None:
    catalog: Catalog = open_catalog(washers)
    readable = read_for_learning(catalog, create_detector("cae", size=64))
    assert len(readable.digests) == len(readable.catalog) == len(catalog.train_normal())
