"""Photographs that are old, or too many, removed by a thread of its own; and free memory given back."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from blemish.core.errors import BlemishError
from blemish.core.own_process import give_back_memory
from blemish.station.clock import ClockWatch
from blemish.station.image_store import ImageStore
from blemish.station.log import InspectionLog
from blemish.station.retention import Retention

_SECONDS, _MEMORY_SECONDS, _CLOCK_SECONDS = 600.0, 60.0, 5.0

logger = logging.getLogger("blemish.station")


class Housekeeping:
    """Removes photographs by policy every ten minutes, and forgets that they were kept; gives memory back each minute.

    Args:
        images: the photographs.
        retention: what says how long they are kept; another process may change it.
        log: where it stands that they are kept.
        clock: by which they are old; it is looked at every five seconds.
        also: what else is to be tidied then.
    """

    def __init__(
        self,
        images: ImageStore,
        retention: Retention,
        log: InspectionLog,
        clock: ClockWatch,
        also: Callable[[], None] = lambda: None,
    ) -> None:
        self._images, self._retention, self._log = images, retention, log
        self._clock, self._also = clock, also
        self._untidy, self._stopped = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._tidy_up, name="housekeeping", daemon=True)

    def start(self) -> None:
        """Tidy up now, and again and again."""
        self._thread.start()

    def stop(self, seconds: float) -> None:
        """End within so many seconds."""
        self._stopped.set()
        self._untidy.set()
        if self._thread.is_alive():
            self._thread.join(seconds)

    def wake(self) -> None:
        """Tidy up at once: the policy is another."""
        self._untidy.set()

    def _tidy_up(self) -> None:
        while not self._stopped.is_set():
            self._clock.look()
            try:
                self._images.policy = self._retention.policy()
                self._log.forget_image(self._images.prune(self._clock.now()))
                self._also()
            except BlemishError as error:
                logger.warning("Old photographs are removed later: %s", error)
            except Exception:
                logger.exception("Old photographs could not be removed; it is tried again later.")
            self._wait(time.monotonic() + _SECONDS)
            self._untidy.clear()

    def _wait(self, end: float) -> None:
        """Look at the clock and give memory back until then, or until somebody wakes it."""
        given = time.monotonic()
        while time.monotonic() < end and not self._untidy.wait(_CLOCK_SECONDS):
            self._clock.look()
            if time.monotonic() - given > _MEMORY_SECONDS:
                give_back_memory()
                given = time.monotonic()
