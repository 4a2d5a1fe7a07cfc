"""What is new in a folder, found by looking, cheaply."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from blemish.core.file_names import escaped
from blemish.core.image_files import is_litter

_UNFINISHED = (
    ".part",
    ".partial",
    ".tmp",
    ".temp",
    ".crdownload",
    ".download",
    ".filepart",
    ".writing",
    ".swp",
    ".lock",
    "~",
)
_COARSEST_CLOCK = 2.1  # seconds: the times of FAT's folders go in steps of 2
_ASKED_AGAIN = 250  # names in a look, half a millisecond of work: more would hold up what is new
_LONGEST_UNLISTED = 10.0  # seconds, for file systems that do not keep the times of folders


class Found(NamedTuple):
    """A file: its name below the folder, bytes, and when it was modified and changed, in nanoseconds."""

    name: str
    size: int
    modified: int
    changed: int

    @property
    def key(self) -> str:
        """What identifies it as it is, in any run."""
        return f"{escaped(self.name)}:{self.size}:{self.modified}"


def is_unfinished(name: str) -> bool:
    """Whether a name is one that programs give to a file while they write it, or is hidden, or litter."""
    return name.lower().endswith(_UNFINISHED) or is_litter(name)


class WatchedTree:
    """A folder and, where asked for, the folders in it.

    Args:
        top: the folder.
        subfolders: whether those in it are looked into; links to folders never are.
        passed_over: whether a name below the top, of a file or folder, is left out.
    """

    def __init__(self, top: Path, subfolders: bool, passed_over: Callable[[str], bool]) -> None:
        self._subfolders, self._passed_over = subfolders, passed_over
        self._top = str(top)
        self._folders: dict[str, _WatchedFolder] = {}

    def news(self) -> list[Found]:
        """Files that are new, or are not as they were, since the last call.

        Raises:
            OSError: the folder itself cannot be listed. A folder in it that cannot is passed over until it can.
        """
        news: list[Found] = []
        self._look("", news)
        return news

    def _look(self, name: str, news: list[Found]) -> None:
        folder = self._folders.get(name)
        if folder is None:
            folder = self._folders[name] = _WatchedFolder(self._top, name, self._passed_over)
        before = set(folder.folders)
        news += folder.news()
        for gone in before - folder.folders:
            self._forget(gone)
        if not self._subfolders:
            return
        for inner in sorted(folder.folders):
            try:
                self._look(inner, news)
            except OSError:
                self._forget(inner)

    def _forget(self, name: str) -> None:
        for one in [one for one in self._folders if one == name or one.startswith(name + "/")]:
            del self._folders[one]


class _WatchedFolder:
    """One folder: what was in it.

    Attributes:
        folders: names below the top of the folders in it.
    """

    def __init__(self, top: str, name: str, passed_over: Callable[[str], bool]) -> None:
        self._path = os.path.join(top, name) if name else top  # noqa: PTH118 (text, for speed)
        self._start = f"{name}/" if name else ""
        self._passed_over = passed_over
        self.folders: set[str] = set()
        self._names: set[str] = set()
        self._seen: dict[str, tuple[int, int]] = {}
        self._time: int | None = None  # of the folder, at the last listing
        self._time_since = 0.0  # when the folder was first seen with this time
        self._listed = -1e9
        self._again: list[str] = []  # names that this round asks again

    def news(self) -> list[Found]:
        """Files in it that are new or have changed.

        Raises:
            OSError: it cannot be listed.
        """
        now = time.monotonic()
        modified = os.stat(self._path).st_mtime_ns  # noqa: PTH116
        if modified != self._time:
            self._time, self._time_since = modified, now
        # A change within the clock's step of the last listing leaves the folder's time as it was.
        sure = self._listed - self._time_since > _COARSEST_CLOCK and now - self._listed < _LONGEST_UNLISTED
        fresh: list[str] = [] if sure else self._list(now)
        news = self._ask(fresh)
        if not self._again:
            self._again = list(self._seen)
        known = set(fresh)
        turn = [self._again.pop() for _ in range(min(_ASKED_AGAIN, len(self._again)))]
        news += self._ask([name for name in turn if name in self._seen and name not in known])
        return news

    def _list(self, now: float) -> list[str]:
        """Names that were not there before; what has gone is forgotten."""
        names = set(os.listdir(self._path))  # noqa: PTH208 (100,000 names as paths take long)
        self._listed = now
        for gone in self._names - names:
            self._seen.pop(gone, None)
            self.folders.discard(self._start + gone)
        fresh = [name for name in names - self._names if not is_unfinished(name)]
        self._names = names
        return [name for name in fresh if not self._passed_over(self._start + name)]

    def _ask(self, names: list[str]) -> list[Found]:
        """Those of the files that are not as they were."""
        news = []
        for name in names:
            try:
                status = os.stat(f"{self._path}/{name}")  # noqa: PTH116
            except OSError:
                self._names.discard(name)  # gone meanwhile, or a link that leads nowhere yet: asked again
                self._seen.pop(name, None)
                continue
            if stat.S_ISDIR(status.st_mode):
                if not os.path.islink(f"{self._path}/{name}"):  # noqa: PTH114
                    self.folders.add(self._start + name)
                continue
            now = (status.st_size, status.st_mtime_ns)
            if stat.S_ISREG(status.st_mode) and self._seen.get(name) != now:
                self._seen[name] = now
                news.append(Found(self._start + name, *now, status.st_ctime_ns))
        return news
