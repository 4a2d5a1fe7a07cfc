"""A process that judges photographs when it is told to, so that two of them can be timed in turns.

Standard library alone: it runs in the peer's environment and in Blemish's.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any


def speak(document: dict[str, Any]) -> None:
    """One JSON document as one line on stdout."""
    print(json.dumps(document), file=_SPOKEN, flush=True)


def serve(judge: Callable[[str], object]) -> None:
    """Judge photographs in lots until stdin ends.

    Each line of stdin is a JSON list of files; each answer has `ms`, wall milliseconds of each from file to verdict,
    and `cpu_ms`, the processor's in all threads.
    """
    speak({"ready": True})
    for line in sys.stdin:
        wall, busy = [], []
        for path in json.loads(line):
            began, worked = time.perf_counter(), time.process_time()
            judge(path)
            wall.append(1e3 * (time.perf_counter() - began))
            busy.append(1e3 * (time.process_time() - worked))
        speak({"ms": wall, "cpu_ms": busy})


def _own_stdout() -> Any:
    """Stdout for documents alone: what libraries print there goes to stderr."""
    own = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return own


_SPOKEN = _own_stdout()
