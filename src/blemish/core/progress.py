"""Progress of long work: the library reports, whoever runs it decides how to show it.

Library code says `for item in track(items, "Reading images"):` or `with task("Downloading", total) as advance:`, and
`say(...)` what a person should know though it is no result. By default nothing is shown. The command line installs a
reporter with `use_reporter`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from typing import Protocol, TypeVar

Item = TypeVar("Item")
Advance = Callable[[float], None]


class Reporter(Protocol):
    """Shows tasks while they run."""

    def task(self, description: str, total: float | None, unit: str) -> AbstractContextManager[Advance]:
        """Show one task for as long as the context lasts; the value is called with each step done."""

    def say(self, sentence: str) -> None:
        """Tell a person one sentence."""


class _SilentReporter:
    def task(self, description: str, total: float | None, unit: str) -> AbstractContextManager[Advance]:
        return nullcontext(lambda step: None)

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
