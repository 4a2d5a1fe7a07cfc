"""Looking ahead: what comes next is made ready on threads while the caller works on what is there."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def look_ahead(
    work: Callable[[Item], Result], items: Iterable[Item], threads: int = 1, waiting: int = 3
) -> Generator[Result]:
    """Results in the order of the items, with at most `waiting` more of them under way or ready: memory is bounded.

    What `work` raises is raised where its result was due.
    """
    ahead: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(threads, thread_name_prefix="ahead") as pool:
        try:
            for item in items:
                # In the caller's context: what is said there is told to whoever watches the caller.
                ahead.append(pool.submit(copy_context().run, work, item))
                if len(ahead) > waiting:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()
        finally:
            for future in ahead:
                future.cancel()
