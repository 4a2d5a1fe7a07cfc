"""The cache of features: what a frozen backbone says of an image never changes, so it is asked once."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from blemish.core.bounded_folder import BoundedFolder
from blemish.core.images import READING
from blemish.core.settings import cache_folder, cache_limit_bytes
from blemish.core.types import FloatArray


class FeatureCache:
    """A bounded folder of float32 vectors by key, as they lie in memory."""

    def __init__(self, folder: Path | None = None, limit_bytes: int | None = None) -> None:
        limit = cache_limit_bytes() if limit_bytes is None else limit_bytes
        self._files = BoundedFolder(folder or cache_folder() / "features", limit, ".features")

    @property
    def folder(self) -> Path:
        """Where the entries lie."""
        return self._files.folder

    @property
    def limit_bytes(self) -> int:
        """Most bytes kept."""
        return self._files.limit_bytes

    def get(self, key: str, size: int) -> FloatArray | None:
        """The vector of `size` floats stored under `key`, or None."""
        content = self._files.get(_today(key))
        return None if content is None or content.nbytes != 4 * size else content.view(np.float32)

    def put(self, key: str, vector: FloatArray) -> None:
        """Store a vector, after making room for it."""
        self._files.put(_today(key), vector.view(np.uint8))


def _today(key: str) -> str:
    """The key, and how photographs are decoded: what was kept before that changed may come from a file refused now."""
    return f"{key}|reading {READING}"
