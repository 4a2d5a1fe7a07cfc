"""An ONNX network compiled by OpenVINO, on a CPU, an Intel GPU or an NPU."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from blemish.core.devices import openvino_core
from blemish.core.execution import Execution
from blemish.core.kept_networks import KeptNetworks, key_of
from blemish.core.types import FloatArray

# OpenVINO would run bfloat16 by default on CPUs that have it, and float16 on GPUs. An 8-bit network holds its own
# roundings; what lies between them is to be float32.
_HINTS: Final = {"f32": "f32", "bf16": "bf16", "f16": "f16", "int8": "f32"}


class OpenVinoEngine:
    """Runs an ONNX model of fixed input shape, an image a call; several threads may call it.

    Args:
        model: ONNX.
        execution: device, precision, threads and streams.
        outputs: names of those that are computed; all when None.

    Raises:
        RuntimeError: it cannot be run here, or has no such output.
    """

    def __init__(self, model: bytes, execution: Execution, outputs: Sequence[str] | None = None) -> None:
        core = openvino_core()
        settings: dict[str, Any] = {
            "INFERENCE_PRECISION_HINT": _HINTS[execution.precision],
            "PERFORMANCE_HINT": "LATENCY",
        }
        if execution.streams > 1:
            settings["NUM_STREAMS"] = execution.streams
        if execution.device == "cpu":
            if execution.threads:
                settings["INFERENCE_NUM_THREADS"] = execution.threads
            if execution.threads or execution.streams > 1:
                # Pinned, the threads of all networks would share the first cores, and the others stand idle.
                settings["ENABLE_CPU_PINNING"] = False
        self._compiled = _compiled(core, model, outputs, execution.device, settings)
        self._idle = [self._compiled.create_infer_request()]  # a request runs one image at a time
        self._count = len(self._compiled.outputs)

    def __call__(self, image: FloatArray) -> list[FloatArray]:
        """Outputs in order for an input of `input_shape`, float32; the arrays are copies.

        Raises:
            RuntimeError: the device failed.
        """
        try:
            request = self._idle.pop()
        except IndexError:
            request = self._compiled.create_infer_request()
        request.infer({0: np.ascontiguousarray(image)})
        outputs = [np.array(request.get_output_tensor(index).data) for index in range(self._count)]
        self._idle.append(request)
        return outputs

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of the input; a RuntimeError where the model leaves it open."""
        return tuple(self._compiled.inputs[0].shape)

    @property
    def outputs(self) -> dict[str, tuple[int, ...]]:
        """Shape of each output by its name, in order; a RuntimeError where the model leaves one open."""
        return {output.get_any_name(): tuple(output.shape) for output in self._compiled.outputs}


def _compiled(
    core: Any, model: bytes, outputs: Sequence[str] | None, device: str, settings: dict[str, Any]
) -> Any:
    """The network on its device: of the CPU one that was kept, if there is one."""
    networks, key = KeptNetworks(), ""
    if device == "cpu":
        key = key_of(core, model, outputs, settings)
        if (kept := networks.get(core, key, settings)) is not None:
            return kept
    read = core.read_model(model)
    if outputs is not None:
        _keep_outputs(read, outputs)
    compiled = core.compile_model(read, device.upper(), settings)
    if key:
        networks.put(key, compiled)
    return compiled


def _keep_outputs(model: Any, names: Sequence[str]) -> None:
    """Take all other outputs off a model that was read.

    Raises:
        RuntimeError: it has none of a name.
    """
    known = {output.get_any_name(): output.get_node() for output in model.outputs}
    if missing := [name for name in names if name not in known]:
        raise RuntimeError(f"it has no output {missing[0]}")
    for name, result in known.items():
        if name not in names:
            model.remove_result(result)
