"""Where Blemish keeps what it may throw away, and how much of it; every value can be set by the environment."""

from __future__ import annotations

import math
import os
from pathlib import Path

from platformdirs import user_cache_path

from blemish.core.errors import UsageError


def cache_folder() -> Path:
    """Folder for features, networks, downloads: `BLEMISH_CACHE`, or the user's cache. Never the working directory."""
    if named := os.environ.get("BLEMISH_CACHE"):
        return Path(named)
    try:
        return user_cache_path("blemish", appauthor=False)
    except RuntimeError:  # a user without a home, as in a container: under this one nothing is kept
        return Path(os.devnull)


def cache_limit_bytes() -> int:
    """Most bytes that cached features may take: `BLEMISH_CACHE_GB` gigabytes, 4 by default."""
    return int(_positive_number("BLEMISH_CACHE_GB", 4.0) * 1e9)


def _positive_number(name: str, default: float) -> float:
    text = os.environ.get(name, "").strip()
    if not text:
        return default
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < math.inf:
        raise UsageError(f"{name}={text} is not a number above 0: correct it or unset it.")
    return value
