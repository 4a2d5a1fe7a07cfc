"""The parity gate on an exported graph: it must say of whole photographs what the inspector says."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from blemish.core.errors import BlemishError
from blemish.core.images import read_image
from blemish.core.progress import task
from blemish.core.types import ByteArray, FloatArray
from blemish.line.machine_parity import TOLERANCE
from blemish.line.runtime import Inspector
from blemish.making.exported_graph import P_VALUE, PHOTOGRAPH, VERDICT, VERDICTS

Runner = Callable[[ByteArray], dict[str, FloatArray]]
"""From a photograph, uint8 RGB H x W x 3, to the graph's outputs by their names."""


@dataclass(frozen=True)
class ExportCheck:
    """How far an exported graph is from its inspector.

    Attributes:
        runtime: what has run it.
        photographs: compared.
        largest_error: of a score or a map, relative to the largest value of the inspector's map.
        other_verdicts: photographs with another verdict, whose score lies within that of a threshold.
    """

    runtime: str
    photographs: int
    largest_error: float
    other_verdicts: int


def onnx_runner(path: Path) -> tuple[str, Runner]:
    """ONNX Runtime where it is installed, else OpenVINO: its name and version, and the graph in it."""
    try:
        import onnxruntime
    except ModuleNotFoundError:
        return openvino_runner(path)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [one.name for one in session.get_outputs()]

    def run(photograph: ByteArray) -> dict[str, FloatArray]:
        return dict(zip(names, session.run(names, {PHOTOGRAPH: photograph}), strict=True))

    return f"ONNX Runtime {onnxruntime.__version__}", run


def openvino_runner(path: Path, threads: int = 0) -> tuple[str, Runner]:
    """OpenVINO in float32, on all threads unless said: its name and version, and the graph in it."""
    import openvino

    core = openvino.Core()
    read: Any = core.read_model(str(path))
    # Before it is compiled: that gives outputs the names of what is inside as well.
    names = [output.get_any_name() for output in read.outputs]
    compiled: Any = core.compile_model(
        read, "CPU", {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": threads}
    )

    def run(photograph: ByteArray) -> dict[str, FloatArray]:
        said = compiled([photograph])
        return {name: np.array(said[place]) for place, name in enumerate(names)}

    return f"OpenVINO {openvino.__version__.split('-')[0]}", run


def torchscript_runner(path: Path) -> tuple[str, Runner]:
    """TorchScript: torch's version, and the graph in it."""
    import torch

    with warnings.catch_warnings():
        # It is called deprecated for torch.export, whose files need Python or a compiler where they run.
        warnings.simplefilter("ignore")
        graph: Any = torch.jit.load(path, map_location="cpu")  # type: ignore[no-untyped-call]

    def run(photograph: ByteArray) -> dict[str, FloatArray]:
        with torch.inference_mode():
            said = graph(torch.from_numpy(photograph.copy()))
        return {name: value.numpy() for name, value in said.items()}

    return f"TorchScript {torch.__version__}", run


def check_export(inspector: Inspector, runner: tuple[str, Runner], paths: Sequence[Path]) -> ExportCheck:
    """Compare scores, maps, p-values and verdicts on photographs, decoded whole for both.

    Raises:
        BlemishError: they differ by more than `TOLERANCE`; the photograph is named.
        ImageError: a photograph cannot be read.
    """
    name, run = runner
    largest, others = 0.0, 0
    with task("checking", len(paths)) as advance:
        for path in paths:
            photograph = read_image(path, bit_depth=inspector.manifest.preprocessing.bit_depth)
            said = run(np.ascontiguousarray(photograph))
            error, same = _compared(inspector, photograph, said)
            if not error <= TOLERANCE:
                raise BlemishError(
                    f"{name} makes of {path} what differs by {error:.1e} of the inspector's where {TOLERANCE:.0e} is "
                    "allowed: use another format, and report this with the output of pip freeze."
                )
            largest, others = max(largest, error), others + (not same)
            advance(1)
    return ExportCheck(name, len(paths), largest, others)


def _compared(inspector: Inspector, photograph: ByteArray, said: dict[str, FloatArray]) -> tuple[float, bool]:
    """The largest relative error, infinite where a p-value or a verdict does not follow from the score; and whether the
    verdict is the inspector's."""
    prediction = inspector.predict(photograph)
    score = float(said["score"].reshape(-1)[0])
    scale = float(np.abs(prediction.anomaly_map).max()) or 1.0
    error = max(
        abs(prediction.score - score),
        float(np.abs(prediction.anomaly_map - said["map"].reshape(prediction.anomaly_map.shape)).max()),
    )
    verdict = VERDICTS[int(said[VERDICT][0])]
    follows = verdict == inspector.decision.verdict(score).value and np.isclose(
        float(said[P_VALUE][0]), inspector.calibration.p_value(score), rtol=1e-5
    )
    same = verdict == inspector.decision.verdict(prediction.score).value
    return (error / scale if follows else float("inf")), same
