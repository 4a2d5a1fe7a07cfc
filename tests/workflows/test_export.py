"""`blemish export`: the graph says of whole photographs what the inspector says, in every runtime at hand."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from blemish.line.runtime import Inspector

SIDES = st.integers(8, 300)


@pytest.fixture(scope="module")
def exported(
    fitted: Path, washers: Path, blemish: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The graph of `fitted` as ONNX, compared on the photographs of `washers`."""
    out = tmp_path_factory.mktemp("exported") / "washer.onnx"
    outcome = blemish("export", fitted, "--out", out, "--check", washers / "test", "--json")
    assert outcome.status == 0, outcome.stderr
    said = json.loads(outcome.stdout)
    assert said["check"]["photographs"] >= 16
    assert said["check"]["largest_error"] < 1e-3
    assert said["check"]["other_verdicts"] == 0
    return out


@pytest.fixture(scope="module")
def run(exported: Path) -> Callable[[np.ndarray], dict[str, np.ndarray]]:
    onnxruntime = pytest.importorskip("onnxruntime")
    session = onnxruntime.InferenceSession(exported, providers=["CPUExecutionProvider"])
    names = [one.name for one in session.get_outputs()]
    return lambda photograph: dict(zip(names, session.run(names, {"photograph": photograph}), strict=True))


@settings(max_examples=12, deadline=None)
@given(height=SIDES, width=SIDES, seed=st.integers(0, 2**32 - 1), grey=st.booleans())
def test_any_size_is_seen_as_the_inspector_sees_it(
    run: Callable[[np.ndarray], dict[str, np.ndarray]],
    fitted: Path,
    height: int,
    width: int,
    seed: int,
    grey: bool,
) -> None:
    rng = np.random.default_rng(seed)
    photograph = rng.integers(0, 256, (height, width, 3), np.uint8)
    if grey:
        photograph[...] = photograph[..., :1]
    inspector = Inspector.load(fitted)
    inspection = inspector.inspect(photograph)
    said = run(photograph)
    assert float(said["score"][0]) == pytest.approx(inspection.score, rel=1e-4)
    assert np.allclose(said["map"], inspection.anomaly_map, atol=1e-4 * float(inspection.anomaly_map.max()))
    assert float(said["p_value"][0]) == pytest.approx(inspection.p_value, rel=1e-5)
    assert ("pass", "review", "reject")[int(said["verdict"][0])] == inspection.verdict


@pytest.mark.parametrize("name", ["bilinear", "bicubic", "lanczos"])
def test_the_resize_is_pillows_to_the_bit(name: Any) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    from onnx import TensorProto, helper

    from blemish.making.exported_graph import _look_at, _Nodes
    from blemish.view.preprocessing import Preprocessing

    contract = Preprocessing(height=64, width=96, mean=(0, 0, 0), std=(1, 1, 1), interpolation=name)
    nodes = _Nodes()
    _look_at(nodes, contract, "picture")
    given_ = helper.make_tensor_value_info("photograph", TensorProto.UINT8, ["height", "width", 3])
    made = helper.make_tensor_value_info("picture", TensorProto.FLOAT, [1, 3, 64, 96])
    graph = helper.make_graph(nodes.nodes, "resize", [given_], [made], nodes.constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    rng = np.random.default_rng(3)
    for height, width in ((64, 96), (65, 97), (31, 500), (700, 40), (512, 512)):
        photograph = rng.integers(0, 256, (height, width, 3), np.uint8)
        filter_ = Image.Resampling[name.upper()]
        wanted = np.asarray(Image.fromarray(photograph).resize((96, 64), filter_))
        (found,) = session.run(None, {"photograph": photograph})
        apart = np.abs(found[0].transpose(1, 2, 0) - wanted)
        # A sine of float32 leaves the last bit of lanczos' weights open.
        assert apart.max() <= (1 if name == "lanczos" else 0)


def test_openvino_says_the_same(
    fitted: Path, washers: Path, blemish: Callable[..., Any], tmp_path: Path
) -> None:
    out = tmp_path / "washer.xml"
    outcome = blemish(
        "export", fitted, "--to", "openvino", "--out", out, "--check", washers / "test", "--json"
    )
    assert outcome.status == 0, outcome.stderr
    check = json.loads(outcome.stdout)["check"]
    assert check["runtime"].startswith("OpenVINO")
    assert check["largest_error"] < 1e-3
    assert out.with_suffix(".bin").stat().st_size > 1e5


def test_the_description_says_how_the_graph_is_used(exported: Path, fitted: Path) -> None:
    said = json.loads(exported.with_suffix(".json").read_text())
    inspector = Inspector.load(fitted)
    assert said["input"] == {
        "name": "photograph", "type": "uint8", "shape": ["height", "width", 3], "colours": "RGB",
    }  # fmt: skip
    assert said["threshold"] == inspector.threshold
    assert said["outputs"]["verdict"] == "int32, 0: pass, 1: review, 2: reject"
    assert said["check"]["photographs"] >= 16


def test_ignored_regions_have_no_influence(
    washers: Path, blemish: Callable[..., Any], tmp_path: Path
) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    part, out = tmp_path / "part.blemish", tmp_path / "part.onnx"
    fit = (
        "fit",
        washers,
        "--out",
        part,
        "--size",
        128,
        "--set",
        "coreset_size=100",
        "--ignore",
        "box:0,0,40,128",
    )
    assert blemish(*fit).status == 0
    outcome = blemish("export", part, "--out", out, "--check", washers / "test")
    assert outcome.status == 0, outcome.stderr
    session = onnxruntime.InferenceSession(out, providers=["CPUExecutionProvider"])
    photograph = np.array(Image.open(next((washers / "test" / "good").glob("*.png"))).convert("RGB"))
    before = session.run(None, {"photograph": photograph})
    photograph[:, :40] = np.random.default_rng(0).integers(0, 256, photograph[:, :40].shape, np.uint8)
    after = session.run(None, {"photograph": photograph})
    assert all(np.array_equal(one, other) for one, other in zip(before, after, strict=True))


def test_what_no_graph_can_do_is_refused(fitted: Path, blemish: Callable[..., Any], tmp_path: Path) -> None:
    narrowed = tmp_path / "narrowed.blemish"
    assert blemish("view", fitted, "--ignore", "box:0,0,20,20", "--out", narrowed).status == 0
    outcome = blemish("export", narrowed, "--out", tmp_path / "narrowed.onnx")
    assert outcome.status == 2
    assert "was narrowed after it was fitted" in outcome.stderr
    assert not (tmp_path / "narrowed.onnx").exists()


def test_a_wrong_name_and_an_empty_folder_are_said(
    fitted: Path, blemish: Callable[..., Any], tmp_path: Path
) -> None:
    outcome = blemish("export", fitted, "--out", tmp_path / "part.xml")
    assert outcome.status == 2
    assert "does not end in .onnx" in outcome.stderr
    (tmp_path / "none").mkdir()
    outcome = blemish("export", fitted, "--out", tmp_path / "part.onnx", "--check", tmp_path / "none")
    assert outcome.status == 2
    assert not list(tmp_path.glob("part.*"))


def test_a_graph_that_says_something_else_is_not_left_behind(
    fitted: Path, washers: Path, blemish: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("blemish.making.exported_check.TOLERANCE", -1.0)
    outcome = blemish("export", fitted, "--out", tmp_path / "part.onnx", "--check", washers / "test")
    assert outcome.status == 1
    assert "where -1e+00 is allowed" in outcome.stderr
    assert not list(tmp_path.glob("part.*"))


def test_torchscript_says_the_same_of_any_size(
    fitted: Path,
    washers: Path,
    run: Callable[[np.ndarray], dict[str, np.ndarray]],
    blemish: Callable[..., Any],
    tmp_path: Path,
) -> None:
    import torch

    out = tmp_path / "washer.pt"
    outcome = blemish(
        "export", fitted, "--to", "torchscript", "--out", out, "--check", washers / "test", "--json"
    )
    assert outcome.status == 0, outcome.stderr
    check = json.loads(outcome.stdout)["check"]
    assert check["runtime"].startswith("TorchScript")
    assert check["largest_error"] < 1e-3
    graph = torch.jit.load(out)
    rng = np.random.default_rng(5)
    for height, width in ((128, 128), (31, 500), (300, 40), (8, 8)):
        photograph = rng.integers(0, 256, (height, width, 3), np.uint8)
        said, wanted = graph(torch.from_numpy(photograph)), run(photograph)
        assert said.keys() == wanted.keys()
        for name, value in wanted.items():
            assert np.allclose(said[name].numpy(), value, rtol=1e-4, atol=1e-4 * np.abs(value).max()), name


@pytest.mark.skipif(shutil.which("cc") is None, reason="there is no cc")
def test_c_says_the_same_of_any_size(
    fitted: Path,
    washers: Path,
    run: Callable[[np.ndarray], dict[str, np.ndarray]],
    blemish: Callable[..., Any],
    tmp_path: Path,
) -> None:
    from blemish.making.compiled_c import c_runner

    out = tmp_path / "washer.c"
    outcome = blemish("export", fitted, "--to", "c", "--out", out, "--check", washers / "test", "--json")
    assert outcome.status == 0, outcome.stderr
    check = json.loads(outcome.stdout)["check"]
    assert check["runtime"].startswith("C by ")
    assert check["largest_error"] < 1e-3
    _, in_c = c_runner(out)
    rng = np.random.default_rng(5)
    for height, width in ((128, 128), (31, 500), (300, 40), (1, 1), (700, 900)):
        photograph = rng.integers(0, 256, (height, width, 3), np.uint8)
        said, wanted = in_c(photograph), run(photograph)
        for name, value in said.items():
            assert np.allclose(value, wanted[name], rtol=1e-4, atol=1e-4 * np.abs(value).max()), name


def test_without_a_compiler_c_is_not_compared(
    fitted: Path, washers: Path, blemish: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("blemish.making.compiled_c.shutil.which", lambda name: None)
    outcome = blemish(
        "export", fitted, "--to", "c", "--out", tmp_path / "part.c", "--check", washers / "test"
    )
    assert outcome.status == 2
    assert "there is no cc here: install a C compiler, or leave --check out" in outcome.stderr
    assert not list(tmp_path.glob("part.*"))
