"""What a sink is: somewhere that signals are sent to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from blemish.core.errors import BlemishError
from blemish.station.signals.signal import Signal


class SinkError(BlemishError):
    """Signals have not arrived; its text is one sentence for a person, without secrets.

    Attributes:
        arrived: how many of them have, from the first one on.
        for_good: whether the next one is refused for what it is, so that sending it again is in vain; otherwise the
            sink is at fault, and everything waits until it is well again.
    """

    def __init__(self, sentence: str, arrived: int = 0, for_good: bool = False) -> None:
        super().__init__(sentence)
        self.arrived, self.for_good = arrived, for_good


class Sink(Protocol):
    """Somewhere that signals are sent to; all its methods are called by one thread.

    Attributes:
        name: what it is called in the configuration, unique within a station.
    """

    name: str

    def open(self) -> None:
        """Connect, or make ready; called again after every error that is not for good.

        Raises:
            SinkError: it cannot be reached.
        """

    def send(self, signals: Sequence[Signal]) -> None:
        """Send signals in their order; return once all have arrived. May be called again with the same ones.

        Raises:
            SinkError: some have not arrived.
        """

    def check(self) -> None:
        """Show that the station lives, and notice a lost connection; called about once a second while nothing is sent.

        Raises:
            SinkError: the connection is lost.
        """

    def close(self) -> None:
        """Let go of everything; never raises, and may be called twice."""
