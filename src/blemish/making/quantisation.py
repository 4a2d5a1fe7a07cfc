"""An inspector's network in 8-bit integers, by NNCF, with photographs of good parts: the extra [precision]."""

from __future__ import annotations

import io
import logging
from collections.abc import Sequence
from contextlib import redirect_stdout

from blemish.core.errors import BlemishError, MissingExtraError
from blemish.core.progress import task
from blemish.core.types import FloatArray


def quantised(model: bytes, inputs: Sequence[FloatArray], outputs: int) -> bytes:
    """A network whose convolutions and products are computed in 8 bits, without learning anew.

    Post-training quantisation with a correction of the bias, https://docs.openvino.ai/2025/openvino-workflow/
    model-optimization-guide/quantizing-models-post-training.html: the range of each activation is taken from the
    inputs. Distances to a memory bank (the modules named `head`) stay float32, as small differences of large numbers.

    Args:
        model: ONNX.
        inputs: what the network is given of photographs of good parts, float32 of its input's shape; 1 or more.
        outputs: how many of its outputs are kept, the first; only explanations fetch the others.

    Raises:
        MissingExtraError: NNCF is not installed.
        BlemishError: it cannot quantise this network.
    """
    logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)  # of CUDA, which is not asked for
    try:
        import nncf
        import onnx
    except ImportError as error:
        raise MissingExtraError("An 8-bit network", "precision") from error
    logging.getLogger("nncf").setLevel(logging.ERROR)
    graph = onnx.load_from_string(model)
    del graph.graph.output[outputs:]
    name = graph.graph.input[0].name
    try:
        # It draws progress of its own.
        with task("Making an 8-bit network"), redirect_stdout(io.StringIO()):
            made = nncf.quantize(
                graph,
                nncf.Dataset([{name: one} for one in inputs]),
                subset_size=len(inputs),
                ignored_scope=nncf.IgnoredScope(patterns=[".*/head/.*"], validate=False),
            )
    except Exception as error:  # its own errors have no common class
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise BlemishError(
            f"This network cannot be made 8-bit ({first}): take --precision f32, or another detector."
        ) from error
    content: bytes = made.SerializeToString()
    return content
