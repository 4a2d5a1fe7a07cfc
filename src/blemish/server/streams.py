"""Answers without an end: the streams of events of an open page."""

from __future__ import annotations

import asyncio


class EventStreams:
    """The answers that last as long as a page is open. A stop would wait for them, so it ends them."""

    def __init__(self) -> None:
        self._open: set[asyncio.Task[object]] = set()
        self._ended: set[asyncio.Task[object]] = set()

    def opened(self, task: asyncio.Task[object]) -> None:
        """Note the task whose answer is a stream."""
        self._open.add(task)

    def closed(self, task: asyncio.Task[object]) -> bool:
        """Forget a task; whether `end` has ended its answer."""
        self._open.discard(task)
        ended = task in self._ended
        self._ended.discard(task)
        return ended

    def end(self) -> None:
        """End the streams that are open now."""
        self._ended |= self._open
        for task in self._open:
            task.cancel("the server stops")
