"""Numbers for JSON."""

from __future__ import annotations

import math


def number_or_none(value: float) -> float | None:
    """A float for JSON, which has neither NaN nor infinity: None in their place."""
    return float(value) if math.isfinite(value) else None
