"""Features: what the backbone says, whoever runs it, and the same with and without the cache."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from blemish.core.errors import ImageError, UsageError
from blemish.core.images import read_image
from blemish.core.network import CompiledNetwork
from blemish.core.settings import cache_folder, cache_limit_bytes
from blemish.data.catalog import open_catalog
from blemish.features import extraction
from blemish.features.backbones import Backbone, load_backbone
from blemish.features.cache import FeatureCache
from blemish.features.extraction import FeatureExtractor, FeatureMaps
from blemish.view.preprocessing import preprocess

SIZE = 128


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    return load_backbone("efficientnet_lite0", (8, 16))


@pytest.fixture(scope="module")
def photographs(washers: Path) -> list[Path]:
    return open_catalog(washers).train_normal()[:5]


@pytest.fixture(scope="module")
def compiled(backbone: Backbone) -> FeatureExtractor:
    """An extractor without any cache, whose network is compiled once for all tests."""
    cache = FeatureCache(Path(os.devnull), limit_bytes=0)
    return FeatureExtractor(backbone, backbone.preprocessing(SIZE, SIZE), cache)


@pytest.fixture(scope="module")
def uncached(compiled: FeatureExtractor, photographs: list[Path]) -> list[FeatureMaps]:
    """Features without any cache."""
    return list(compiled.stream(photographs))


@pytest.fixture
def cached(
    compiled: FeatureExtractor, uncached: list[FeatureMaps], tmp_path: Path
) -> Callable[[], FeatureExtractor]:
    """The extractor, at each call with a cache newly opened on the same folder."""

    def opened() -> FeatureExtractor:
        compiled.cache = FeatureCache(tmp_path / "features")
        return compiled

    return opened


def same(left: list[FeatureMaps], right: list[FeatureMaps]) -> bool:
    """Equal to the last bit, in shape and type."""
    pairs = [(a, b) for one, other in zip(left, right, strict=True) for a, b in zip(one, other, strict=True)]
    return all(a.shape == b.shape and a.dtype == b.dtype and (a == b).all() for a, b in pairs)


def entries(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_features_are_those_of_torch(
    backbone: Backbone, photographs: list[Path], uncached: list[FeatureMaps]
) -> None:
    for path, maps in zip(photographs, uncached, strict=True):
        planes = preprocess(read_image(path), backbone.preprocessing(SIZE, SIZE))
        with torch.inference_mode():
            expected = [features[0].numpy() for features in backbone(torch.from_numpy(planes)[None])]
        for mine, theirs in zip(maps, expected, strict=True):
            assert mine.dtype == np.float32 and mine.shape == theirs.shape
            assert np.abs(mine - theirs).max() <= 1e-4 * np.abs(theirs).max()


def test_shapes_are_known_before_any_photograph(backbone: Backbone, uncached: list[FeatureMaps]) -> None:
    extractor = FeatureExtractor(backbone, backbone.preprocessing(SIZE, SIZE))
    assert extractor.shapes == [features.shape for features in uncached[0]]


def test_the_cache_changes_no_bit_and_saves_the_network(
    backbone: Backbone,
    cached: Callable[[], FeatureExtractor],
    photographs: list[Path],
    uncached: list[FeatureMaps],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert same(list(cached().stream(photographs)), uncached)

    def fail(*_: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(extraction, "CompiledNetwork", fail)
    monkeypatch.setattr(CompiledNetwork, "__call__", fail)
    again = FeatureExtractor(backbone, cached().contract, cached().cache)  # as another run would make it
    with pytest.raises(AssertionError, match="the network was asked"):
        FeatureExtractor(backbone, again.contract, FeatureCache(Path(os.devnull))).extract(photographs[0])
    assert same(list(again.stream(photographs)), uncached)
    assert same([again.extract(path) for path in photographs], uncached)


def test_the_content_counts_not_the_name(
    cached: Callable[[], FeatureExtractor], photographs: list[Path], tmp_path: Path
) -> None:
    shutil.copy(photographs[0], tmp_path / "copy.png")
    extractor = cached()
    first, other = extractor.extract(photographs[0]), extractor.extract(photographs[1])
    assert same([extractor.extract(tmp_path / "copy.png")], [first])
    assert len(entries(tmp_path / "features")) == 4  # two photographs, two taps
    shutil.copy(photographs[1], tmp_path / "copy.png")
    assert same([extractor.extract(tmp_path / "copy.png")], [other])


def test_another_contract_has_other_features(
    backbone: Backbone, cached: Callable[[], FeatureExtractor], photographs: list[Path], tmp_path: Path
) -> None:
    extractor = cached()
    maps = extractor.extract(photographs[0])
    changed = extractor.contract.model_copy(update={"mean": (100.0, 127.0, 127.0)})
    other = FeatureExtractor(backbone, changed, extractor.cache)
    assert not same([other.extract(photographs[0])], [maps])
    twelve = extractor.contract.model_copy(update={"bit_depth": 12})
    FeatureExtractor(backbone, twelve, extractor.cache).extract(photographs[0])
    assert len(entries(tmp_path / "features")) == 6


def test_other_taps_of_the_same_network_share_what_they_have_in_common(
    backbone: Backbone,
    cached: Callable[[], FeatureExtractor],
    photographs: list[Path],
    uncached: list[FeatureMaps],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cache, contract = FeatureCache(tmp_path / "features"), cached().contract
    deep = FeatureExtractor(load_backbone("efficientnet_lite0", (8, 16, 32)), contract, cache)
    list(deep.stream(photographs))
    monkeypatch.setattr(CompiledNetwork, "__call__", None)  # calling it would be an error
    assert same(list(FeatureExtractor(backbone, contract, cache).stream(photographs)), uncached)
    shallow = FeatureExtractor(load_backbone("efficientnet_lite0", (8,)), contract, cache)
    assert same(list(shallow.stream(photographs)), [maps[:1] for maps in uncached])


def test_other_weights_have_other_features(
    cached: Callable[[], FeatureExtractor], photographs: list[Path], uncached: list[FeatureMaps]
) -> None:
    extractor = cached()
    extractor.extract(photographs[0])
    torch.manual_seed(1)
    random = load_backbone("efficientnet_lite0", (8, 16), pretrained=False)
    strange = FeatureExtractor(random, extractor.contract, extractor.cache)
    assert not same([strange.extract(photographs[0])], uncached[:1])


def _flip_a_bit(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 64]) + content[middle + 1 :]


def _lose_a_page(content: bytes) -> bytes:
    return content[:4096] + bytes(4096) + content[8192:]


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda content: b"",
    "cut": lambda content: content[: len(content) // 2],
    "longer": lambda content: content + b"more",
    "bit": _flip_a_bit,
    "page": _lose_a_page,
    "text": lambda content: b"hello",
    "zip": lambda content: b"PK\x03\x04" + content[4:],
    "pickle": lambda content: b"\x80\x04K\x01.",
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_entry_is_ignored_and_rewritten(
    damage: str,
    cached: Callable[[], FeatureExtractor],
    photographs: list[Path],
    uncached: list[FeatureMaps],
    tmp_path: Path,
) -> None:
    cached().extract(photographs[0])
    both = entries(tmp_path / "features")
    contents = [entry.read_bytes() for entry in both]
    both[1].write_bytes(DAMAGES[damage](contents[1]))
    assert same([cached().extract(photographs[0])], uncached[:1])
    assert entries(tmp_path / "features") == both
    assert [entry.read_bytes() for entry in both] == contents


@pytest.mark.parametrize("obstacle", ["file", "folder in place of the entry", "vanished"])
def test_a_cache_that_cannot_be_written_costs_no_run(
    obstacle: str,
    cached: Callable[[], FeatureExtractor],
    photographs: list[Path],
    uncached: list[FeatureMaps],
    tmp_path: Path,
) -> None:
    folder = tmp_path / "features"
    if obstacle == "file":  # nothing can be written below it, not even by root
        folder.write_text("in the way")
    extractor = cached()
    if obstacle == "folder in place of the entry":
        extractor.extract(photographs[0])
        entry = entries(folder)[0]
        entry.unlink()
        entry.mkdir()
    if obstacle == "vanished":
        extractor.extract(photographs[0])
        shutil.rmtree(folder)
    assert same(list(extractor.stream(photographs)), uncached)


def test_the_limit_holds_whatever_is_put(tmp_path: Path) -> None:
    rng, limit = np.random.default_rng(0), 20_000
    cache = FeatureCache(tmp_path, limit)
    for number in range(200):
        cache.put(f"key {number % 70}", rng.normal(size=rng.integers(1, 900)).astype(np.float32))
        assert sum(path.stat().st_size for path in entries(tmp_path)) <= limit
    assert sum(path.stat().st_size for path in entries(tmp_path)) > limit / 2
    cache.put("more than all", np.zeros(limit, np.float32))
    assert cache.get("more than all", limit) is None
    assert len(entries(tmp_path)) > 1


def test_what_is_used_stays(tmp_path: Path) -> None:
    vectors = {f"key {number}": np.full(100, number, np.float32) for number in range(30)}
    cache = FeatureCache(tmp_path, 10 * 404)
    for number, (key, vector) in enumerate(vectors.items()):
        before = entries(tmp_path)
        cache.put(key, vector)
        (new,) = set(entries(tmp_path)) - set(before)
        os.utime(new, (number, number))  # file times can be as coarse as a second
        if number:
            assert cache.get("key 0", 100) is not None, number
    assert cache.get("key 1", 100) is None
    kept = cache.get("key 29", 100)
    assert kept is not None and (kept == 29).all()


def test_what_a_killed_process_left_counts_and_goes(tmp_path: Path) -> None:
    left = tmp_path / "ab" / "tmp123.part"
    left.parent.mkdir()
    left.write_bytes(bytes(3000))
    os.utime(left, (0, 0))
    cache = FeatureCache(tmp_path, 4000)
    cache.put("key", np.zeros(500, np.float32))
    assert not left.exists()
    assert cache.get("key", 500) is not None


def test_a_vector_of_another_size_counts_as_absent(tmp_path: Path) -> None:
    cache = FeatureCache(tmp_path, 10_000)
    cache.put("key", np.arange(5, dtype=np.float32))
    assert cache.get("key", 6) is None
    assert cache.get("other", 5) is None
    stored = cache.get("key", 5)
    assert stored is not None and stored.tolist() == [0, 1, 2, 3, 4]
    stored[:] = 9  # a copy of one's own
    again = cache.get("key", 5)
    assert again is not None and again.tolist() == [0, 1, 2, 3, 4]


def test_a_stream_delivers_all_before_a_broken_file(
    cached: Callable[[], FeatureExtractor],
    photographs: list[Path],
    uncached: list[FeatureMaps],
    tmp_path: Path,
) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(photographs[0].read_bytes()[:500])
    stream, seen = cached().stream([*photographs, broken, photographs[0]]), []
    with pytest.raises(ImageError, match=str(broken)):
        for maps in stream:
            seen.append(maps)
    assert same(seen, uncached)


def test_a_stream_can_be_left_and_stops_reading(
    cached: Callable[[], FeatureExtractor], photographs: list[Path]
) -> None:
    stream = cached().stream(photographs * 100)
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("ahead")]


def test_the_cache_lies_where_the_environment_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("BLEMISH_CACHE", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("BLEMISH_CACHE_GB", "0.5")
    cache = FeatureCache()
    assert cache.folder.is_relative_to(tmp_path / "elsewhere")
    assert cache.limit_bytes == 500_000_000
    monkeypatch.delenv("BLEMISH_CACHE")
    monkeypatch.chdir(tmp_path)
    assert cache_folder().is_absolute() and not cache_folder().is_relative_to(tmp_path)


@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0, reason="only root becomes another user")
def test_a_user_without_a_home_keeps_nothing() -> None:
    """As a container runs under a number that has no name."""
    code = (
        "import os\nfrom blemish.core.settings import cache_folder\nos.setuid(54321)\nprint(cache_folder())"
    )
    environment = {name: value for name, value in os.environ.items() if name in ("PATH", "PYTHONPATH")}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert done.stdout == f"{os.devnull}\n", done.stderr


@pytest.mark.parametrize("text", ["0", "-1", "much", "inf", "nan", "1e400"])
def test_a_limit_that_cannot_be_meant_is_refused(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BLEMISH_CACHE_GB", text)
    with pytest.raises(UsageError, match=f"BLEMISH_CACHE_GB={text} is not a number above 0"):
        cache_limit_bytes()
