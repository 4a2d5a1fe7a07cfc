"""A compiled ONNX network: on the CPU, or on a device that may be lost while it runs."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Protocol

from blemish.core.devices import PROVIDERS, require_execution
from blemish.core.execution import Execution
from blemish.core.progress import say
from blemish.core.types import FloatArray

_usual_threads: int | None = None


def limit_threads(threads: int | None) -> None:
    """Threads of every network that this process compiles from now on without saying how many; None for all."""
    global _usual_threads
    _usual_threads = threads


def usual_threads() -> int | None:
    """Threads of a network that is compiled without saying how many; None for all."""
    return _usual_threads


class Engine(Protocol):
    """Who computes: `OpenVinoEngine` or `OnnxRuntimeEngine`."""

    def __call__(self, image: FloatArray) -> list[FloatArray]:
        """Outputs in order; a RuntimeError where the device failed."""

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of the input."""

    @property
    def outputs(self) -> dict[str, tuple[int, ...]]:
        """Shape of each output by its name."""


class CompiledNetwork:
    """Runs an ONNX model of fixed input shape, an image a call, by default in float32 on the CPU; threads may share it.

    A device other than the CPU that fails while it runs is given up: the same image and all that follow are computed
    on the CPU, in float32, of the same model. Whoever watches is told in a sentence, which `lost` keeps.

    Args:
        model: ONNX.
        execution: device, precision, threads and streams.
        outputs: names of those that are computed, in the model's order; all when None. What the others alone need is
            not computed.

    Attributes:
        lost: what became of the device, in one sentence; None while all is well.

    Raises:
        UsageError: the device is not there, or cannot compute in that precision.
        RuntimeError: the model cannot be run here, or has no such output.
    """

    def __init__(
        self, model: bytes, execution: Execution | None = None, outputs: Sequence[str] | None = None
    ) -> None:
        asked = execution or Execution()
        self._execution = replace(asked, threads=asked.threads or _usual_threads)
        self.lost: str | None = None
        self._spare: tuple[bytes, Sequence[str] | None] | None = None
        self._giving_up = threading.Lock()
        if self._execution.device != "cpu":
            self._spare = model, outputs
        self._engine = engine_for(model, self._execution, outputs)

    def __call__(self, image: FloatArray) -> list[FloatArray]:
        """Outputs in order for a 1 x 3 x H x W float32 image; the arrays are copies."""
        engine = self._engine
        try:
            return engine(image)
        except RuntimeError as error:
            with self._giving_up:
                if self._spare is not None:
                    return self._on_the_cpu(self._spare, image, error)
            if self._engine is engine:
                raise
            return self._engine(image)  # another thread has given the device up meanwhile

    def _on_the_cpu(
        self, model: tuple[bytes, Sequence[str] | None], image: FloatArray, error: RuntimeError
    ) -> list[FloatArray]:
        """Outputs for an image at which the device failed; where the CPU fails too, it was not the device."""
        spare = engine_for(model[0], replace(self._execution, device="cpu", precision="f32"), model[1])
        said = spare(image)
        self._engine, self._spare = spare, None
        cause = (str(error).splitlines() or ["no reason given"])[0]
        self.lost = (
            f"The device {self._execution.device} failed ({cause}): the CPU goes on in its place, slower, until this "
            "is started anew."
        )
        say(self.lost)
        return said

    def each(self, images: Iterable[FloatArray]) -> Iterator[FloatArray]:
        """The first output for each of several images, in order; only one is held at a time."""
        for image in images:
            yield self(image)[0]

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of the input; a RuntimeError where the model leaves it open."""
        return self._engine.input_shape

    @property
    def outputs(self) -> dict[str, tuple[int, ...]]:
        """Shape of each output by its name, in order; a RuntimeError where the model leaves one open."""
        return self._engine.outputs


def engine_for(model: bytes, execution: Execution, outputs: Sequence[str] | None) -> Engine:
    """The engine of a device.

    Raises:
        UsageError: the device is not there, or cannot compute in that precision.
        RuntimeError: the model cannot be run on it.
    """
    if execution != Execution(threads=execution.threads, streams=execution.streams):
        require_execution(execution)
    if execution.device in PROVIDERS:
        from blemish.core.onnxruntime_engine import OnnxRuntimeEngine

        return OnnxRuntimeEngine(model, execution, outputs)
    from blemish.core.openvino_engine import OpenVinoEngine

    return OpenVinoEngine(model, execution, outputs)
