"""Synthetic defects on held-out good images: what settings are chosen on, so that no test image is ever looked at."""

from __future__ import annotations

import numpy as np

from blemish.core.errors import BlemishError
from blemish.core.types import ByteArray
from blemish.data.synthetic import DEFECT_PAINTERS


def with_a_defect(image: ByteArray, rng: np.random.Generator) -> ByteArray | None:
    """The photograph, uint8 H x W x 3, with one defect of a random type; None where no type could be seen on it."""
    for name in rng.permutation(sorted(DEFECT_PAINTERS)):
        try:
            return DEFECT_PAINTERS[str(name)](image, None, rng)[0]
        except BlemishError:  # nowhere on this image could this type be seen
            continue
    return None
