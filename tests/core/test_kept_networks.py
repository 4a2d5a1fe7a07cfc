"""Compiled networks that are kept: the same answers to the bit, whatever has become of the files."""

from __future__ import annotations

import threading
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from blemish.core.execution import Execution
from blemish.core.network import CompiledNetwork
from blemish.core.types import FloatArray

IMAGE = np.random.default_rng(5).random((1, 3, 24, 20), np.float32)


def network(layers: int = 6, width: int = 16) -> bytes:
    """Convolutions with random weights, and two outputs."""
    rng = np.random.default_rng(layers)
    shapes = [(width, 3 if layer == 0 else width, 3, 3) for layer in range(layers)]
    weights = [
        numpy_helper.from_array(rng.normal(0, 0.2, shape).astype(np.float32), f"w{layer}")
        for layer, shape in enumerate(shapes)
    ]
    nodes, last = [], "image"
    for layer in range(layers):
        nodes += [
            helper.make_node("Conv", [last, f"w{layer}"], [f"c{layer}"], pads=[1, 1, 1, 1]),
            helper.make_node("Relu", [f"c{layer}"], [f"r{layer}"]),
        ]
        last = f"r{layer}"
    nodes += [helper.make_node("ReduceMax", [last], ["score"]), helper.make_node("Sigmoid", [last], ["map"])]
    graph = helper.make_graph(
        nodes,
        "network",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, 24, 20])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("score", "map")],
        weights,
    )
    model: bytes = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9
    ).SerializeToString()
    return model


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("BLEMISH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "networks"


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*/*") if path.is_file())


def same(one: list[FloatArray], other: list[FloatArray]) -> bool:
    return len(one) == len(other) and all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_what_is_kept_answers_the_same_to_the_bit(folder: Path) -> None:
    first = CompiledNetwork(network())
    (kept,) = files(folder)
    before = kept.stat().st_ino
    second = CompiledNetwork(network())
    assert files(folder) == [kept] and kept.stat().st_ino == before, "it was taken, not written anew"
    assert same(second(IMAGE), first(IMAGE))
    assert second.outputs == first.outputs and second.input_shape == first.input_shape


def test_what_is_kept_needs_no_compiling(folder: Path) -> None:
    def seconds() -> float:
        began = time.thread_time()
        CompiledNetwork(network(layers=40))
        return time.thread_time() - began

    compiled = seconds()
    assert min(seconds() for _ in range(3)) < compiled


@pytest.mark.parametrize(
    "other",
    [
        (network(layers=5), Execution(), None),
        (network(), Execution(threads=1), None),
        (network(), Execution(), ["score"]),
    ],
    ids=["network", "threads", "outputs"],
)
def test_another_network_or_setting_is_another_entry(
    folder: Path, other: tuple[bytes, Execution, list[str] | None]
) -> None:
    CompiledNetwork(network(), Execution(threads=2))
    made = CompiledNetwork(*other)
    assert len(files(folder)) == 2
    assert same(CompiledNetwork(*other)(IMAGE), made(IMAGE))


@pytest.mark.parametrize("damage", ["cut short", "a bit", "empty", "a stranger's, well wrapped", "a folder"])
def test_a_damaged_entry_is_compiled_anew(folder: Path, damage: str) -> None:
    right = CompiledNetwork(network())(IMAGE)
    (kept,) = files(folder)
    content = bytearray(kept.read_bytes())
    if damage == "cut short":
        kept.write_bytes(content[: len(content) // 2])
    elif damage == "a bit":
        content[len(content) // 2] ^= 1
        kept.write_bytes(content)
    elif damage == "empty":
        kept.write_bytes(b"")
    elif damage == "a folder":
        kept.unlink()
        kept.mkdir()
    else:
        strange = b"not a network" * 99
        kept.write_bytes(zlib.crc32(strange).to_bytes(4, "little") + strange)
    assert same(CompiledNetwork(network())(IMAGE), right)
    if damage != "a folder":
        assert same(CompiledNetwork(network())(IMAGE), right)
        checksum, anew = kept.read_bytes()[:4], kept.read_bytes()[4:]
        assert files(folder) == [kept] and len(anew) > 0.9 * len(content), "it is kept anew"
        assert zlib.crc32(anew).to_bytes(4, "little") == checksum


def test_where_nothing_can_be_kept_it_works_as_well(folder: Path) -> None:
    right = CompiledNetwork(network())(IMAGE)
    files(folder)[0].unlink()
    files_parent = folder.parent
    for path in sorted(folder.rglob("*"), reverse=True):
        path.rmdir()
    folder.rmdir()
    folder.write_bytes(b"a file stands in the way")
    assert same(CompiledNetwork(network())(IMAGE), right)
    assert [path.name for path in files_parent.iterdir()] == ["networks"]


def test_no_more_is_kept_than_a_quarter_of_the_limit(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    CompiledNetwork(network())
    (kept,) = files(folder)
    limit = 3.5 * kept.stat().st_size
    monkeypatch.setenv("BLEMISH_CACHE_GB", str(4 * limit / 1e9))
    for layers in range(1, 7):
        CompiledNetwork(network(layers))
        assert sum(path.stat().st_size for path in files(folder)) <= limit
    assert files(folder)


def test_threads_that_begin_at_once_have_the_same_answers(folder: Path) -> None:
    answers: list[list[FloatArray]] = []

    def compute() -> None:
        answers.append(CompiledNetwork(network())(IMAGE))

    threads = [threading.Thread(target=compute) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 6 and all(same(answer, answers[0]) for answer in answers)
    assert len(files(folder)) == 1
