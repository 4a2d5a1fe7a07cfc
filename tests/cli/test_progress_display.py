"""Progress as it is shown: on stderr, of long work only, on a terminal and in a log."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

WORK = """
import sys, time
from blemish.cli.output import console, emit
from blemish.cli.reporter import reporter_for
from blemish.core.progress import track, use_reporter
steps, seconds = int(sys.argv[1]), float(sys.argv[2])
with use_reporter(reporter_for(True)):
    for _ in track(range(steps), "Polishing"):
        time.sleep(seconds / steps)
emit({"steps": steps})
"""


@pytest.mark.parametrize("terminal", [False, True])
def test_progress_is_shown_on_stderr_of_long_work_only(terminal: bool) -> None:
    for seconds in (0.2, 2.2):
        stdout, stderr = _run_with_stderr(seconds, terminal)
        assert json.loads(stdout) == {"steps": 20}
        assert ("Polishing" in stderr) == (seconds > 1)
        if seconds > 1:
            assert "of 20" in stderr or "/20" in stderr
            assert "left" in stderr or "00:0" in stderr, "the remaining time"


def _run_with_stderr(seconds: float, terminal: bool) -> tuple[str, str]:
    """stdout and stderr of `WORK`, whose stderr is a terminal or a pipe."""
    command = [sys.executable, "-c", WORK, "20", str(seconds)]
    if not terminal:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return done.stdout, done.stderr
    shown, theirs = os.openpty()
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=theirs, text=True, env={**os.environ, "TERM": "xterm"}
    ) as process:
        os.close(theirs)
        stderr = b""
        while True:
            try:
                stderr += os.read(shown, 65536)
            except OSError:  # the other end was closed
                break
        stdout, _ = process.communicate()
    os.close(shown)
    return stdout, stderr.decode()
