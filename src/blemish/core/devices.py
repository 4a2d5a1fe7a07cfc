"""Which devices this machine has to compute networks with, and which precisions each of them can."""

from __future__ import annotations

import threading
from functools import cache
from typing import Any, Final

import numpy as np

from blemish.core.errors import UsageError
from blemish.core.execution import DEVICES, PRECISIONS, Execution

PROVIDERS: Final = {"cuda": "CUDAExecutionProvider", "tensorrt": "TensorrtExecutionProvider"}
"""ONNX Runtime's names of the devices that it computes on."""

_PROVIDER_PRECISIONS: Final = {"cuda": ("f32",), "tensorrt": ("f32", "f16", "int8")}
_CAPABILITIES: Final = {"f32": "FP32", "bf16": "BF16", "f16": "FP16", "int8": "INT8"}
_STARTING = threading.Lock()


def available_devices() -> tuple[str, ...]:
    """The devices of this machine, in the order of `blemish.core.execution.DEVICES`; `cpu` is always there.

    https://docs.openvino.ai/2025/openvino-workflow/running-inference/inference-devices-and-modes.html and
    https://onnxruntime.ai/docs/execution-providers/.
    """
    found = {name.partition(".")[0].lower() for name in openvino_core().available_devices}
    found |= {device for device, provider in PROVIDERS.items() if provider in _providers()}
    return tuple(device for device in DEVICES if device in found)


def available_precisions(device: str) -> tuple[str, ...]:
    """What a device can compute in by its own word, in the order of `blemish.core.execution.PRECISIONS`.

    Raises:
        UsageError: this machine has no such device.
    """
    require_device(device)
    if device in PROVIDERS:
        return _PROVIDER_PRECISIONS[device]
    able = openvino_core().get_property(device.upper(), "OPTIMIZATION_CAPABILITIES")
    return tuple(name for name in PRECISIONS if _CAPABILITIES[name] in able)


def processor_name(device: str) -> str:
    """What the device calls itself, as `AMD EPYC`, and its precisions: virtual machines call many processors alike.

    Raises:
        UsageError: this machine has no such device.
    """
    able = ", ".join(available_precisions(device))
    name = device if device in PROVIDERS else openvino_core().get_property(device.upper(), "FULL_DEVICE_NAME")
    return f"{str(name).strip()} ({able})"


def library_name(device: str) -> str:
    """What computes on a device, with its version, as `OpenVINO 2026.4.1`."""
    if device in PROVIDERS:
        import onnxruntime

        return f"ONNX Runtime {onnxruntime.__version__}"
    import openvino

    return f"OpenVINO {openvino.__version__.split('-')[0]}"


def require_device(device: str) -> None:
    """Check that a device is there.

    Raises:
        UsageError: it is not; the sentence says what is there, and what the other one needs.
    """
    if device == "cpu":  # whoever runs nowhere else loads no drivers, and no ONNX Runtime
        return
    there = available_devices()
    if device in there:
        return
    needs = {
        "gpu": "it needs an Intel GPU and its driver (intel-opencl-icd on Debian)",
        "npu": "it needs an Intel NPU and its driver (intel-npu-driver)",
        "cuda": "it needs an NVIDIA GPU, its driver, and pip install 'blemish[cuda]'",
        "tensorrt": "it needs an NVIDIA GPU, its driver, pip install 'blemish[cuda]' and TensorRT's libraries",
    }[device]
    raise UsageError(
        f"This machine has no device {device}, only {', '.join(there)}: {needs}, or leave --device {device} out."
    )


def require_execution(execution: Execution) -> None:
    """Check that a network can be run so here.

    Raises:
        UsageError: the device is absent, or cannot compute in that precision.
    """
    able = available_precisions(execution.device)
    if execution.precision not in able:
        raise UsageError(
            f"{processor_name(execution.device).partition(' (')[0]} ({execution.device}) cannot compute in "
            f"{execution.precision}: take --precision {' or '.join(able)}."
        )


def openvino_core() -> Any:
    """The one `openvino.Core` of this process, started when first asked for."""
    with _STARTING:
        return _started_core()


@cache
def _started_core() -> Any:
    import openvino

    # Two threads that hand over their first array at the same moment would wait for each other for ever: the
    # binding (seen in OpenVINO 2026.4) makes a static value under a lock of its own and the interpreter's.
    openvino.Tensor(np.zeros(1, np.float32)).data[:] = 0
    return openvino.Core()


@cache
def _providers() -> tuple[str, ...]:
    """ONNX Runtime's providers; none where it is not installed."""
    try:
        import onnxruntime
    except ImportError:
        return ()
    return tuple(onnxruntime.get_available_providers())
