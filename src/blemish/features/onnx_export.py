"""From a torch module to ONNX bytes."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

OPSET = 17


def to_onnx(module: nn.Module, example: Tensor, outputs: Sequence[str]) -> bytes:
    """Export a module in eval mode to an ONNX model of fixed input shape.

    Args:
        module: takes one float32 tensor; every tensor it returns becomes an output.
        example: an input of the shape that will be used, 1 x 3 x H x W; the input is named `image`.
        outputs: a name for each output, in order.
    """
    buffer = io.BytesIO()
    with _quiet(), torch.inference_mode():
        # The tracing exporter: these networks have no control flow, and it is several times faster.
        torch.onnx.export(
            module.eval(),
            (example,),
            buffer,  # type: ignore[arg-type]  # the tracing exporter writes to streams too
            input_names=["image"],
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
