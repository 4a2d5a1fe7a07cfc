"""Progress of long work: the library reports, whoever runs it decides how to show it.

Library code says `for item in track(items, "Reading images"):` or `with task("Downloading", total) as advance:`, and
`say(...)` what a person should know though it is no result. By default nothing is shown. The command line installs a
reporter with `use_reporter`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Protocol, TypeVar

FIRST_SHOWN = 1.0
"""Seconds after which a task is shown at all."""

SHOWN_EVERY = 5.0
"""Seconds between two reports on one task where they are kept, in a log."""

Item = TypeVar("Item")


class Advance(Protocol):
    """Says how far a task has come."""

    def __call__(self, step: float, note: str = "") -> None:
        """So many more steps are done; a note, as the loss of an epoch, is shown until the next one."""


class Reporter(Protocol):
    """Shows tasks while they run."""

    def task(self, description: str, total: float | None, unit: str) -> AbstractContextManager[Advance]:
        """Show one task for as long as the context lasts; the value is called with each step done."""

    def say(self, sentence: str) -> None:
        """Tell a person one sentence."""


class _SilentReporter:
    def task(self, description: str, total: float | None, unit: str) -> AbstractContextManager[Advance]:
        return nullcontext(lambda step, note="": None)

    def say(self, sentence: str) -> None:
        pass


_reporter: ContextVar[Reporter] = ContextVar("reporter", default=_SilentReporter())  # noqa: B039 (stateless)


@contextmanager
def use_reporter(reporter: Reporter) -> Iterator[None]:
    """Show progress of everything inside the context through `reporter`."""
    token = _reporter.set(reporter)
    try:
        yield
    finally:
        _reporter.reset(token)


def say(sentence: str) -> None:
    """Tell whoever watches one sentence: a photograph left out, a checkpoint that is not there."""
    _reporter.get().say(sentence)


def task(
    description: str, total: float | None = None, unit: str = "items"
) -> AbstractContextManager[Advance]:
    """Announce work of `total` steps; the context's value is a function to call with the number of steps done.

    `unit` is "items" or "bytes".
    """
    return _reporter.get().task(description, total, unit)


def track(items: Iterable[Item], description: str, total: int | None = None) -> Iterator[Item]:
    """Yield `items` and report one step after each."""
    if total is None and isinstance(items, Sized):
        total = len(items)
    with task(description, total) as advance:
        for item in items:
            yield item
            advance(1)


@dataclass(frozen=True)
class Progress:
    """How far a task is.

    Attributes:
        task: what it does.
        done, total: steps, as far as the latter is known.
        unit: "items" or "bytes".
        seconds: since it began.
        ended: whether it is over.
        note: the latest, empty without one.
    """

    task: str
    done: float
    total: float | None
    unit: str
    seconds: float
    ended: bool = False
    note: str = ""

    @property
    def share(self) -> float | None:
        """Share that is done, 0 to 1; None where that is not known."""
        return min(1.0, self.done / self.total) if self.total and not self.ended else None

    def in_words(self) -> str:
        """`Reading: 120 of 320, 8 s left`, or `Reading: done in 13 s`; then a note in brackets, where there is one.

        A task of which nothing is done, and nobody knows how much there is, is said by its name alone.
        """
        noted = f" ({self.note})" if self.note else ""
        if self.ended:
            return f"{self.task}: done in {_duration(self.seconds)}{noted}"
        if not self.done and self.total is None:
            return f"{self.task}{noted}"
        amounts = [_amount(value, self.unit) for value in (self.done, self.total) if value is not None]
        left = ""
        if self.total and self.done:
            left = f", {_duration(self.seconds * (self.total - self.done) / self.done)} left"
        return f"{self.task}: {' of '.join(amounts)}{left}{noted}"


class PeriodicReporter:
    """Reports on a task after its first second, every few seconds from then on, and at its end.

    Args:
        show: called with each report.
        say: called with each sentence.
        first, every: those seconds; where `first` is 0, a task's beginning is reported too.
    """

    def __init__(
        self,
        show: Callable[[Progress], None],
        say: Callable[[str], None],
        first: float = FIRST_SHOWN,
        every: float = SHOWN_EVERY,
    ) -> None:
        self._show, self.say = show, say
        self._first, self._every = first, every

    @contextmanager
    def task(self, description: str, total: float | None, unit: str) -> Iterator[Advance]:
        """Report on one task for as long as the context lasts."""
        started = time.monotonic()
        done, noted, next_shown = 0.0, "", started + (self._first or self._every)
        if not self._first:
            self._show(Progress(description, done, total, unit, 0.0))

        def advance(step: float, note: str = "") -> None:
            nonlocal done, noted, next_shown
            done, noted = done + step, note or noted
            now = time.monotonic()
            if now >= next_shown:
                next_shown = now + self._every
                self._show(Progress(description, done, total, unit, now - started, note=noted))

        yield advance
        seconds = time.monotonic() - started
        if seconds >= self._first:
            self._show(Progress(description, done, total, unit, seconds, ended=True, note=noted))


def _amount(value: float, unit: str) -> str:
    return f"{value / 1e6:,.1f} MB" if unit == "bytes" else f"{value:,.0f}"


def _duration(seconds: float) -> str:
    """`8 s`, `2 min 5 s`."""
    minutes, rest = divmod(round(max(seconds, 0)), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
