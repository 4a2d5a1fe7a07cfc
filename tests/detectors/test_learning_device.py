"""Learning on a card: what torch computes there is what the usual way computes. Without a card, on the processor."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from blemish.core.errors import UsageError
from blemish.data.catalog import open_catalog
from blemish.detectors.memory.coreset import greedy_coreset
from blemish.detectors.memory.coreset_torch import greedy_coreset_on
from blemish.detectors.memory.patchcore import PatchCore
from blemish.detectors.training.devices import device_of
from blemish.features.backbones import load_backbone
from blemish.features.cache import FeatureCache
from blemish.features.extraction import FeatureExtractor
from blemish.features.learning_device import device_named, learning_device, learning_on
from blemish.features.together import read_together

PROCESSOR = torch.device("cpu")


@pytest.fixture(params=["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def device(request: pytest.FixtureRequest) -> torch.device:
    """Where torch computes: the same lines run on the processor and on a card."""
    return torch.device(request.param)


@pytest.fixture(scope="module")
def backbone() -> Any:
    torch.manual_seed(0)
    return load_backbone("efficientnet_lite0", (8, 16), pretrained=False)


@pytest.fixture
def extractors(backbone: Any, tmp_path: Path) -> Iterator[Callable[[], FeatureExtractor]]:
    """Makes extractors of the same network, each with an empty cache of its own."""
    made: list[int] = []

    def make() -> FeatureExtractor:
        made.append(1)
        cache = FeatureCache(tmp_path / f"cache{len(made)}")
        return FeatureExtractor(backbone, backbone.preprocessing(64, 64), cache)

    yield make


def test_feature_maps_are_those_of_the_line(
    extractors: Callable[[], FeatureExtractor],
    washers: Path,
    device: torch.device,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for module in ("extraction", "together", "torch_network"):
        monkeypatch.setattr(f"blemish.features.{module}.BATCH", 5)
    paths = sorted((washers / "train" / "good").glob("*.png"))
    usual = list(extractors().stream(paths))
    with learning_on(device):
        streamed = list((elsewhere := extractors()).stream(paths))
        read_together(paths, [together := extractors()], [])
        once = elsewhere.extract_once(np.zeros((64, 64, 3), np.uint8))
    known = list(together.stream(paths))  # out of its cache
    assert len(usual) == len(streamed) == len(known) == 12
    for one, other, third in zip(usual, streamed, known, strict=True):
        for wanted, found, kept in zip(one, other, third, strict=True):
            assert np.allclose(found, wanted, atol=1e-4 * float(np.abs(wanted).max()))
            assert np.allclose(
                kept, found, atol=1e-2 * float(np.abs(found).max())
            )  # the cache keeps half precision
    assert [one.shape for one in once] == [one.shape for one in usual[0]]


@settings(max_examples=25, deadline=None)
@given(rows=st.integers(2, 400), size=st.integers(1, 60), seed=st.integers(0, 2**31), begun=st.integers(0, 5))
def test_a_coreset_has_the_picks_of_the_processor(rows: int, size: int, seed: int, begun: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(rows, 7, generator=generator, dtype=torch.float64)
    first = greedy_coreset(features, min(begun, size), start=1).tolist() if begun and size > 1 else []
    wanted = greedy_coreset(features, size, start=0, begun=first)
    found = greedy_coreset_on(PROCESSOR, features, size, 0, first)
    assert found.tolist() == wanted.tolist()


@pytest.mark.gpu
def test_a_card_picks_the_same() -> None:
    features = torch.randn(3000, 32, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    wanted = greedy_coreset(features, 300, start=0)
    assert greedy_coreset_on(torch.device("cuda"), features, 300, 0).tolist() == wanted.tolist()


def test_copies_are_picked_once() -> None:
    features = torch.randn(20, 4, generator=torch.Generator().manual_seed(0)).repeat(5, 1)
    found = greedy_coreset_on(PROCESSOR, features, 60, 3)
    assert len(found) == 20
    assert len(torch.unique(features[found], dim=0)) == 20


@pytest.mark.parametrize(
    "parameters", [{}, {"score": "patches", "reweighting": 5, "robust": False, "copies": "none"}]
)
def test_patchcore_learns_the_same(parameters: dict[str, Any], washers: Path, device: torch.device) -> None:
    catalog = open_catalog(washers)

    def learnt() -> tuple[PatchCore, list[tuple[int, Any]]]:
        detector = PatchCore(size=64, coreset_size=60, weights="random", **parameters).fit(catalog)
        return detector, list(detector.predict_unseen(catalog, 4))

    usual, unseen = learnt()
    test = [Path(path) for path in catalog.test()["path"]][:4]
    wanted = list(usual.predict(test))
    with learning_on(device):
        there, unseen_there = learnt()
        found = list(there.predict(test))
    assert there.memory_bank_.device.type == "cpu"
    assert torch.allclose(there.memory_bank_, usual.memory_bank_, atol=1e-3)
    assert [place for place, _ in unseen] == [place for place, _ in unseen_there]
    for one, other in zip([p for _, p in unseen] + wanted, [p for _, p in unseen_there] + found, strict=True):
        assert other.score == pytest.approx(one.score, rel=1e-3)
        assert np.allclose(other.anomaly_map, one.anomaly_map, atol=1e-3 * float(one.anomaly_map.max()))


def test_trainings_go_where_the_fit_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert device_of("auto") == PROCESSOR
    meta = torch.device("meta")
    with learning_on(meta):
        assert (device_of("auto"), device_of("cpu"), learning_device()) == (meta, PROCESSOR, meta)
    assert learning_device() is None


def test_a_device_that_is_none() -> None:
    assert device_named("cpu") is device_named(None) is None
    with pytest.raises(UsageError, match="device=tpu is not possible"):
        device_named("tpu")


@pytest.mark.parametrize("verb", ["fit", "benchmark", "search"])
def test_without_a_card_one_sentence_says_so(
    verb: str, washers: Path, tmp_path: Path, blemish: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    out = tmp_path / ("part.blemish" if verb == "fit" else "out")
    more = {"fit": (), "benchmark": ("--detectors", "patchcore"), "search": ("--detector", "cae")}[verb]
    outcome = blemish(verb, washers, "--out", out, "--device", "cuda", *more)
    assert outcome.status == 2
    assert f"no CUDA device is seen by torch {torch.__version__}: install a CUDA build" in outcome.stderr
    assert not out.exists()
