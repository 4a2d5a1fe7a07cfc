"""A workflow in a process of its own: `python -m blemish.workflows.process`.

The first line of standard input is `{"workflow": NAME, "request": {...}}`. Standard output has one JSON document a
line: `{"task": ..., "done": ..., "total": ..., ...}` for progress, `{"said": SENTENCE}`, and at last `{"result":
DOCUMENT, "complete": BOOL}` or `{"error": SENTENCE, "exit_status": NUMBER}`. What libraries print is on standard error.
When standard input is closed, because the work is to stop or because whoever started it is gone in whatever way, the
workflow gets what Ctrl-C would give it.
"""

from __future__ import annotations

import _thread
import importlib
import json
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from blemish.core.errors import BlemishError
from blemish.core.explanation import STOPPED, explained
from blemish.core.own_process import collect_seldom
from blemish.core.progress import PeriodicReporter, use_reporter
from blemish.workflows.request import Outcome

_TOLD_EVERY = 0.5

GRACE_SECONDS = 10.0
"""Time to end in an orderly way; a training keeps its checkpoint meanwhile."""


def main() -> None:
    """Run the workflow that is asked for, at a low priority: inspections come first."""
    with suppress(OSError, AttributeError):
        os.nice(10)
    collect_seldom()
    write = _events()
    asked = json.loads(sys.stdin.buffer.readline())
    reporter = PeriodicReporter(
        lambda progress: write(vars(progress)),
        lambda sentence: write({"said": sentence}),
        first=0.0,
        every=_TOLD_EVERY,
    )
    try:
        threading.Thread(target=_end_with_input, daemon=True).start()
        with use_reporter(reporter):
            result = _run(asked["workflow"], asked["request"])
        write({"result": result.to_json(), "complete": result.complete})
    except BaseException as error:
        if not isinstance(error, BlemishError | KeyboardInterrupt):
            traceback.print_exc()
        status, sentence = explained(error, f"blemish {asked['workflow']}", "see where in the log")
        write({"error": sentence, "exit_status": status})
        sys.exit(status)


def _events() -> Callable[[dict[str, Any]], None]:
    """A function that writes one event; from now on standard output is for events alone."""
    events = os.fdopen(os.dup(1), "w", encoding="ascii")
    os.dup2(2, 1)

    def write(event: dict[str, Any]) -> None:
        events.write(json.dumps(event, allow_nan=False) + "\n")
        events.flush()

    return write


def _run(name: str, document: dict[str, Any]) -> Outcome:
    """The result of the workflow `name`, which is asked with the `NameRequest` of its module."""
    module = importlib.import_module(f"blemish.workflows.{name}")
    request = getattr(module, f"{name.title().replace('_', '')}Request")
    result: Outcome = getattr(module, name)(request.model_validate(document))
    return result


def _end_with_input() -> None:
    with suppress(OSError):
        while os.read(0, 4096):
            pass
    _thread.interrupt_main()
    time.sleep(GRACE_SECONDS)
    os._exit(STOPPED)


if __name__ == "__main__":
    main()
