"""Values as JSON has them, and as Python does."""

from __future__ import annotations

import math
from typing import Any


def number_or_none(value: float) -> float | None:
    """A float for JSON, which has neither NaN nor infinity: None in their place."""
    return float(value) if math.isfinite(value) else None


def with_tuples(value: Any) -> Any:
    """A value with tuples for its lists, as JSON has given it and detectors take it."""
    return tuple(map(with_tuples, value)) if isinstance(value, list) else value
