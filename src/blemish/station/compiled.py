"""Inspectors compiled for those who use them: each worker has its own, as a network runs one image at a time."""

from __future__ import annotations

import threading
from collections import OrderedDict

from blemish.core.types import Prediction
from blemish.line.artifact import Artifact
from blemish.line.rows import NetworkInput, PartsInput
from blemish.line.runtime import Inspector
from blemish.station.shelf import InspectorVersion

MOST_LOADED = 16
"""Inspectors that one user of them holds; the one used longest ago makes room."""


class SharedInspector(Inspector):
    """An inspector that several threads may call; they take turns."""

    def __init__(self, artifact: Artifact, threads: int | None = None) -> None:
        super().__init__(artifact, threads)
        self._turn = threading.Lock()

    def predict_input(self, given: NetworkInput | PartsInput) -> Prediction:
        """As `Inspector.predict_input`."""
        with self._turn:
            return super().predict_input(given)


class CompiledInspectors:
    """The compiled inspectors of one user of them, loaded at their first use.

    Args:
        threads: CPU threads of each network; all when None.
    """

    def __init__(self, threads: int | None) -> None:
        self._threads = threads
        self._loaded: OrderedDict[str, SharedInspector] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, version: InspectorVersion) -> SharedInspector:
        """The compiled inspector of a version.

        Raises:
            ArtifactError: its file is missing, damaged, or not the one that was added.
        """
        with self._lock:
            if found := self._loaded.get(version.digest):
                self._loaded.move_to_end(version.digest)
                return found
        # Not under the lock: those that are loaded already go on judging.
        found = SharedInspector.load(version.path, self._threads, version.digest)
        with self._lock:
            self._loaded[version.digest] = found
            while len(self._loaded) > MOST_LOADED:
                self._loaded.popitem(last=False)
        return found
