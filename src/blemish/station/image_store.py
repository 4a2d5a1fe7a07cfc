"""Photographs that are kept, by policy, under their content's digest.

Where rejects alone are kept, the latest passes are held in a bounded buffer, so that a missed defect can still be kept
once a person has found it. A full disk stops the keeping, never the judging.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal

from blemish.core.errors import BlemishError, NotFoundError, UsageError
from blemish.core.image_formats import IMAGE_SUFFIXES
from blemish.core.storage import write_bytes
from blemish.core.types import Verdict
from blemish.station.bounded_files import BoundedFiles
from blemish.station.buffer_size import BUFFER_MEGABYTES

_DIGEST = re.compile(r"[0-9a-f]{64}")
_TRY_AGAIN_SECONDS = 30.0
_LEFTOVER_SECONDS = 3600.0


Held = Literal["kept", "buffered"]
"""Where a photograph is: kept by the policy, or among the latest passes, until newer ones need the room."""


@dataclass(frozen=True)
class KeepPolicy:
    """Which photographs are kept, and for how long.

    Attributes:
        keep: "all", "rejects" (rejected ones and those for review) or "none".
        days: how long after they were last inspected; for ever when None.
        gigabytes: how much they may take together; the oldest go first.
        buffer_megabytes: how much the passes may take that are held for a while where rejects are kept; 0 for none.
        reserve_gigabytes: how much of the disk is left free for the database, which must go on.
    """

    keep: Literal["all", "rejects", "none"] = "rejects"
    days: float | None = None
    gigabytes: float | None = None
    reserve_gigabytes: float = 0.5
    buffer_megabytes: float = BUFFER_MEGABYTES

    def __post_init__(self) -> None:
        if self.keep not in ("all", "rejects", "none"):
            raise UsageError(
                f"Images cannot be kept by {str(self.keep)[:40]!a}: choose all, rejects or none."
            )
        for name in ("days", "gigabytes"):
            value = getattr(self, name)
            if value is not None and not 0 < value < float("inf"):
                raise UsageError(f"{name} = {value} is not possible: give a number above 0.")
        if not 0 <= self.buffer_megabytes < float("inf"):
            raise UsageError(
                f"buffer_megabytes = {self.buffer_megabytes} is not possible: give 0 for no buffer, or more."
            )

    @property
    def buffer_bytes(self) -> int:
        """How much passes may take; 0 where all are kept anyway, and where nothing is to be kept."""
        return int(1e6 * self.buffer_megabytes) if self.keep == "rejects" else 0

    def wants(self, verdict: Verdict) -> bool:
        """Whether a photograph with this verdict is to be kept."""
        return self.keep == "all" or (self.keep == "rejects" and verdict is not Verdict.PASS)


class ImageStore:
    """Kept photographs as files `ab/DIGEST.png`; may be used by many threads.

    Args:
        folder: of the kept ones.
        policy: what is kept.
        buffer: folder of the latest passes; None for no buffer.
        removed: called with the digest of each photograph that is there no longer.

    Attributes:
        trouble: why images are not kept at present, in one sentence; None when all is well.
    """

    def __init__(
        self,
        folder: Path,
        policy: KeepPolicy | None = None,
        buffer: Path | None = None,
        removed: Callable[[str], None] = lambda digest: None,
    ) -> None:
        self._folder = Path(folder)
        self._policy = policy or KeepPolicy()
        self._removed = removed
        # One of no bytes takes nothing in, and removes what an earlier policy has left.
        self._buffer = None if buffer is None else BoundedFiles(buffer, self.policy.buffer_bytes, removed)
        self.trouble: str | None = None
        self._no_try_before = 0.0
        self._lock = threading.Lock()
        self._bytes_used = sum(size for _, size, _ in self._files())

    @property
    def policy(self) -> KeepPolicy:
        """What is kept; another one holds at once for passes, and for what is kept once it is pruned."""
        return self._policy

    @policy.setter
    def policy(self, policy: KeepPolicy) -> None:
        self._policy = policy
        if self._buffer is not None:
            self._buffer.bound(policy.buffer_bytes)

    @property
    def bytes_used(self) -> int:
        """Bytes of all kept images."""
        return self._bytes_used

    @property
    def bytes_buffered(self) -> int:
        """Bytes of the passes that are held for a while."""
        return 0 if self._buffer is None else self._buffer.bytes_used

    def where(self, digest: str, suffix: str | None) -> Held | None:
        """Where a photograph is, by what its record says; the disk is not asked.

        Args:
            digest: SHA-256 of its bytes.
            suffix: of the record, None where it does not count as kept.
        """
        if suffix is not None:
            return "kept"
        held = self._buffer is not None and self._buffer.suffix(digest) is not None
        return "buffered" if held else None

    def keep(self, content: bytes, suffix: str, verdict: Verdict, digest: str | None = None) -> str | None:
        """Keep a photograph if the policy says so and the disk allows it.

        Args:
            content: bytes of the file.
            suffix: such as ".png".
            verdict: what was said of it.
            digest: SHA-256 of the content, where it is known.

        Returns:
            The suffix once the file is on disk; None if it is not kept.

        Raises:
            UsageError: no image has this suffix.
        """
        wanted, digest = self.policy.wants(verdict), digest or hashlib.sha256(content).hexdigest()
        path = self._place(digest, suffix)
        if not wanted and (self._buffer is None or not self.policy.buffer_bytes):
            return None
        with self._lock:
            if time.monotonic() < self._no_try_before:
                return None
        try:
            if not wanted:
                self._hold(digest, suffix, content)
                return None
            if self._is_there(path, len(content)):
                return suffix
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._check_space(len(content))
            write_bytes(path, content)
        except (OSError, BlemishError) as error:
            self._pause(error)
            return None
        with self._lock:
            self._bytes_used += len(content)
            self.trouble = None
        return suffix

    def keep_held(self, digest: str) -> str | None:
        """Keep a photograph that is held for a while, whatever its verdict was; newer ones remove it no longer.

        Returns:
            The suffix once the file is on disk among the kept ones; None if it is not held any more, or not kept for
            want of space.
        """
        if self._buffer is None or not self.policy.buffer_bytes:
            return None
        content, suffix = self._buffered(digest), self._buffer.suffix(digest)
        if content is None or suffix is None:  # the earlier try was ended when the file was there already
            return next((one for one in sorted(IMAGE_SUFFIXES) if self._place(digest, one).is_file()), None)
        path = self._place(digest, suffix)
        try:
            if not self._is_there(path, len(content)):
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                self._check_space(len(content))
                write_bytes(path, content)
                with self._lock:
                    self._bytes_used += len(content)
        except (OSError, BlemishError) as error:
            self._pause(error)
            return None
        self._buffer.remove(digest)
        return suffix

    def path(self, digest: str, suffix: str) -> Path | None:
        """Where a photograph is; None if it is not kept."""
        if not _DIGEST.fullmatch(digest) or suffix not in IMAGE_SUFFIXES:
            return None
        path = self._place(digest, suffix)
        return path if path.is_file() else None

    def read(self, digest: str, suffix: str | None) -> bytes:
        """Bytes of a photograph that is kept, or, where there is no suffix, held for a while.

        Raises:
            NotFoundError: it is neither, or no longer.
        """
        if suffix is None:
            if (held := self._buffered(digest)) is not None:
                return held
            raise NotFoundError(self._not_kept())
        path = self.path(digest, suffix)
        try:
            if path is not None:
                return path.read_bytes()
        except OSError:
            pass  # removed since
        raise NotFoundError(
            f"The image {digest[:12]!a} is not kept, or no longer: inspect the photograph again."
        )

    def prune(self, now: datetime) -> list[str]:
        """Remove what is older than the policy's days and, oldest first, what is more than its gigabytes.

        Args:
            now: aware.

        Returns:
            Digests of the removed photographs.
        """
        files = sorted(self._files(), key=lambda file: file[2])
        total = sum(size for _, size, _ in files)
        days, gigabytes = self.policy.days, self.policy.gigabytes
        oldest = (now - timedelta(days=days)).timestamp() if days is not None else 0.0
        most = gigabytes * 1e9 if gigabytes is not None else float("inf")
        if self._buffer is not None and days is not None:
            self._buffer.remove_older(oldest)
        removed: list[str] = []
        for path, size, changed in files:
            if changed >= oldest and total <= most:
                break
            with self._lock:
                if _changed(path) == changed:  # else it was inspected again meanwhile, or has gone
                    path.unlink(missing_ok=True)
                    removed.append(path.stem)
                    total -= size
        with self._lock:
            self._bytes_used = total
        for digest in removed:
            self._removed(digest)
        return removed

    def _hold(self, digest: str, suffix: str, content: bytes) -> None:
        assert self._buffer is not None
        self._check_space(len(content))
        self._buffer.put(digest, suffix, content)

    def _buffered(self, digest: str) -> bytes | None:
        """Bytes of a photograph that is held; one that a power failure has cut short is none."""
        content = None if self._buffer is None else self._buffer.read(digest)
        if content is not None and hashlib.sha256(content).hexdigest() != digest:
            return None
        return content

    def _not_kept(self) -> str:
        if self.policy.keep == "none":
            return "The photograph is not kept: this station keeps none (--keep)."
        if self.policy.buffer_bytes:
            return (
                "The photograph is no longer held: those of passes make room for newer ones (--buffer-megabytes), "
                "unless a person finds the part defective."
            )
        return "The photograph is not kept: this station keeps those of passes only with --keep all."

    def _is_there(self, path: Path, size: int) -> bool:
        """Whether the photograph is kept already; then it counts as new again."""
        with self._lock:
            if not path.is_file() or path.stat().st_size != size:
                return False
            os.utime(path)
            return True

    def _check_space(self, size: int) -> None:
        reserve = self.policy.reserve_gigabytes * 1e9
        if reserve <= 0:
            return
        free = shutil.disk_usage(self._folder).free
        if free - size < reserve:
            raise BlemishError(
                f"only {free / 1e6:,.0f} MB are free on its disk, and {reserve / 1e6:,.0f} MB are left to the database"
            )

    def _pause(self, error: Exception) -> None:
        """Say why nothing is kept, and leave the disk alone for a while."""
        cause = error.__cause__ if isinstance(error.__cause__, OSError) else error
        reason = (cause.strerror or str(cause)).lower() if isinstance(cause, OSError) else str(cause)
        with self._lock:
            self._no_try_before = time.monotonic() + _TRY_AGAIN_SECONDS
            self.trouble = f"Images are not kept in {self._folder} ({reason}): free some space or keep fewer."

    def _place(self, digest: str, suffix: str) -> Path:
        if suffix not in IMAGE_SUFFIXES:
            raise UsageError(f"No image has the suffix {suffix[:20]!a}: use one like .png.")
        return self._folder / digest[:2] / f"{digest}{suffix}"

    def _files(self) -> Iterator[tuple[Path, int, float]]:
        """Path, bytes and time of each kept image; what an interrupted write has left is removed."""
        if not self._folder.is_dir():
            return
        for folder in self._folder.iterdir():
            if len(folder.name) != 2 or not folder.is_dir():
                continue
            with os.scandir(folder) as entries:
                for entry in entries:
                    path = Path(entry.path)
                    try:
                        status = entry.stat(follow_symlinks=False)
                    except FileNotFoundError:
                        continue
                    if entry.name.startswith("."):
                        if time.time() - status.st_mtime > _LEFTOVER_SECONDS:
                            path.unlink(missing_ok=True)
                    elif _DIGEST.fullmatch(path.stem):
                        yield path, status.st_size, status.st_mtime


def _changed(path: Path) -> float | None:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return None
