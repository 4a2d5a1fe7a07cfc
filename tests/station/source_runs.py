"""A source run on a thread, and what it gives."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from blemish.station.sources.arrival import Arrival, Source

PATIENCE = 20.0


class Running:
    """A source that runs; `arrivals` is what it has given so far."""

    def __init__(self, source: Source, known: Callable[[str], bool]) -> None:
        self.source = source
        self.arrivals: list[Arrival] = []
        self.stop = threading.Event()
        self._known = known
        self.thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        self.arrivals.extend(_noted(self.source.arrivals(self.stop, self._known), self.arrivals))

    @property
    def names(self) -> list[str]:
        return [one.photograph.file_name for one in self.arrivals]

    def wait_for(self, what: Callable[[], bool], seconds: float = PATIENCE) -> None:
        end = time.monotonic() + seconds
        while not what():
            assert time.monotonic() < end, (self.source.state(), self.names)
            time.sleep(0.005)


def _noted(arrivals: Iterator[Arrival], kept: list[Arrival]) -> Iterator[Arrival]:
    for arrival in arrivals:
        kept.append(arrival)
    return
    yield


@contextmanager
def running(source: Source, known: Callable[[str], bool] = lambda key: False) -> Iterator[Running]:
    """Run a source; it has to end within two seconds of being told to."""
    run = Running(source, known)
    run.thread.start()
    try:
        yield run
    finally:
        run.stop.set()
        run.thread.join(2.0)
        assert not run.thread.is_alive(), "it did not stop"


def drawn(seed: int, side: int = 48) -> npt.NDArray[np.uint8]:
    """A picture that no other seed has, blue, green, red."""
    coarse = np.random.default_rng(seed).integers(0, 255, (6, 6, 3), np.uint8)
    return np.asarray(cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC), np.uint8)


def encoded(seed: int, suffix: str = ".png", side: int = 48) -> bytes:
    """The file of a drawn picture."""
    return bytes(cv2.imencode(suffix, drawn(seed, side))[1])


def write_slowly(path: Path, content: bytes, pieces: int, pause: float) -> None:
    """Write a file as a slow camera does, flushed piece by piece."""
    step = -(-len(content) // pieces)
    with path.open("wb") as stream:
        for at in range(0, len(content), step):
            stream.write(content[at : at + step])
            stream.flush()
            time.sleep(pause)
