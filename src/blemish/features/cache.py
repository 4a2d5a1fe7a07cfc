"""The cache of features: what a frozen backbone says of an image never changes, so it is asked once."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from pathlib import Path

import numpy as np

from blemish.core.settings import cache_folder, cache_limit_bytes
from blemish.core.types import FloatArray


class FeatureCache:
    """A folder of float32 vectors by key, bounded in bytes; the least recently used go first.

    A damaged or vanished entry counts as absent, and a disk that cannot be written means no caching: the
    cache may cost time, never a run.

    Attributes:
        folder: where the entries lie.
        limit_bytes: most bytes kept.
    """

    def __init__(self, folder: Path | None = None, limit_bytes: int | None = None) -> None:
        self.folder = folder or cache_folder() / "features"
        self.limit_bytes = cache_limit_bytes() if limit_bytes is None else limit_bytes
        self._bytes = self._measure()

    def get(self, key: str, size: int) -> FloatArray | None:
        """The vector of `size` floats stored under `key`, or None."""
        path = self._path(key)
        try:
            vector = np.load(path, allow_pickle=False)
            os.utime(path)
        except (OSError, ValueError, EOFError):
            return None
        return vector if vector.dtype == np.float32 and vector.shape == (size,) else None

    def put(self, key: str, vector: FloatArray) -> None:
        """Store a vector, after making room for it."""
        if vector.nbytes > self.limit_bytes:
            return
        if self._bytes + vector.nbytes > self.limit_bytes:
            self._make_room(vector.nbytes)
        path = self._path(key)
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor, temporary = tempfile.mkstemp(dir=path.parent, suffix=".part")
            try:
                with os.fdopen(descriptor, "wb") as stream:
                    np.save(stream, vector, allow_pickle=False)
                Path(temporary).replace(path)
                self._bytes += vector.nbytes
            finally:
                Path(temporary).unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        name = hashlib.sha256(key.encode()).hexdigest()
        return self.folder / name[:2] / f"{name}.npy"

    def _entries(self) -> list[tuple[float, int, Path]]:
        """Time of last use, bytes and path of every entry."""
        entries = []
        for path in self.folder.glob("*/*.npy"):
            with contextlib.suppress(OSError):
                status = path.stat()
                entries.append((status.st_mtime, status.st_size, path))
        return entries

    def _measure(self) -> int:
        return sum(size for _, size, _ in self._entries())

    def _make_room(self, needed: int) -> None:
        """Remove the least recently used entries until a tenth of the limit, and `needed`, is free."""
        goal = max(0, min(int(0.9 * self.limit_bytes), self.limit_bytes - needed))
        entries = sorted(self._entries(), key=lambda entry: entry[0])
        self._bytes = sum(size for _, size, _ in entries)
        for _, size, path in entries:
            if self._bytes <= goal:
                return
            path.unlink(missing_ok=True)
            self._bytes -= size
