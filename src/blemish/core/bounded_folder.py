"""A folder of what can be made anew: bounded in bytes, checked when read, and never in anybody's way."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
import zlib
from pathlib import Path

import numpy as np

from blemish.core.types import ByteArray


class BoundedFolder:
    """Files by key, bounded in bytes; the least recently used go first.

    Each file is a checksum (CRC-32, 4 bytes) and the content. A damaged or vanished entry counts as absent, and a disk
    that cannot be written means that nothing is kept: the folder may cost time, never a run.

    Attributes:
        folder: where the entries lie.
        limit_bytes: most bytes kept.
        suffix: how the files' names end.
    """

    def __init__(self, folder: Path, limit_bytes: int, suffix: str) -> None:
        self.folder = folder
        self.limit_bytes = limit_bytes
        self.suffix = suffix
        self._bytes: int | None = None  # measured when first written to

    def get(self, key: str) -> ByteArray | None:
        """The content stored under `key`, an array of one's own, or None."""
        path = self._path(key)
        try:
            stored = np.fromfile(path, np.uint8)
            os.utime(path)
        except OSError:
            return None
        checksum, content = stored[:4].tobytes(), stored[4:]
        return content if checksum == _checksum(content) else None

    def put(self, key: str, content: ByteArray) -> None:
        """Store a content, after making room for it."""
        size = 4 + content.nbytes
        if size > self.limit_bytes:
            return
        path = self._path(key)
        with contextlib.suppress(OSError):
            if self._bytes is None:
                self._bytes = self._measure()
            if self._bytes + size > self.limit_bytes:
                self._bytes = self._make_room(size)
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor, temporary = tempfile.mkstemp(dir=path.parent, suffix=".part")
            try:
                with os.fdopen(descriptor, "wb") as stream:
                    stream.write(_checksum(content))
                    content.tofile(stream)
                Path(temporary).replace(path)
                self._bytes += size
            finally:
                Path(temporary).unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        name = hashlib.sha256(key.encode()).hexdigest()
        return self.folder / name[:2] / f"{name}{self.suffix}"

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


def _checksum(content: ByteArray) -> bytes:
    return np.uint32(zlib.crc32(content.data)).tobytes()
