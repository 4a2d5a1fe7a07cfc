"""Processes of one side or the other: run to their end and measured, or kept and asked in turns."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

_MIB = 2**20 if sys.platform == "darwin" else 2**10
"""ru_maxrss is in bytes there, in KiB elsewhere."""


PASSIVE = {"OMP_WAIT_POLICY": "PASSIVE"}
"""Of both sides, as Blemish sets it for itself: on a busy machine torch's waiting threads would be counted as work."""


class FailedError(Exception):
    """A process has failed, or was ended at its limit; its sentence says which and why."""


@dataclass(frozen=True)
class Measured:
    """A process that has ended well.

    Attributes:
        document: the last JSON document that it printed; None where it printed none.
        seconds, cpu_seconds: from its start to its end, and the processor's in all its threads.
        peak_mib: its largest resident memory.
    """

    document: Any
    seconds: float
    cpu_seconds: float
    peak_mib: float

    def to_json(self) -> dict[str, Any]:
        """As JSON-ready values."""
        return asdict(self)


def run(
    command: Sequence[object],
    limit: float,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> Measured:
    """Run a command to its end.

    Args:
        command: program and arguments.
        limit: seconds after which it is ended.
        environment: besides this process's own.
        folder: to run in.

    Raises:
        FailedError: it ended otherwise than by status 0 or 1, or at its limit.
    """
    words = [str(word) for word in command]
    with tempfile.TemporaryFile("w+") as said, tempfile.TemporaryFile("w+") as complained:
        began = time.perf_counter()
        process = subprocess.Popen(
            words,
            stdout=said,
            stderr=complained,
            env={**os.environ, **PASSIVE, **(environment or {})},
            cwd=folder,
        )
        timer = threading.Timer(limit, process.kill)
        timer.start()
        try:
            _, status, usage = os.wait4(process.pid, 0)  # of this very process, which no other call tells
        except BaseException:  # whoever interrupts leaves nothing running
            process.kill()
            raise
        finally:
            timer.cancel()
        seconds = time.perf_counter() - began
        process.returncode = code = os.waitstatus_to_exitcode(status)
        said.seek(0), complained.seek(0)
        if code < 0 and seconds >= limit:
            raise FailedError(f"not within {limit:.0f} s")
        if code not in (0, 1) or (code == 1 and not said.read(1)):
            last = (complained.read().strip().splitlines() or ["nothing"])[-1]
            raise FailedError(f"{Path(words[1]).name if len(words) > 1 else words[0]} failed: {last[:300]}")
        said.seek(0)
        return Measured(
            last_document(said.read()), seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / _MIB
        )


def last_document(text: str) -> Any:
    """The whole text as JSON, or else its last line that is; None where there is none."""
    for part in (text, *reversed(text.splitlines())):
        try:
            return json.loads(part)
        except ValueError:
            continue
    return None


class Worker:
    """A process of `worker.serve`, which waits until it is given photographs."""

    def __init__(self, command: Sequence[object], limit: float, folder: Path) -> None:
        self._limit = limit
        self._name = " ".join(str(word) for word in command)[-120:]
        self._complaints = tempfile.TemporaryFile("w+")  # noqa: SIM115
        self._process = subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._complaints,
            text=True,
            env={**os.environ, **PASSIVE},
            cwd=folder,
        )
        self._answer()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._complaints):
            if stream is not None:
                stream.close()

    def judge(self, paths: Sequence[str]) -> dict[str, list[float]]:
        """Milliseconds of each photograph, `ms` and `cpu_ms`.

        Raises:
            FailedError: the process has ended, or its limit has passed.
        """
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(list(paths)) + "\n")
        self._process.stdin.flush()
        found: dict[str, list[float]] = self._answer()
        return found

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        timer = threading.Timer(self._limit, self._process.kill)
        timer.start()
        line = self._process.stdout.readline()
        timer.cancel()
        if not line:
            self._complaints.seek(0)
            last = (self._complaints.read().strip().splitlines() or [f"not within {self._limit:.0f} s"])[-1]
            self.__exit__()
            raise FailedError(f"{self._name}: {last[:300]}")
        return json.loads(line)
