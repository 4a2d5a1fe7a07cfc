"""The version of an inspector that judges, followed wherever it is changed: by the page, a verb, another process."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from blemish.core.errors import ArtifactError, BlemishError
from blemish.station.inspectors import Inspectors
from blemish.station.shelf import InspectorVersion
from blemish.station.troubles import Troubles

FOLLOWED_SECONDS = 1.0
"""How often it is looked for another one."""

logger = logging.getLogger("blemish.station")


class ActiveVersion:
    """Looks which version is active, and has another one compiled before it judges.

    Args:
        inspectors: of the home.
        name: of the inspector.
        prepare: compiles a version for those who judge.
        use: called with the version that judges from now on.
        troubles: where a version that cannot judge is told; the one before goes on.
    """

    def __init__(
        self,
        inspectors: Inspectors,
        name: str,
        prepare: Callable[[InspectorVersion], None],
        use: Callable[[InspectorVersion], None],
        troubles: Troubles,
    ) -> None:
        self._inspectors, self._name = inspectors, name
        self._prepare, self._use, self._troubles = prepare, use, troubles
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="version", daemon=True)
        self._used: InspectorVersion | None = None

    def first(self) -> InspectorVersion:
        """The version that is active now, compiled.

        Raises:
            NotFoundError: there is none.
            ArtifactError: its file is damaged.
        """
        version = self._inspectors.active(self._name)
        self._prepare(version)
        self._used = version
        return version

    def start(self) -> None:
        """Follow from now on."""
        self._thread.start()

    def stop(self, seconds: float) -> None:
        """End within so many seconds."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join(seconds)

    def _follow(self) -> None:
        while not self._stopped.wait(FOLLOWED_SECONDS):
            try:
                self._look()
            except ArtifactError as error:
                self._troubles.begin("version", f"{error} The version before goes on judging.")
            except BlemishError:  # whoever logs says that the database does not answer
                continue
            except Exception:
                logger.exception("Another version could not be looked for; it is tried again.")

    def _look(self) -> None:
        version = self._inspectors.active(self._name)
        if self._used is not None and version.digest != self._used.digest:
            self._prepare(version)
            logger.info("%s judges from now on.", version.title)
        if self._used is None or version.version != self._used.version:
            self._use(version)
            self._used = version
        self._troubles.end("version")
