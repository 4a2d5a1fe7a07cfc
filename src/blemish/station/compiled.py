"""Inspectors compiled for those who use them, shared by their threads: the weights are there once."""

from __future__ import annotations

import copy
import threading
from collections import OrderedDict
from typing import Self

from blemish.core.execution import Execution
from blemish.core.types import Prediction
from blemish.line.artifact import Artifact, read_artifact
from blemish.line.rows import NetworkInput, PartsInput
from blemish.line.runtime import Inspector
from blemish.station.shelf import InspectorVersion

MOST_LOADED = 16
"""Inspectors that one user of them holds; the one used longest ago makes room."""


class SharedInspector(Inspector):
    """An inspector that several threads may call; as many as it has streams run at the same time, others wait."""

    def __init__(self, artifact: Artifact, execution: Execution | None = None) -> None:
        super().__init__(artifact, execution)
        self._turn = threading.Semaphore(self.execution.streams)

    def predict_input(self, given: NetworkInput | PartsInput) -> Prediction:
        """As `Inspector.predict_input`."""
        with self._turn:
            return super().predict_input(given)

    def deciding_as(self, artifact: Artifact) -> Self:
        """The same network under the decision of another artifact, which scores alike; both take turns."""
        changed = copy.copy(self)
        changed.path, changed.manifest, changed._as_read = artifact.path, artifact.manifest, artifact.manifest
        return changed


class CompiledInspectors:
    """The compiled inspectors of one user of them, loaded at their first use.

    Args:
        execution: of each network: its device, precision, CPU threads and streams.
    """

    def __init__(self, execution: Execution) -> None:
        self._execution = execution
        self._loaded: OrderedDict[str, SharedInspector] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, version: InspectorVersion) -> SharedInspector:
        """The compiled inspector of a version.

        Raises:
            ArtifactError: its file is missing, damaged, or not the one that was added.
            UsageError: this machine cannot run it so.
        """
        with self._lock:
            if found := self._loaded.get(version.digest):
                self._loaded.move_to_end(version.digest)
                return found
        # Not under the lock: those that are loaded already go on judging.
        artifact = read_artifact(version.path, digest=version.digest)
        alike = self._alike(artifact)
        found = alike.deciding_as(artifact) if alike else SharedInspector(artifact, self._execution)
        with self._lock:
            self._loaded[version.digest] = found
            while len(self._loaded) > MOST_LOADED:
                self._loaded.popitem(last=False)
        return found

    @property
    def lost_device(self) -> str | None:
        """What became of a device that failed while it ran, in one sentence; None while all is well."""
        with self._lock:
            return next((one.lost_device for one in self._loaded.values() if one.lost_device), None)

    def _alike(self, artifact: Artifact) -> SharedInspector | None:
        """An inspector that is loaded and differs by its decision alone: compiling takes seconds and memory."""
        scoring = artifact.manifest.scoring_digest
        with self._lock:
            loaded = list(self._loaded.values())
        return next((one for one in loaded if one.manifest.scoring_digest == scoring), None)
