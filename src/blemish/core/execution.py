"""Where a network is computed, and in which numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, get_args

from blemish.core.errors import UsageError

Device = Literal["cpu", "gpu", "npu", "cuda", "tensorrt"]
"""`cpu`, `gpu` and `npu` through OpenVINO; `cuda` and `tensorrt` through ONNX Runtime, the extra [cuda]."""

Precision = Literal["f32", "bf16", "f16", "int8"]
"""float32; bfloat16; float16; 8-bit integers, of a network that was quantised for it."""

AskedPrecision = Literal["auto", "f32", "bf16", "f16", "int8"]
"""A precision, or `AUTO`."""

DEVICES: Final[tuple[str, ...]] = get_args(Device)
PRECISIONS: Final[tuple[str, ...]] = get_args(Precision)
AUTO: Final = "auto"
"""The precision that an inspector keeps for this processor, f32 where it keeps none."""


@dataclass(frozen=True)
class Execution:
    """How a network is to be run.

    Attributes:
        device: one of `DEVICES`.
        precision: one of `PRECISIONS`; of an inspector `AUTO` too.
        threads: CPU threads, 1 and more; all when None.
        streams: images that are run at the same time when as many threads call; the CPU threads are shared among them,
            the weights are there once, and every output is the same to the bit.

    Raises:
        UsageError: one of them is not possible.
    """

    device: str = "cpu"
    precision: str = "f32"
    threads: int | None = None
    streams: int = 1

    def __post_init__(self) -> None:
        if self.device not in DEVICES:
            raise UsageError(f"{self.device!r} is no device: name one of {', '.join(DEVICES)}.")
        if self.precision not in (*PRECISIONS, AUTO):
            raise UsageError(
                f"{self.precision!r} is no precision: name {AUTO} or one of {', '.join(PRECISIONS)}."
            )
        if self.threads is not None and self.threads < 1:
            raise UsageError(f"{self.threads} threads are not possible: name 1 or more, or none for all.")
        if self.streams < 1:
            raise UsageError(f"{self.streams} streams are not possible: name 1 or more.")


AS_KEPT: Final = Execution(precision=AUTO)
"""On the CPU, in the precision that the inspector keeps for it."""
