"""Precisions and devices of an inspector: chosen by evidence, kept for a processor, and outlived when they are lost."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from blemish.core import devices, network
from blemish.core.devices import processor_name
from blemish.core.errors import UsageError
from blemish.core.execution import Execution
from blemish.core.images import list_images, read_image
from blemish.core.network import Engine, engine_for
from blemish.core.types import FloatArray
from blemish.line.artifact import MODEL, read_artifact, write_artifact
from blemish.line.machine_parity import MachineParity, machine_parity
from blemish.line.precision_choice import INT8_MODEL, PrecisionChoice, with_choice
from blemish.line.precision_evidence import WORTH, Compared, Evidence
from blemish.line.runtime import Inspector


@pytest.fixture(scope="module")
def photographs(washers: Path) -> list[Path]:
    return list_images(washers / "test")


def choice(device: str = "cpu", precision: str = "int8", processor: str | None = None) -> PrecisionChoice:
    return PrecisionChoice.model_validate(
        {
            "processor": processor or processor_name("cpu"),
            "device": device,
            "precision": precision,
            "n_good": 10,
            "n_painted": 10,
            "rank_correlation": 1,
            "max_relative_error": 0.001,
            "speed_up": 1.5,
            "library": "OpenVINO",
            "made": "2026-11-29T00:00:00Z",
        }
    )


def keeping(path: Path, out: Path, made: PrecisionChoice, members: dict[str, bytes] | None = None) -> Path:
    """The same inspector that keeps a choice."""
    artifact = read_artifact(path)
    manifest = artifact.manifest.model_copy(update={"precisions": with_choice((), made)})
    write_artifact(out, manifest, artifact.members | (members or {}))
    return out


def test_onnx_runtime_scores_as_openvino_does(fitted: Path, photographs: Sequence[Path]) -> None:
    pytest.importorskip("onnxruntime")
    from blemish.core.onnxruntime_engine import OnnxRuntimeEngine

    inspector, artifact = Inspector.load(fitted), read_artifact(fitted)
    outputs = artifact.manifest.detector.outputs
    second = OnnxRuntimeEngine(artifact.content(MODEL), Execution(threads=1), outputs)
    first = engine_for(artifact.content(MODEL), Execution(threads=1), outputs)
    assert second.outputs == first.outputs and second.input_shape == first.input_shape
    for path in photographs[:6]:
        given = inspector.input_of(read_image(path)).values[None]  # type: ignore[union-attr]
        for one, other in zip(first(given), second(given), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4 * float(np.abs(one).max()))
    with pytest.raises(RuntimeError, match="no output nothing"):
        OnnxRuntimeEngine(artifact.content(MODEL), Execution(), ("nothing",))


def test_the_gate_on_this_machine_holds_and_can_fail(fitted: Path) -> None:
    pytest.importorskip("onnxruntime")
    parity = machine_parity(read_artifact(fitted), Execution())
    assert parity.against.startswith("ONNX Runtime") and parity.holds
    assert parity.max_relative_error is not None and 0 < parity.max_relative_error < 1e-3
    assert not MachineParity("another", 2e-3).holds and not MachineParity("another", float("nan")).holds


def row(precision: str, speed_up: float, keeps: bool) -> Evidence:
    return Evidence(precision, 0, 1.0, 0.0, 10.0, speed_up, keeps)


@pytest.mark.parametrize(
    ("others", "best"),
    [
        ([], "f32"),
        ([row("bf16", 1.8, True), row("int8", 2.5, True)], "int8"),
        ([row("bf16", 1.8, True), row("int8", 2.5, False)], "bf16"),
        ([row("bf16", WORTH - 0.01, True)], "f32"),
    ],
)
def test_the_fastest_that_keeps_verdicts_and_ranks_wins_if_it_is_worth_it(
    others: list[Evidence], best: str
) -> None:
    assert Compared(10, 10, 0.99, (row("f32", 1.0, True), *others)).best.precision == best


def test_a_choice_counts_on_its_processor_alone(fitted: Path, tmp_path: Path) -> None:
    model = read_artifact(fitted).content(MODEL)  # what an 8-bit network is made of does not matter here
    here = keeping(fitted, tmp_path / "here.blemish", choice(), {INT8_MODEL: model})
    assert Inspector.load(here).execution.precision == "int8"
    assert Inspector.load(here, precision="f32").execution.precision == "f32"
    elsewhere = keeping(fitted, tmp_path / "elsewhere.blemish", choice(processor="another (f32, bf16, int8)"))
    assert Inspector.load(elsewhere).execution.precision == "f32"
    assert len(with_choice((choice(), choice(processor="another")), choice(precision="f32"))) == 2
    with pytest.raises(UsageError, match="holds no 8-bit network: make one with blemish bench"):
        Inspector.load(fitted, precision="int8")


def test_bench_measures_chooses_and_keeps(
    fitted: Path, washers: Path, photographs: Sequence[Path], tmp_path: Path, blemish: Callable[..., Any]
) -> None:
    pytest.importorskip("nncf", reason="the extra [precision] is not installed")
    good, out = washers / "train" / "good", tmp_path / "kept.blemish"
    told = blemish("bench", fitted, "--photographs", good, "--count", 10, "--out", out, "--json")
    assert told.status == 0, told.stderr
    said = told.document
    assert said["parity"]["holds"] and said["stages_ms"]["network"]["median"] > 0
    rows = {one["precision"]: one for one in said["precisions"]["rows"]}
    assert next(iter(rows)) == "f32" and rows["f32"]["max_relative_error"] == 0
    assert said["precisions"]["n_good"] == 6 and said["precisions"]["n_painted"] > 0
    # What it kept is what a plain load takes, and what inspect says it takes.
    kept, plain = Inspector.load(out), Inspector.load(fitted)
    assert kept.execution.precision == said["kept"]["precision"] == said["precisions"]["best"]
    if kept.execution.precision == "f32":
        assert INT8_MODEL not in read_artifact(out).members
        assert kept.inspect(photographs[0]).score == plain.inspect(photographs[0]).score
    spoken = blemish("inspect", out, photographs[0], "--precision", "auto")
    assert f"is run in {kept.execution.precision}, as chosen for" in spoken.stderr + spoken.stdout
    silent = blemish("inspect", fitted, photographs[0], "--precision", "auto")
    assert "keeps no precision for" in silent.stderr + silent.stdout


def test_an_8_bit_network_gives_other_numbers_and_the_same_shapes(
    fitted: Path, washers: Path, photographs: Sequence[Path], tmp_path: Path
) -> None:
    pytest.importorskip("nncf", reason="the extra [precision] is not installed")
    from blemish.line.precision_evidence import compare_precisions, network_inputs
    from blemish.making.quantisation import quantised

    artifact, plain = read_artifact(fitted), Inspector.load(fitted)
    good = list_images(washers / "train" / "good")
    made = quantised(artifact.content(MODEL), network_inputs(plain, good[:4]), 2)
    assert len(made) < 0.7 * len(artifact.content(MODEL))
    artifact = replace(artifact, members={**artifact.members, INT8_MODEL: made})
    eight = Inspector(artifact, Execution(precision="int8"))
    compared = compare_precisions({"f32": plain, "int8": eight}, good[4:8], photographs[:4])
    exact = np.array([plain.inspect(path).score for path in (*good[4:8], *photographs[:4])])
    said = np.array([eight.inspect(path).score for path in (*good[4:8], *photographs[:4])])
    error = float(np.max(np.abs(said - exact) / exact))
    assert compared.rows[1].max_relative_error == pytest.approx(error, rel=1e-5) and 0 < error < 1


class Unplugged:
    """A real engine whose device fails at an inference, as OpenVINO and ONNX Runtime say it: with a RuntimeError."""

    def __init__(self, engine: Engine, runs: int) -> None:
        self._engine, self._left = engine, runs
        self.input_shape, self.outputs = engine.input_shape, engine.outputs

    def __call__(self, image: FloatArray) -> list[FloatArray]:
        self._left -= 1
        if self._left < 0:
            raise RuntimeError("[GPU] clFlush, error code: -36 CL_INVALID_COMMAND_QUEUE\nmore of it")
        return self._engine(image)


@pytest.fixture
def gpu_that_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """A device `gpu` that computes on the CPU twice, and is gone then."""

    def engine(model: bytes, execution: Execution, outputs: Sequence[str] | None) -> Engine:
        real = engine_for(model, replace(execution, device="cpu"), outputs)
        return Unplugged(real, 2) if execution.device == "gpu" else real

    monkeypatch.setattr(network, "engine_for", engine)
    monkeypatch.setattr(devices, "available_devices", lambda: ("cpu", "gpu"))
    monkeypatch.setattr(devices, "available_precisions", lambda device: ("f32",))


@pytest.mark.usefixtures("gpu_that_is_lost")
def test_a_lost_device_is_said_once_and_the_cpu_goes_on(
    fitted: Path, photographs: Sequence[Path], blemish: Callable[..., Any]
) -> None:
    on_gpu, on_cpu = Inspector.load(fitted, device="gpu", precision="f32"), Inspector.load(fitted)
    assert [on_gpu.inspect(path).score for path in photographs[:4]] == [
        on_cpu.inspect(path).score for path in photographs[:4]
    ]
    assert on_gpu.lost_device is not None and on_cpu.lost_device is None
    assert "device gpu failed ([GPU] clFlush, error code: -36 CL_INVALID_COMMAND_QUEUE)" in on_gpu.lost_device
    told = blemish("inspect", fitted, *photographs[:4], "--device", "gpu", "--precision", "f32")
    assert told.stderr.count("The device gpu failed") == 1 and "4 photographs" in told.stdout


@pytest.mark.usefixtures("gpu_that_is_lost")
def test_what_fails_on_the_cpu_too_is_no_lost_device(fitted: Path) -> None:
    artifact = read_artifact(fitted)
    net = network.CompiledNetwork(artifact.content(MODEL), Execution("gpu"), ("score",))
    with pytest.raises(RuntimeError):
        net(np.zeros((1, 3, 7, 7), np.float32))
    assert net.lost is None


@pytest.mark.usefixtures("gpu_that_is_lost")
def test_a_station_outlives_a_lost_device(
    fitted: Path, photographs: Sequence[Path], tmp_path: Path, blemish: Callable[..., Any]
) -> None:
    pytest.importorskip("portalocker", reason="the extra [station] is not installed")
    incoming = tmp_path / "incoming"
    incoming.mkdir()
    for number, path in enumerate(photographs[:6]):
        (incoming / f"{number}.png").write_bytes(path.read_bytes())
    config = tmp_path / "line.toml"
    config.write_text(
        f'[station]\nname = "line"\ninspector = "{fitted}"\nhome = "home"\nworkers = 1\ndevice = "gpu"\n'
        'precision = "f32"\n[[source]]\nkind = "folder"\nname = "camera"\npath = "incoming"\n'
    )
    told = blemish("station", config, "--once", "--json")
    assert told.status == 0, told.stderr
    status = json.loads(told.stdout)["status"]
    assert sum(status["verdicts"].values()) == 6
    assert [one["what"] for one in status["troubles"]] == ["device"]
    log = next((tmp_path / "home").rglob("station.log")).read_text("utf-8")
    assert log.count("The device gpu failed") == 1


@pytest.mark.usefixtures("gpu_that_is_lost")
def test_a_server_outlives_a_lost_device_and_tells_it(
    fitted: Path, photographs: Sequence[Path], tmp_path: Path
) -> None:
    pytest.importorskip("fastapi", reason="the extra [serve] is not installed")
    from blemish.server.service import Service
    from blemish.server.settings import ServerSettings
    from blemish.station.photograph import Photograph

    service = Service(ServerSettings(home=tmp_path / "home", workers=1, device="gpu", precision="f32"))
    try:
        name = service.inspectors.keep_or_activate(fitted).name
        service.start()
        assert b"blemish_device_well 1.0" in service.metrics.text() and not service.troubles
        sent = [Photograph(path.read_bytes(), path.name) for path in photographs[:4]]
        answers = service.inspect(sent, name)
        scores = [one.record.score for one in answers if hasattr(one, "record")]
        plain = Inspector.load(fitted)
        assert scores == [plain.inspect(path).score for path in photographs[:4]]
        assert b"blemish_device_well 0.0" in service.metrics.text()
        assert any("device is lost" in sentence for sentence in service.troubles)
    finally:
        service.stop()


def test_a_station_and_a_server_without_the_device_do_not_begin(
    fitted: Path, photographs: Sequence[Path], tmp_path: Path, blemish: Callable[..., Any]
) -> None:
    if "gpu" in devices.available_devices():
        pytest.skip("this machine has an Intel GPU")
    for command in (
        ("inspect", fitted, photographs[0], "--device", "gpu"),
        ("evaluate", fitted, photographs[0].parent, "--device", "gpu"),
        ("bench", fitted, "--device", "gpu"),
        ("serve", "--home", tmp_path / "home", "--device", "gpu"),
    ):
        told = blemish(*command)
        assert told.status == 2 and "This machine has no device gpu, only" in told.stderr
