"""A second implementation of the conformal p-value, as textbooks write it: by counting."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def p_value(normal_scores: npt.ArrayLike, score: float) -> float:
    """(1 + number of normal scores >= score) / (n + 1), in (0, 1].

    References:
        Vovk, Gammerman, Shafer, "Algorithmic Learning in a Random World", 2005.
    """
    scores = np.asarray(normal_scores, np.float64)
    return float(1 + np.count_nonzero(scores >= score)) / (len(scores) + 1)
