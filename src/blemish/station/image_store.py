"""Photographs that are kept, by policy, under their content's digest.

A full disk stops the keeping, never the judging.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal

from blemish.core.errors import BlemishError, NotFoundError, UsageError
from blemish.core.image_formats import IMAGE_SUFFIXES
from blemish.core.storage import write_bytes
from blemish.core.types import Verdict

_DIGEST = re.compile(r"[0-9a-f]{64}")
_TRY_AGAIN_SECONDS = 30.0
_LEFTOVER_SECONDS = 3600.0


@dataclass(frozen=True)
class KeepPolicy:
    """Which photographs are kept, and for how long.

    Attributes:
        keep: "all", "rejects" (rejected ones and those for review) or "none".
        days: how long after they were last inspected; for ever when None.
        gigabytes: how much they may take together; the oldest go first.
        reserve_gigabytes: how much of the disk is left free for the database, which must go on.
    """

    keep: Literal["all", "rejects", "none"] = "rejects"
    days: float | None = None
    gigabytes: float | None = None
    reserve_gigabytes: float = 0.5

    def __post_init__(self) -> None:
        if self.keep not in ("all", "rejects", "none"):
            raise UsageError(
                f"Images cannot be kept by {str(self.keep)[:40]!a}: choose all, rejects or none."
            )
        for name in ("days", "gigabytes"):
            value = getattr(self, name)
            if value is not None and not 0 < value < float("inf"):
                raise UsageError(f"{name} = {value} is not possible: give a number above 0.")

    def wants(self, verdict: Verdict) -> bool:
        """Whether a photograph with this verdict is to be kept."""
        return self.keep == "all" or (self.keep == "rejects" and verdict is not Verdict.PASS)


class ImageStore:
    """Kept photographs as files `ab/DIGEST.png`; may be used by many threads.

    Attributes:
        policy: what is kept.
        trouble: why images are not kept at present, in one sentence; None when all is well.
    """

    def __init__(self, folder: Path, policy: KeepPolicy | None = None) -> None:
        self._folder = Path(folder)
        self.policy = policy or KeepPolicy()
        self.trouble: str | None = None
        self._no_try_before = 0.0
        self._lock = threading.Lock()
        self._bytes_used = sum(size for _, size, _ in self._files())

    @property
    def bytes_used(self) -> int:
        """Bytes of all kept images."""
        return self._bytes_used

    def keep(self, content: bytes, suffix: str, verdict: Verdict) -> str | None:
        """Keep a photograph if the policy says so and the disk allows it.

        Args:
            content: bytes of the file.
            suffix: such as ".png".
            verdict: what was said of it.

        Returns:
            The suffix once the file is on disk; None if it is not kept.

        Raises:
            UsageError: no image has this suffix.
        """
        if not self.policy.wants(verdict):
            return None
        path = self._place(hashlib.sha256(content).hexdigest(), suffix)
        with self._lock:
            if time.monotonic() < self._no_try_before:
                return None
        try:
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

    def path(self, digest: str, suffix: str) -> Path | None:
        """Where a photograph is; None if it is not kept."""
        if not _DIGEST.fullmatch(digest) or suffix not in IMAGE_SUFFIXES:
            return None
        path = self._place(digest, suffix)
        return path if path.is_file() else None

    def read(self, digest: str, suffix: str) -> bytes:
        """Bytes of a kept photograph.

        Raises:
            NotFoundError: it is not kept, or no longer.
        """
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
        return removed

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
