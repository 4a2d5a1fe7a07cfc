"""The process of a job: one verb of the command line, which ends when the server ends or asks it to.

The server holds the other end of this process's standard input and never writes to it. When it is closed, because the
job is to stop or because the server is gone in whatever way, the verb gets what Ctrl-C would give it.
"""

from __future__ import annotations

import _thread
import os
import runpy
import sys
import threading
import time
from contextlib import suppress

GRACE_SECONDS = 10.0
"""Time to end in an orderly way; the training keeps its checkpoint meanwhile."""

STOPPED = 130
"""Exit status of a verb that was interrupted."""


def _end_with_server() -> None:
    with suppress(OSError):
        while os.read(0, 4096):
            pass
    _thread.interrupt_main()
    time.sleep(GRACE_SECONDS)
    os._exit(STOPPED)


def main() -> None:
    """Run `blemish` with this process's arguments, at a low priority: inspections come first."""
    with suppress(OSError):
        os.nice(10)
    threading.Thread(target=_end_with_server, daemon=True).start()
    sys.argv[0] = "blemish"
    runpy.run_module("blemish", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
