"""Drift, read on after each inspection by a thread of its own, which writes to the log what has changed."""

from __future__ import annotations

import logging
import threading

from blemish.station.drift import DriftWatch
from blemish.station.drift_report import Drift
from blemish.station.shelf import InspectorShelf

_SECONDS = 2.0

logger = logging.getLogger("blemish.station")


class DriftWatching:
    """Reads drift on whenever something was logged.

    Args:
        watch: what reads.
        shelf: of the inspectors, all active ones of which are watched.

    Attributes:
        known: what was read last, by inspector.
    """

    def __init__(self, watch: DriftWatch, shelf: InspectorShelf) -> None:
        self._watch, self._shelf = watch, shelf
        self.known: dict[str, Drift] = {}
        self._logged, self._stopped = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._read_on, name="drift", daemon=True)

    def start(self) -> None:
        """Read what was logged before, and go on from there."""
        self._logged.set()
        self._thread.start()

    def stop(self, seconds: float) -> None:
        """End within so many seconds."""
        self._stopped.set()
        self._logged.set()
        if self._thread.is_alive():
            self._thread.join(seconds)

    def wake(self) -> None:
        """Something was logged."""
        self._logged.set()

    def _read_on(self) -> None:
        said: dict[str, str] = {}
        while True:
            self._logged.wait()
            self._logged.clear()
            if self._stopped.is_set():
                return
            try:
                for version in self._shelf.active_all():
                    drift = self.known[version.name] = self._watch.drift(version.name)
                    state = "; ".join(one.statistic for one in drift.moved)
                    if state != said.get(version.name, ""):
                        level = logging.WARNING if state else logging.INFO
                        logger.log(level, "%s: %s", version.title, drift.message)
                    said[version.name] = state
            except Exception:
                logger.exception(
                    "Drift could not be looked for; it is tried again after the next inspection."
                )
            if self._stopped.wait(_SECONDS):
                return
