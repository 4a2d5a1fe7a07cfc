"""Work spread over a cluster: whatever happens to a worker or its machine, every item gets one answer.

Each worker prepares once and is then given chunks, one at a time. What a worker had when it died is halved and given to
others, so that an item which kills whoever takes it ends up alone; after `_MOST_TRIES` it is given back as lost.

Ray Data's `map_batches` does the same in fewer lines; docs/decisions/0081 says what it did when a node was killed.
"""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from operator import length_hint
from typing import Any, Generic, Protocol, TypeVar

from blemish import __version__
from blemish.core.errors import BlemishError

Item = TypeVar("Item")
Given = TypeVar("Given", contravariant=True)
Answer = TypeVar("Answer")

_MOST_TRIES = 3
"""Workers that an item may take with it, and that may end before they are ready, before that is final."""

_LOOK_SECONDS = 5.0
"""How often it is looked for machines that have joined."""


class Work(Protocol[Given, Answer]):
    """What workers do; it travels to them pickled, as Ray sends all that it sends."""

    def prepare(self) -> None:
        """Get ready, once in each worker.

        Raises:
            BlemishError: no worker can do it; ends all.
        """

    def answer(self, items: Sequence[Given]) -> list[Answer]:
        """An answer to each item."""


@dataclass(frozen=True)
class Done(Generic[Item, Answer]):
    """Items with their answers; `answers` is None for one that no worker has survived."""

    items: Sequence[Item]
    answers: list[Answer] | None


class _Worker:
    """A process of the cluster that holds the work."""

    def __init__(self, work: Work[Any, Any], version: str) -> None:
        self._work, self._version = work, version

    def prepare(self) -> None:
        if self._version != __version__:
            raise BlemishError(
                f"A machine of the cluster has Blemish {__version__}, this one {self._version}: install "
                "the same on all."
            )
        self._work.prepare()

    def answer(self, items: Sequence[Any]) -> list[Any]:
        return self._work.answer(items)


@dataclass
class _Chunk(Generic[Item]):
    items: Sequence[Item]
    tries: int = 0

    def again(self) -> list[_Chunk[Item]]:
        """What is tried again after a worker died with it: its halves, or the item once more."""
        middle = len(self.items) // 2
        if middle:
            return [_Chunk(self.items[:middle]), _Chunk(self.items[middle:])]
        return [_Chunk(self.items, self.tries + 1)] if self.tries + 1 < _MOST_TRIES else []


class _Chunks(Generic[Item]):
    """What is not yet given to a worker: first what is to be tried again, then what is asked of the items."""

    def __init__(self, items: Iterable[Item], size: int) -> None:
        self._fresh, self._size = iter(items), size
        self._again: deque[_Chunk[Item]] = deque()
        self._fresh_left = -(-length_hint(items, sys.maxsize) // size)

    @property
    def left(self) -> int:
        """How many there are; very many where the items do not tell."""
        return len(self._again) + self._fresh_left

    def take(self) -> _Chunk[Item] | None:
        """The next; None when there is none."""
        if self._again:
            return self._again.popleft()
        items = list(islice(self._fresh, self._size)) if self._fresh_left else []
        self._fresh_left = self._fresh_left - 1 if items else 0
        return _Chunk(items) if items else None

    def again(self, chunks: Sequence[_Chunk[Item]]) -> None:
        """Have these taken first."""
        self._again.extendleft(reversed(chunks))


def spread(
    ray: Any,
    work: Work[Item, Answer],
    items: Iterable[Item],
    chunk: int = 1,
    workers: int | None = None,
    processors: float = 1,
) -> Iterator[Done[Item, Answer]]:
    """Answers to all items as they come, in any order; each item is in exactly one of them.

    Args:
        ray: as `blemish.cluster.session.cluster` gives it.
        work: what is done.
        items: what it is done with; each is asked for when a worker is free for it, so that the next may follow from
            what has come back.
        chunk: items that a worker is given at a time.
        workers: at most so many; as many as the cluster has processors for when None.
        processors: of a worker.

    Raises:
        BlemishError: `work` cannot be prepared, or workers end before they are ready.
    """
    chunks: _Chunks[Item] = _Chunks(items, chunk)
    crew = _Crew(ray, work, workers, processors)
    try:
        while chunks.left or crew.busy:
            crew.enlist(chunks.left + crew.busy)
            while crew.idle and (taken_next := chunks.take()):
                crew.give(taken_next)
            for taken, answers in crew.returned():
                if answers is not None:
                    yield Done(taken.items, answers)
                elif again := taken.again():
                    chunks.again(again)
                else:
                    yield Done(taken.items, None)
    finally:
        crew.dismiss()


class _Crew:
    """Workers that get ready, wait, and work."""

    def __init__(self, ray: Any, work: Work[Any, Any], most: int | None, processors: float) -> None:
        self._ray, self._most, self._processors = ray, most, processors
        self._make = ray.remote(_Worker).options(num_cpus=processors, max_restarts=0, max_task_retries=0)
        self._work = ray.put(work)
        self._preparing: dict[Any, Any] = {}
        self._working: dict[Any, tuple[Any, _Chunk[Any]]] = {}
        self.idle: list[Any] = []
        self._room, self._looked = 0, 0.0
        self._fell = 0

    @property
    def busy(self) -> int:
        """Chunks that are worked on."""
        return len(self._working)

    def enlist(self, useful: int) -> None:
        """Ask for as many workers as there is room and work for."""
        if time.monotonic() - self._looked >= _LOOK_SECONDS:
            self._looked = time.monotonic()
            room = self._ray.cluster_resources().get("CPU", 0) // self._processors
            self._room = max(1, int(room if self._most is None else min(room, self._most)))
        while len(self._preparing) + len(self._working) + len(self.idle) < min(self._room, useful):
            worker = self._make.remote(self._work, __version__)
            self._preparing[worker.prepare.remote()] = worker

    def give(self, chunk: _Chunk[Any]) -> None:
        """Let an idle worker work."""
        worker = self.idle.pop()
        self._working[worker.answer.remote(chunk.items)] = worker, chunk

    def returned(self) -> Iterator[tuple[_Chunk[Any], list[Any] | None]]:
        """What has come back within a second; None for the answers where the worker has died."""
        died = self._ray.exceptions.RayError
        raised = self._ray.exceptions.RayTaskError
        if not (expected := [*self._preparing, *self._working]):
            return
        done, _ = self._ray.wait(expected, timeout=1)
        for one in done:
            worker, chunk = self._working.pop(one, (None, None))
            worker = worker or self._preparing.pop(one)
            try:
                answers = self._ray.get(one)
            except raised as error:
                cause = error.cause
                raise cause if isinstance(cause, BlemishError) else error from None
            except died as error:
                self._looked = 0.0  # its machine may be gone
                self._end(worker)
                if chunk is None:
                    self._fallen(error)
                else:
                    yield chunk, None
                continue
            self.idle.append(worker)
            if chunk is not None:
                self._fell = 0
                yield chunk, answers

    def dismiss(self) -> None:
        """End all workers."""
        for worker in [*self._preparing.values(), *self.idle, *(one for one, _ in self._working.values())]:
            self._end(worker)

    def _fallen(self, error: Exception) -> None:
        """A worker has died before it was ready."""
        self._fell += 1
        if self._fell >= _MOST_TRIES:
            cause = " ".join(str(error).split())[:300]
            raise BlemishError(
                f"Workers of the cluster end before they are ready ({cause}): is Blemish installed on every machine, "
                "and is there memory for it?"
            )

    def _end(self, worker: Any) -> None:
        with suppress(Exception):
            self._ray.kill(worker)
