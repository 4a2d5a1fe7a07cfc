"""An ONNX network run by ONNX Runtime, on NVIDIA's GPUs: by CUDA or TensorRT."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from blemish.core.devices import PROVIDERS
from blemish.core.execution import Execution
from blemish.core.types import FloatArray

CPU_PROVIDER = "CPUExecutionProvider"


class OnnxRuntimeEngine:
    """Runs an ONNX model of fixed input shape, one image at a time; as `OpenVinoEngine`.

    Args:
        model: ONNX.
        execution: device, precision and threads. On `cpu` it is the second implementation that OpenVINO is held to.
        outputs: names of those that are given; all when None.

    Raises:
        RuntimeError: it cannot be run here, or has no such output.
    """

    def __init__(self, model: bytes, execution: Execution, outputs: Sequence[str] | None = None) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = (
            3  # errors alone: it warns of every node that a provider leaves to the CPU
        )
        if execution.threads:
            options.intra_op_num_threads = execution.threads
        wanted = provider_options(execution)
        try:
            self._session = onnxruntime.InferenceSession(model, options, providers=wanted)
        except Exception as error:  # its own classes derive from Exception alone
            raise RuntimeError(str(error)) from error
        first = wanted[0][0]
        if first not in self._session.get_providers():  # it would go on on the CPU without a word
            raise RuntimeError(f"{first} could not be started: its libraries are missing")
        known = {output.name: output for output in self._session.get_outputs()}
        self._names = list(known) if outputs is None else [name for name in known if name in outputs]
        if missing := [name for name in outputs or () if name not in known]:
            raise RuntimeError(f"it has no output {missing[0]}")
        self._outputs = {name: known[name] for name in self._names}
        self._input = self._session.get_inputs()[0]

    def __call__(self, image: FloatArray) -> list[FloatArray]:
        """Outputs in order for an input of `input_shape`, float32.

        Raises:
            RuntimeError: the device failed.
        """
        given = np.ascontiguousarray(image, np.float32)
        try:
            return [np.asarray(one) for one in self._session.run(self._names, {self._input.name: given})]
        except Exception as error:
            raise RuntimeError(str(error)) from error

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of the input; a RuntimeError where the model leaves it open."""
        return _closed(self._input)

    @property
    def outputs(self) -> dict[str, tuple[int, ...]]:
        """Shape of each output by its name, in order; a RuntimeError where the model leaves one open."""
        return {name: _closed(output) for name, output in self._outputs.items()}


def provider_options(execution: Execution) -> list[tuple[str, dict[str, Any]]]:
    """ONNX Runtime's providers for an execution, the wanted one first, and their options.

    float32 is asked for in so many words: CUDA would multiply in TF32, which keeps 10 of the 23 bits.
    https://onnxruntime.ai/docs/execution-providers/CUDA-ExecutionProvider.html and
    https://onnxruntime.ai/docs/execution-providers/TensorRT-ExecutionProvider.html.
    """
    cuda = (PROVIDERS["cuda"], {"use_tf32": "0", "cudnn_conv_algo_search": "HEURISTIC"})
    if execution.device == "cuda":
        return [cuda, (CPU_PROVIDER, {})]
    if execution.device == "tensorrt":
        numbers = {
            "trt_fp16_enable": str(execution.precision == "f16"),
            "trt_int8_enable": str(execution.precision == "int8"),
        }
        return [(PROVIDERS["tensorrt"], numbers), cuda, (CPU_PROVIDER, {})]
    return [(CPU_PROVIDER, {})]


def _closed(value: Any) -> tuple[int, ...]:
    if not all(isinstance(size, int) for size in value.shape):
        raise RuntimeError(f"{value.name} leaves its shape open")
    return tuple(value.shape)
