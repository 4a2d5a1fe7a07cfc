"""A folder of files by digest that never takes more than so many bytes: what came first goes first.

It is a cache: what is written is whole or not there after `kill -9`, but nothing waits for the disk, so that a power
failure may take the latest files, or leave them cut short.
"""

from __future__ import annotations

import os
import re
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from blemish.core.image_formats import IMAGE_SUFFIXES

_DIGEST = re.compile(r"[0-9a-f]{64}")
_LEFTOVER_SECONDS = 3600.0


class BoundedFiles:
    """Files `ab/DIGEST.SUFFIX` below a folder, whose names are remembered; may be used by many threads.

    Args:
        folder: made when the first file comes; what an earlier process has left in it counts.
        most_bytes: of all files together.
        removed: called with the digest of each file that goes to make room, or for its age.
    """

    def __init__(
        self, folder: Path, most_bytes: int, removed: Callable[[str], None] = lambda digest: None
    ) -> None:
        self._folder, self._most, self.removed = Path(folder), most_bytes, removed
        self._lock = threading.Lock()
        self._suffixes: OrderedDict[str, tuple[str, int]] = OrderedDict()  # and bytes; what came first, first
        self._bytes_used = 0
        for _, digest, suffix, size in sorted(self._found()):
            self._suffixes[digest] = suffix, size
            self._bytes_used += size
        self._make_room()

    @property
    def bytes_used(self) -> int:
        """Bytes of all files."""
        return self._bytes_used

    def __len__(self) -> int:
        return len(self._suffixes)

    def suffix(self, digest: str) -> str | None:
        """Suffix of the file of a digest; None where there is none."""
        found = self._suffixes.get(digest)
        return None if found is None else found[0]

    def bound(self, most_bytes: int) -> None:
        """Let all files together take so many bytes from now on; what is more goes at once."""
        self._most = most_bytes
        self._make_room()

    def put(self, digest: str, suffix: str, content: bytes) -> None:
        """Write a file, or let the one that is there count as new again; what came first makes room for it.

        Raises:
            OSError: it cannot be written.
        """
        if len(content) > self._most:
            return
        path = self._place(digest, suffix)
        with self._lock:
            if self._suffixes.get(digest) == (suffix, len(content)):
                with suppress(FileNotFoundError):
                    os.utime(path)
                    self._suffixes.move_to_end(digest)
                    return
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary = path.parent / f".{secrets.token_hex(8)}"
        try:
            with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
                stream.write(content)
            with self._lock:
                temporary.replace(path)
                self._bytes_used += len(content) - self._suffixes.pop(digest, ("", 0))[1]
                self._suffixes[digest] = suffix, len(content)
        finally:
            temporary.unlink(missing_ok=True)
        self._make_room()

    def read(self, digest: str) -> bytes | None:
        """Content of the file of a digest; None where there is none, or no longer."""
        suffix = self.suffix(digest)
        if suffix is None:
            return None
        try:
            return self._place(digest, suffix).read_bytes()
        except FileNotFoundError:
            self.remove(digest)
            return None

    def remove(self, digest: str) -> None:
        """Delete the file of a digest, if there is one."""
        with self._lock:
            suffix, size = self._suffixes.pop(digest, ("", 0))
            self._bytes_used -= size
            if suffix:
                self._place(digest, suffix).unlink(missing_ok=True)

    def remove_older(self, seconds: float) -> None:
        """Delete what came before a time, in seconds since 1970."""
        while self._suffixes:
            with self._lock:
                digest, (suffix, _) = next(iter(self._suffixes.items()), ("", ("", 0)))
            try:
                if not digest or self._place(digest, suffix).stat().st_mtime >= seconds:
                    return
            except FileNotFoundError:
                pass
            self.remove(digest)
            self.removed(digest)

    def _make_room(self) -> None:
        while self._bytes_used > self._most:
            with self._lock:
                digest = next(iter(self._suffixes), None)
            if digest is None:
                return
            self.remove(digest)
            self.removed(digest)

    def _place(self, digest: str, suffix: str) -> Path:
        return self._folder / digest[:2] / f"{digest}{suffix}"

    def _found(self) -> list[tuple[int, str, str, int]]:
        """Time, digest, suffix and bytes of each file; what an interrupted write has left is removed."""
        found = []
        for path in self._folder.glob("[0-9a-f][0-9a-f]/*"):
            with suppress(FileNotFoundError):
                status = path.lstat()
                if path.name.startswith("."):
                    if time.time() - status.st_mtime > _LEFTOVER_SECONDS:
                        path.unlink(missing_ok=True)
                elif _DIGEST.fullmatch(path.stem) and path.suffix in IMAGE_SUFFIXES:
                    found.append((status.st_mtime_ns, path.stem, path.suffix, status.st_size))
        return found
