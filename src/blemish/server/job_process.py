"""The server's end of a job's process: what is asked goes in as JSON, what happens comes back as JSON lines.

The server holds the process's standard input open; closing it, or dying, is how the process is asked to end.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from pydantic import JsonValue

from blemish.core.progress import FIRST_SHOWN, SHOWN_EVERY, Progress
from blemish.workflows import process as child
from blemish.workflows.request import Request

MOST_LOG_BYTES = 2**20

Tell = Callable[[str, float | None], None]
"""Called with the present step in words, and the share of it that is done where that is known."""


@dataclass(frozen=True)
class Ended:
    """How a process has ended.

    Attributes:
        result: the workflow's document; None if it gave none.
        complete: whether everything was used that was given.
        error: why there is no result, in one sentence.
    """

    result: dict[str, JsonValue] | None
    complete: bool
    error: str


class JobProcess:
    """One workflow in a process of its own.

    Args:
        workflow: its name.
        request: what it is asked.
        log: file for what it says, for people; made, or written on.
        words: changes what it says before anybody reads it.
    """

    def __init__(
        self, workflow: str, request: Request, log: Path, words: Callable[[str], str] = lambda said: said
    ) -> None:
        self._log, self._words = _Log(log, words), words
        self._logged: dict[str, float] = {}
        self._process = subprocess.Popen(
            [sys.executable, "-m", child.__name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C on the server is for the server
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        self.pid = self._process.pid
        self._stdin, self._events, self._messages = _pipes(self._process)
        asked = {"workflow": workflow, "request": request.model_dump(mode="json")}
        with suppress(OSError):  # it has ended already, and says why on its standard error
            self._stdin.write(json.dumps(asked).encode() + b"\n")
            self._stdin.flush()

    def follow(self, tell: Tell) -> Ended:
        """Tell what happens until the process has ended."""
        copying = threading.Thread(target=self._log.copy, args=(self._messages,), daemon=True)
        copying.start()
        try:
            last = self._last_event(tell)
            status = self._process.wait()
        finally:
            self._kill()  # workers that outlived it
            self._process.wait()
            with suppress(OSError):
                self._stdin.close()
            copying.join(5)
            self._log.close()
        error = str(last.get("error") or f"It ended with status {status}: see its log.")
        return Ended(last.get("result"), bool(last.get("complete")), error)

    def _last_event(self, tell: Tell) -> dict[str, Any]:
        """Tell all events but the last: the result or the error, or nothing where the process was ended."""
        with self._events:
            for line in self._events:
                event: dict[str, Any] = json.loads(line)
                if "result" in event:
                    return event
                step = Progress(**event) if "task" in event else None
                said = self._words(step.in_words() if step else str(event.get("error") or event["said"]))
                if step is None or self._is_due(step):
                    self._log.write(said.encode("utf-8", "replace") + b"\n")
                if "error" in event:
                    return event
                tell(said[:200], step.share if step else None)
        return {}

    def _is_due(self, step: Progress) -> bool:
        """Whether a report is for the log too, which has fewer of them."""
        if step.ended:
            return step.seconds >= FIRST_SHOWN
        if step.seconds < self._logged.get(step.task, 0) or step.seconds < FIRST_SHOWN:
            return False
        self._logged = {step.task: step.seconds + SHOWN_EVERY}
        return True

    def end(self) -> None:
        """Let the process know that it is to end, and see that it does."""
        if not self._stdin.closed:
            with suppress(OSError):
                self._stdin.close()
            insisting = threading.Timer(child.GRACE_SECONDS + 2, self._kill_if_running)
            insisting.daemon = True
            insisting.start()

    def _kill_if_running(self) -> None:
        if self._process.poll() is None:
            self._kill()

    def _kill(self) -> None:
        """End the process and all that it has started."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)


def _pipes(process: subprocess.Popen[bytes]) -> tuple[IO[bytes], IO[bytes], IO[bytes]]:
    """Standard input, output and error of a process that has them all."""
    assert process.stdin is not None and process.stdout is not None and process.stderr is not None
    return process.stdin, process.stdout, process.stderr


class _Log:
    """A log that stops growing at its limit; several threads may write."""

    def __init__(self, path: Path, words: Callable[[str], str]) -> None:
        self._file, self._words = path.open("ab"), words
        self._left = MOST_LOG_BYTES
        self._lock = threading.Lock()

    def write(self, line: bytes) -> None:
        # Where the disk is full, or the log is closed already, the work goes on.
        with self._lock, suppress(OSError, ValueError):
            self._file.write(line[: self._left])
            self._file.flush()
            self._left = max(0, self._left - len(line))

    def copy(self, stream: IO[bytes]) -> None:
        """Write what comes from a stream until it ends."""
        with stream:
            for line in iter(lambda: stream.readline(2000), b""):
                self.write(self._words(line.decode("utf-8", "replace")).encode("utf-8", "replace"))

    def close(self) -> None:
        with self._lock, suppress(OSError):
            self._file.close()
