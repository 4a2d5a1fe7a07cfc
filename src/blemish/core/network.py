"""A compiled ONNX network on the CPU, through OpenVINO."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import Any

import numpy as np

from blemish.core.types import FloatArray

# OpenVINO would report usage over the network.
os.environ.setdefault("OPENVINO_TELEMETRY_OPT_OUT", "1")


_usual_threads: int | None = None
_STARTING = threading.Lock()


def limit_threads(threads: int | None) -> None:
    """Threads of every network that this process compiles from now on without saying how many; None for all."""
    global _usual_threads
    _usual_threads = threads


class CompiledNetwork:
    """Runs an ONNX model of fixed input shape, an image a call, in float32; several threads may call it.

    OpenVINO would run bfloat16 by default on CPUs that have it, which moves features by 1 to 3 %: precision is
    therefore asked for.

    Args:
        model: ONNX.
        threads: CPU threads; all when None.
        outputs: names of those that are computed, in the model's order; all when None. What the others alone need is
            not computed.
        streams: images that are run at the same time when as many threads call; the CPU threads are shared among them,
            the weights are there once.

    Raises:
        RuntimeError: it cannot be run here, or has no such output.
    """

    def __init__(
        self,
        model: bytes,
        threads: int | None = None,
        outputs: Sequence[str] | None = None,
        streams: int = 1,
    ) -> None:
        core = _core()
        settings: dict[str, Any] = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
        threads = threads or _usual_threads
        if threads:
            settings["INFERENCE_NUM_THREADS"] = threads
        if streams > 1:
            settings["NUM_STREAMS"] = streams
        if threads or streams > 1:
            # Pinned, the threads of all networks would share the first cores, and the others stand idle.
            settings["ENABLE_CPU_PINNING"] = False
        read = core.read_model(model)
        if outputs is not None:
            _keep_outputs(read, outputs)
        compiled = core.compile_model(read, "CPU", settings)
        self._idle = [compiled.create_infer_request()]  # a request runs one image at a time
        self._compiled = compiled
        self._outputs = len(compiled.outputs)

    def __call__(self, image: FloatArray) -> list[FloatArray]:
        """Outputs in order for a 1 x 3 x H x W float32 image; the arrays are copies."""
        try:
            request = self._idle.pop()
        except IndexError:
            request = self._compiled.create_infer_request()
        request.infer({0: np.ascontiguousarray(image)})
        outputs = [np.array(request.get_output_tensor(index).data) for index in range(self._outputs)]
        self._idle.append(request)
        return outputs

    def each(self, images: Iterable[FloatArray]) -> Iterator[FloatArray]:
        """The first output for each of several images, in order; only one is held at a time."""
        for image in images:
            yield self(image)[0]

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of the input; a RuntimeError where the model leaves it open."""
        return tuple(self._compiled.inputs[0].shape)

    @property
    def outputs(self) -> dict[str, tuple[int, ...]]:
        """Shape of each output by its name, in order; a RuntimeError where the model leaves one open."""
        return {output.get_any_name(): tuple(output.shape) for output in self._compiled.outputs}


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


def _core() -> Any:
    with _STARTING:
        return _started_core()


@cache
def _started_core() -> Any:
    import openvino

    # Two threads that hand over their first array at the same moment would wait for each other for ever: the
    # binding (seen in OpenVINO 2026.4) makes a static value under a lock of its own and the interpreter's.
    openvino.Tensor(np.zeros(1, np.float32)).data[:] = 0
    return openvino.Core()
