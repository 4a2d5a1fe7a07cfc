"""Where a fit computes what it learns from: said by whoever runs it, not by the detector."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from blemish.core.errors import UsageError

_device: ContextVar[torch.device | None] = ContextVar("learning_device", default=None)


def device_named(name: str | None) -> torch.device | None:
    """The device that "cuda" names; None for "cpu" and for None, which is the usual way: OpenVINO and the processor.

    Raises:
        UsageError: torch sees no such device.
    """
    if name in (None, "cpu"):
        return None
    if name != "cuda":
        raise UsageError(f"device={name} is not possible: choose cpu or cuda.")
    if not torch.cuda.is_available():
        raise UsageError(
            f"device=cuda is not possible here, for no CUDA device is seen by torch {torch.__version__}: install a "
            "CUDA build of torch, or leave the device out."
        )
    return torch.device("cuda")


@contextmanager
def learning_on(device: torch.device | None) -> Iterator[None]:
    """All that is learnt inside the context is computed by torch on this device: features of frozen backbones,
    distances, coresets, and trainings whose device is "auto".

    None is the usual way. With the processor as the device, torch does there what it would do on a card.
    """
    token = _device.set(device)
    try:
        yield
    finally:
        _device.reset(token)


def learn_on(device: torch.device | None) -> None:
    """As `learning_on`, for the rest of a process that does nothing else."""
    _device.set(device)


def learning_device() -> torch.device | None:
    """The device that is learnt on; None for the usual way."""
    return _device.get()


@contextmanager
def in_float32() -> Iterator[None]:
    """Convolutions inside keep all bits of float32; a card rounds their factors to 10 bits (TF32) else, and distances
    that are differences of large numbers would not bear it."""
    # `cudnn.flags` would switch off what it is not told of.
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = before


Module = TypeVar("Module", bound=nn.Module)


def on_learning_device(module: Module) -> Module:
    """A module where it is learnt: itself in the usual way, else a copy there, so that it stays where it is."""
    device = learning_device()
    return module if device is None else copy.deepcopy(module).to(device)


def computed_there(module: nn.Module) -> Callable[..., Any]:
    """What a module says of tensors of the processor, computed where it is learnt and brought back; in the usual way
    the module itself."""
    device = learning_device()
    if device is None:
        return module
    moved = on_learning_device(module)

    def computed(*given: Any) -> Any:
        with in_float32():
            return _moved(moved(*_moved(given, device)), torch.device("cpu"))

    return computed


def _moved(values: Any, device: torch.device) -> Any:
    """Tensors, or lists of them, on a device."""
    return (
        values.to(device)
        if isinstance(values, Tensor)
        else type(values)(_moved(one, device) for one in values)
    )
