"""Where a verb was called, taken along to the workers of a cluster: relative paths and the cache mean the same."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import cv2

from blemish.core.errors import BlemishError
from blemish.core.network import limit_threads

_CACHE = "BLEMISH_CACHE"


@dataclass(frozen=True)
class Place:
    """A working folder, and the folder of the cache where one is set."""

    folder: str
    cache: str | None

    @classmethod
    def here(cls) -> Place:
        """That of this process."""
        return cls(str(Path.cwd()), os.environ.get(_CACHE))

    def enter(self) -> None:
        """Make it that of this process, which has one processor and keeps to it.

        Raises:
            BlemishError: this machine has no such folder.
        """
        try:
            os.chdir(self.folder)
        except OSError as error:
            raise BlemishError(
                f"A machine of the cluster has no folder {self.folder}: call the verb from one that all machines share."
            ) from error
        if self.cache is not None:
            os.environ[_CACHE] = self.cache
        cv2.setNumThreads(1)
        limit_threads(1)
