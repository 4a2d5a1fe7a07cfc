"""The cache of features: what a frozen backbone says of an image never changes, so it is asked once."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
import zlib
from pathlib import Path

import numpy as np

from blemish.core.images import READING
from blemish.core.settings import cache_folder, cache_limit_bytes
from blemish.core.types import FloatArray


class FeatureCache:
    """A folder of float32 vectors by key, bounded in bytes; the least recently used go first.

    Each file is a checksum (CRC-32, 4 bytes) and the vector as it lies in memory. A damaged or vanished entry
    counts as absent, and a disk that cannot be written means no caching: the cache may cost time, never a run.

    Attributes:
        folder: where the entries lie.
        limit_bytes: most bytes kept.
    """

    def __init__(self, folder: Path | None = None, limit_bytes: int | None = None) -> None:
        self.folder = folder or cache_folder() / "features"
        self.limit_bytes = cache_limit_bytes() if limit_bytes is None else limit_bytes
        self._bytes: int | None = None  # measured when first written to

    def get(self, key: str, size: int) -> FloatArray | None:
        """The vector of `size` floats stored under `key`, or None."""
        path = self._path(key)
        try:
            words = np.fromfile(path, np.uint32)
            os.utime(path)
        except OSError:
            return None
        if len(words) != 1 + size or words[0] != zlib.crc32(words[1:].data):
            return None
        return words[1:].view(np.float32)

    def put(self, key: str, vector: FloatArray) -> None:
        """Store a vector, after making room for it."""
        content = np.concatenate([np.array([zlib.crc32(vector.data)], np.uint32), vector.view(np.uint32)])
        if content.nbytes > self.limit_bytes:
            return
        path = self._path(key)
        with contextlib.suppress(OSError):
            if self._bytes is None:
                self._bytes = self._measure()
            if self._bytes + content.nbytes > self.limit_bytes:
                self._bytes = self._make_room(content.nbytes)
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor, temporary = tempfile.mkstemp(dir=path.parent, suffix=".part")
            try:
                with os.fdopen(descriptor, "wb") as stream:
                    content.tofile(stream)
                Path(temporary).replace(path)
                self._bytes += content.nbytes
            finally:
                Path(temporary).unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        # What was kept before decoding changed may come from a file that is refused today.
        name = hashlib.sha256(f"{key}|reading {READING}".encode()).hexdigest()
        return self.folder / name[:2] / f"{name}.features"

    def _entries(self) -> list[tuple[float, int, Path]]:
        """Time of last use, bytes and path of every file, also of those that a killed process left half-written."""
        entries = []
        for path in self.folder.glob("*/*"):
            with contextlib.suppress(OSError):
                status = path.stat()
                entries.append((status.st_mtime, status.st_size, path))
        return entries

    def _measure(self) -> int:
        return sum(size for _, size, _ in self._entries())

    def _make_room(self, needed: int) -> int:
        """Remove the least recently used entries until a tenth of the limit, and `needed`, is free; bytes left."""
        goal = max(0, min(int(0.9 * self.limit_bytes), self.limit_bytes - needed))
        entries = sorted(self._entries(), key=lambda entry: entry[0])
        left = sum(size for _, size, _ in entries)
        for _, size, path in entries:
            if left <= goal:
                break
            path.unlink(missing_ok=True)
            left -= size
        return left
