"""The parity gate on the machine that runs an inspector: two implementations must say the same of its graphs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from blemish.core.devices import available_precisions
from blemish.core.execution import Execution
from blemish.core.network import Engine, engine_for
from blemish.line.artifact import MODEL, SCORING, Artifact

TOLERANCE: Final = 1e-3
"""Largest difference that passes, relative to the largest value of an output."""

_INPUTS = 3


@dataclass(frozen=True)
class MachineParity:
    """How far this machine's float32 is from another implementation's.

    Attributes:
        against: the other one, or why nothing was compared.
        max_relative_error: relative to the largest value of an output; None where nothing was compared.
    """

    against: str
    max_relative_error: float | None

    @property
    def holds(self) -> bool:
        """Whether they agree, or nothing could be compared."""
        return self.max_relative_error is None or self.max_relative_error <= TOLERANCE

    @property
    def sentence(self) -> str:
        """What came of it."""
        if self.max_relative_error is None:
            return f"not checked, as {self.against}"
        word = "as it must be" if self.holds else f"more than the {TOLERANCE:.0e} that are allowed"
        return f"float32 is within {self.max_relative_error:.1e} of {self.against}, {word}"


def machine_parity(artifact: Artifact, execution: Execution) -> MachineParity:
    """Run an artifact's graphs on seeded noise in float32: on the CPU beside ONNX Runtime, elsewhere beside the CPU.

    Raises:
        UsageError: the device is not there.
        RuntimeError: a graph cannot be run.
    """
    execution = replace(execution, precision="f32")
    if "f32" not in available_precisions(execution.device):
        return MachineParity(f"the device {execution.device} has no float32", None)
    if execution.device == "cpu":
        try:
            import onnxruntime
        except ImportError:
            return MachineParity("there is no second implementation here: pip install onnxruntime", None)
        against = f"ONNX Runtime {onnxruntime.__version__}"
    else:
        against = "OpenVINO on the CPU"
    rng, largest = np.random.default_rng(0), 0.0
    names = [name for name in (MODEL, SCORING) if name in artifact.members]
    for name in names:
        model = artifact.content(name)
        tiles = SCORING in artifact.members and name == MODEL
        outputs = ("map",) if tiles else artifact.manifest.detector.outputs
        mine, other = engine_for(model, execution, outputs), _second(model, execution, outputs)
        for _ in range(_INPUTS):
            given = rng.standard_normal(mine.input_shape).astype(np.float32)
            if name == SCORING:
                given = np.abs(given)  # distances
            for one, two in zip(other(given), mine(given), strict=True):
                scale = float(np.abs(one).max()) or 1.0
                error = float(np.abs(one.reshape(two.shape) - two).max() / scale)
                largest = error if np.isnan(error) else max(largest, error)
    return MachineParity(against, largest)


def _second(model: bytes, execution: Execution, outputs: tuple[str, ...]) -> Engine:
    if execution.device != "cpu":
        return engine_for(model, Execution(), outputs)
    from blemish.core.onnxruntime_engine import OnnxRuntimeEngine

    return OnnxRuntimeEngine(model, execution, outputs)
