"""Which versions of which inspectors judge: added, activated, rolled back, never without having been compiled."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from blemish.core.errors import ArtifactError, NotFoundError
from blemish.line.artifact import read_artifact
from blemish.line.runtime import Inspector
from blemish.station.audit import Action, Change
from blemish.station.shelf import InspectorShelf, InspectorVersion

ACTIVE_SECONDS = 1.0
"""How long it may take until an activation by another process is seen."""


class Inspectors:
    """The shelf as a server or a station uses it.

    Args:
        shelf: where versions are.
        prepare: compiles a version for those who judge; raises `ArtifactError` where that is not possible.
    """

    def __init__(self, shelf: InspectorShelf, prepare: Callable[[InspectorVersion], None]) -> None:
        self._shelf, self._prepare = shelf, prepare
        self._active: dict[str, tuple[float, InspectorVersion]] = {}
        self._turn = threading.Lock()  # so that what was read before a change is never remembered after it

    def active(self, name: str) -> InspectorVersion:
        """The active version of an inspector.

        Raises:
            NotFoundError: there is no such inspector.
        """
        known = self._active.get(name)
        if known and time.monotonic() - known[0] < ACTIVE_SECONDS:
            return known[1]
        with self._turn:
            return self._remember(self._shelf.active(name))

    def add(self, path: Path, name: str | None = None, by: str = "local") -> InspectorVersion:
        """Put an artifact on the shelf; unlike the shelf alone, only one whose network can be run here.

        Raises:
            ArtifactError: the file is not a sound inspector.
            UsageError: the name is not possible.
        """
        Inspector.load(path)
        return self._shelf.add(path, name, by)

    def activate(self, name: str, version: int, by: str = "local") -> InspectorVersion:
        """Let a version judge from now on.

        Raises:
            NotFoundError: there is no such version.
            ArtifactError: its file is damaged; nothing is changed then.
        """
        self._prepare(self._shelf.get(name, version))
        with self._turn:
            return self._remember(self._shelf.activate(name, version, by))

    def add_and_activate(self, path: Path, by: str = "local") -> InspectorVersion:
        """Put an artifact on the shelf under its own name, and let it judge from now on.

        Raises:
            ArtifactError: the file is not a sound inspector.
        """
        added = self.add(path, by=by)
        return self.activate(added.name, added.version, by)

    def keep_or_activate(self, path: Path, by: str = "local") -> InspectorVersion:
        """As `add_and_activate`, unless the active version was made of this file by decisions since: that one stays.

        Raises:
            ArtifactError: the file is not a sound inspector.
        """
        added = self.add(path, by=by)
        with suppress(NotFoundError, ArtifactError):
            active = self._shelf.active(added.name)
            scoring = read_artifact(added.path).manifest.scoring_digest
            if added.version < active.version and (
                read_artifact(active.path, digest=active.digest).manifest.scoring_digest == scoring
            ):
                return self.activate(active.name, active.version, by)
        return self.activate(added.name, added.version, by)

    def supersede(self, path: Path, change: Change) -> InspectorVersion:
        """Put a version on the shelf that differs by its decision alone, and let it judge from now on.

        Raises:
            ConflictError: another version than the one that `change` names before is active by now.
        """
        name = str(change.inspector)
        with self._turn:
            version = self._remember(self._shelf.supersede(path, name, change))
        self._prepare(version)  # no network is compiled for it: who judges has that already
        return version

    def narrow(
        self,
        name: str,
        version: int | None,
        ignore: tuple[str, ...],
        include: tuple[str, ...],
        by: str = "local",
    ) -> InspectorVersion:
        """Put a version on the shelf that looks at less than another, the active one if `version` is None.

        Raises:
            NotFoundError: there is no such inspector or version.
            ArtifactError: its file is damaged.
            UsageError: it cannot look at less, or not so.
        """
        known = self._shelf.active(name) if version is None else self._shelf.get(name, version)
        inspector = Inspector.load(known.path, digest=known.digest).with_ignored(ignore, include=include)
        with tempfile.TemporaryDirectory(dir=known.path.parent, prefix=".narrowed-") as folder:
            path = Path(folder) / f"{name}.blemish"
            inspector.save(path)
            change = Change(
                action=Action.NARROW,
                by=by,
                version_before=known.version,
                detail={"ignore": list(ignore), "include": list(include)},
            )
            return self._shelf.add(path, name, change=change)

    def roll_back(self, name: str, by: str = "local") -> InspectorVersion:
        """Let the version judge that was active before.

        Raises:
            NotFoundError: no version was active before.
            ArtifactError: its file is damaged; the present one goes on then.
        """
        present = self._shelf.active(name)
        before = self._shelf.roll_back(name, by)
        try:
            self._prepare(before)
        except ArtifactError:
            self._shelf.activate(name, present.version, by)
            raise
        with self._turn:
            return self._remember(before)

    def _remember(self, version: InspectorVersion) -> InspectorVersion:
        self._active[version.name] = (time.monotonic(), version)
        return version
