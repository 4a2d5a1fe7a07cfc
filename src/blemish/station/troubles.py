"""What a station does without at present: each trouble is said once when it begins, and once when it ends."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from datetime import UTC, datetime

logger = logging.getLogger("blemish.station")


@dataclass(frozen=True)
class Trouble:
    """Something that does not work.

    Attributes:
        what: it is, as `source camera-1`.
        sentence: what is wrong and what becomes of it, for a person.
        since: when it began, in UTC.
        say: whether the log has it from here.
    """

    what: str
    sentence: str
    since: datetime
    say: bool = True


class Troubles:
    """The troubles of a station; may be used by many threads."""

    def __init__(self) -> None:
        self._now: dict[str, Trouble] = {}
        self._lock = threading.Lock()

    def begin(self, what: str, sentence: str, say: bool = True) -> None:
        """Something does not work; what is known already is not said again unless its sentence is another.

        Args:
            what: it is.
            sentence: what is wrong.
            say: whether the log is to have it; not where whoever found it has written it there.
        """
        with self._lock:
            known = self._now.get(what)
            if known is not None and known.sentence == sentence:
                return
            since = known.since if known else datetime.now(UTC)
            self._now[what] = Trouble(what, sentence, since, say)
        if say:
            logger.warning("%s: %s", what, sentence)

    def end(self, what: str) -> None:
        """It works again, or always did."""
        with self._lock:
            known = self._now.pop(what, None)
        if known is not None and known.say:
            since = f"{known.since:%Y-%m-%d %H:%M:%S} UTC"
            logger.info("%s: all is well again; it was not since %s.", what, since)

    def follow(self, what: str, sentence: str | None, say: bool = True) -> None:
        """What is looked at again and again: as `begin`, or as `end` where there is no sentence."""
        if sentence:
            self.begin(what, sentence, say)
        else:
            self.end(what)

    def now(self) -> list[Trouble]:
        """All of them, the oldest first."""
        with self._lock:
            return sorted(self._now.values(), key=lambda one: one.since)
