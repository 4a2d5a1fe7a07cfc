"""The parity gate: an artifact is written only if the runtime says what the laboratory says."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from blemish.core.errors import BlemishError
from blemish.core.images import DEFAULT_LIMITS, read_content
from blemish.core.network import CompiledNetwork
from blemish.line.manifest import FeaturesRecord, ParityRecord
from blemish.line.rows import network_input, photograph_for
from blemish.view.preprocessing import Preprocessing

TOLERANCE = 1e-3


def check_parity(
    network: torch.nn.Module,
    model: bytes,
    contract: Preprocessing,
    paths: Sequence[Path],
    features: FeaturesRecord | None = None,
) -> ParityRecord:
    """Score photographs with the torch network and with the runtime's, and compare scores and maps.

    Their negatives are shown: what a detector has learnt by heart scores about zero, where rounding is all there is.
    The error is the largest difference relative to the largest value of the torch path on that image.

    Raises:
        BlemishError: they differ by more than `TOLERANCE`; the photograph and its two scores are named.
    """
    runtime = CompiledNetwork(model)
    largest, worst = 0.0, ""
    for path in paths:
        negative = (
            np.uint8(255)
            - photograph_for(
                contract, features, read_content(path, DEFAULT_LIMITS.max_bytes), str(path)
            ).pixels
        )
        given = network_input(negative, contract, features).values[None]
        with torch.inference_mode():
            expected = [output.numpy() for output in network(torch.from_numpy(given))]
        said = runtime(given)
        for mine, theirs in zip(expected, said, strict=True):
            scale = float(np.abs(mine).max()) or 1.0
            difference = float(np.abs(mine.reshape(theirs.shape) - theirs).max() / scale)
            if difference > largest or np.isnan(difference):
                largest = float(np.maximum(largest, difference))  # unlike max(), it lets no NaN pass
                scores = [float(np.asarray(outputs[0]).flat[0]) for outputs in (expected, said)]
                worst = f"the negative of {path} scores {scores[0]:.6g} by the one and {scores[1]:.6g} by the other"
    if not largest <= TOLERANCE:
        raise BlemishError(
            f"The exported network differs from the fitted detector by {largest:.1e} of the score where "
            f"{TOLERANCE:.0e} is allowed, so no inspector was written: {worst}; try photographs that differ more, "
            "another size or another detector, and if none helps, report this with the output of pip freeze."
        )
    return ParityRecord(n_images=len(paths), max_relative_error=largest)
