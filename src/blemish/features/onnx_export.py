"""From a torch module to ONNX bytes."""

from __future__ import annotations

import contextlib
import io
import logging
import threading
import warnings
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from blemish.core.network import CompiledNetwork
from blemish.features.backbones import Backbone
from blemish.features.shared_export import compiled_once, exported_behind_backbones, shareable

OPSET = 17

_tracing = threading.RLock()
"""Torch traces for one thread at a time."""


def to_onnx(module: nn.Module, example: Tensor, outputs: Sequence[str]) -> bytes:
    """Export a module in eval mode to an ONNX model of fixed input shape.

    Args:
        module: takes one float32 tensor; every tensor it returns becomes an output.
        example: an input of the shape that will be used, 1 x 3 x H x W; the input is named `image`.
        outputs: a name for each output, in order.
    """
    module.eval()
    with _tracing, _quiet(), torch.inference_mode():
        shared = exported_behind_backbones(module, example, outputs, _traced)
        return shared or _traced(module, [example], ["image"], outputs)


def compiled_backbone(backbone: Backbone, example: Tensor) -> CompiledNetwork:
    """A backbone compiled for photographs of an example's shape: once in this process, where it may be shared."""
    if not shareable(backbone):
        return CompiledNetwork(to_onnx(backbone, example, [f"tap{tap}" for tap in backbone.taps]))
    with _tracing, _quiet(), torch.inference_mode():
        return compiled_once(backbone, example, _traced)


def _traced(
    module: nn.Module, inputs: Sequence[Tensor], input_names: Sequence[str], outputs: Sequence[str]
) -> bytes:
    buffer = io.BytesIO()
    # The tracing exporter: these networks have no control flow, and it is several times faster.
    torch.onnx.export(
        module.eval(),
        tuple(inputs),
        buffer,  # type: ignore[arg-type]  # the tracing exporter writes to streams too
        input_names=list(input_names),
        output_names=list(outputs),
        opset_version=OPSET,
        dynamo=False,
    )
    return buffer.getvalue()


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporter's own messages from the user."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
