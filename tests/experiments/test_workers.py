"""Cells side by side in processes: the same figures, no process left over, and one that dies takes no other with it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from blemish.core.errors import ImageError
from blemish.experiments.benchmark.candidates import open_candidates
from blemish.experiments.benchmark.cell import CELL, make_cell
from blemish.experiments.benchmark.compared import open_compared
from blemish.experiments.benchmark.shared_reading import read_category
from blemish.experiments.benchmark.workers import Job, Workers, usual_workers

Command = Callable[..., Any]
DETECTORS = ("patchcore:quick", "knn")


def arguments(data: Path, out: Path, workers: int) -> list[str]:
    return [
        "benchmark", str(data), "--detectors", ",".join(DETECTORS), "--size", "128", "--out", str(out),
        "--workers", str(workers), "--json",
    ]  # fmt: skip


def begin(data: Path, out: Path, cache: Path) -> subprocess.Popen[bytes]:
    """A comparison with two workers in a process of its own, once both are there."""
    running = subprocess.Popen(
        [sys.executable, "-m", "blemish", *arguments(data, out, 2)],
        env=os.environ | {"BLEMISH_CACHE": str(cache)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    waited = time.monotonic() + 120
    while len(workers_of(running.pid)) < 2 and running.poll() is None and time.monotonic() < waited:
        time.sleep(0.02)
    return running


def workers_of(pid: int) -> list[psutil.Process]:
    """Its processes that measure cells, and not the one that watches over shared memory."""
    try:
        children = psutil.Process(pid).children()
        return [one for one in children if any("spawn_main" in word for word in one.cmdline())]
    except psutil.Error:
        return []


@pytest.mark.parametrize("ended_by", [signal.SIGKILL, signal.SIGINT])
def test_an_ended_comparison_leaves_no_process_and_goes_on(
    ended_by: signal.Signals, blemish: Command, washers: Path, tmp_path: Path
) -> None:
    running = begin(washers, tmp_path / "out", tmp_path / "cache")
    workers = workers_of(running.pid)
    assert len(workers) == 2, running.communicate()
    running.send_signal(ended_by)
    _, stderr = running.communicate(timeout=60)
    assert running.returncode == (-signal.SIGKILL if ended_by == signal.SIGKILL else 130)
    # A worker that is only just starting when its parent is killed may say so in its own words.
    assert ended_by == signal.SIGKILL or b"Traceback" not in stderr
    _, alive = psutil.wait_procs(workers, timeout=60)
    assert alive == []
    if ended_by == signal.SIGINT:
        return
    resumed = blemish(*arguments(washers, tmp_path / "out", 2))
    assert resumed.status == 0, resumed.stderr
    assert resumed.document["timings"]["workers"] == 2
    alone = blemish(*arguments(washers, tmp_path / "alone", 1))
    for one, other in zip(resumed.document["cells"], alone.document["cells"], strict=True):
        assert one["metrics"]["image_auroc"] == pytest.approx(other["metrics"]["image_auroc"], abs=1e-3)
        assert one["metrics"]["threshold"] == pytest.approx(other["metrics"]["threshold"], rel=1e-3)


class Deadly:
    """Ends the process that reads it, as the system does for want of memory."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os._exit, (9,)


def test_a_worker_that_dies_takes_no_other_cell_with_it(washers: Path, tmp_path: Path) -> None:
    (data,) = open_compared([washers])
    candidates = open_candidates(list(DETECTORS), size=128)
    cells = [make_cell(candidate, data.name, data.digest, 0, tmp_path) for candidate in candidates]
    together, _ = read_category(data, [candidate.make(seed=0) for candidate in candidates], tmp_path)
    with Workers(2) as workers:
        workers.submit(Job(cells[0], data, Deadly(), None))  # type: ignore[arg-type]
        workers.submit(Job(cells[1], data, together, None))
        results = {result.cell.candidate.label: result for result in workers.results()}
    assert results["patchcore:quick"].error.startswith("patchcore:quick was ended by the system")
    assert json.loads((cells[0].folder / CELL).read_text())["error"] == results["patchcore:quick"].error
    assert results["knn"].error == "" and results["knn"].metrics["image_auroc"] > 0.5


def test_there_are_no_more_workers_than_cells_or_processors() -> None:
    assert usual_workers(1) == 1
    assert 1 <= usual_workers(1000) <= (os.cpu_count() or 1)


def test_an_error_of_an_image_survives_the_way_between_processes() -> None:
    import multiprocessing

    error = ImageError("a.png", "truncated", "the file ends early: copy it again.")
    there, here = multiprocessing.Pipe()
    there.send(error)
    came = here.recv()
    assert (str(came), came.path, came.kind, came.detail) == (
        str(error),
        error.path,
        error.kind,
        error.detail,
    )
