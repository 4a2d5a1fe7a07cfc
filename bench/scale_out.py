"""Photographs a second of `inspect --executor ray` against the local run, and what a killed node costs.

    python bench/scale_out.py [--photographs 240] [--size 256] [--write]

Local and Ray with one and with two workers judge the same washers, in turns, without overlays; the time of a run is
that of the photographs alone, and starting is told by itself. Then the same on a cluster of three nodes with a worker
each, of which one is killed at a quarter. On two processors nothing is to be seen beyond two workers. Five minutes.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pyarrow.parquet
from measuring.command import run_blemish
from measuring.pages import ROOT, origin, table, write_block
from measuring.scale_figures import remember
from ray.cluster_utils import Cluster

from blemish.core.network import limit_threads
from blemish.core.progress import use_reporter
from blemish.line.parquet_results import FOLDER
from blemish.workflows.fields import Executor
from blemish.workflows.inspect import InspectRequest, Save, inspect
from blemish.workflows.inspect_on_cluster import inspect_on_cluster

TURNS = 3


class Stopwatch:
    """A reporter that knows when each photograph of a run was done."""

    def __init__(self) -> None:
        self.times: list[float] = []

    @contextmanager
    def task(self, description: str, total: float | None, unit: str) -> Iterator[Any]:
        """Note the time of every step."""
        yield lambda step, note="": self.times.extend([time.perf_counter()] * int(step))

    def say(self, sentence: str) -> None:
        """Nothing is to be said."""

    def rate(self) -> float:
        """Photographs a second between the first quarter and the last: neither start nor end."""
        first, last = len(self.times) // 4, 3 * len(self.times) // 4
        return (last - first) / (self.times[last] - self.times[first])


def run(request: InspectRequest) -> tuple[float, float, Stopwatch]:
    """Photographs a second, seconds until the first, and when each was done."""
    watch = Stopwatch()
    begun = time.perf_counter()
    with use_reporter(watch):
        (inspect_on_cluster if request.executor == Executor.RAY else inspect)(request)
    return watch.rate(), watch.times[0] - begun, watch


def killed(request: InspectRequest, total: int) -> tuple[float, int, int]:
    """The longest time without a result after a node was killed, photographs judged twice for it, and rows lost."""
    node = {"num_cpus": 1, "object_store_memory": 100 * 2**20}
    nodes = Cluster(initialize_head=True, head_node_args=node | {"include_dashboard": False})
    watch, at = Stopwatch(), []
    try:
        victim = nodes.add_node(**node)
        nodes.add_node(**node)
        nodes.wait_for_nodes()

        def kill() -> None:
            while len(watch.times) < total // 4:
                time.sleep(0.01)
            raylet = psutil.Process(victim.all_processes["raylet"][0].process.pid)
            for one in [*raylet.children(recursive=True), raylet]:
                one.kill()
            at.append(time.perf_counter())

        threading.Thread(target=kill, daemon=True).start()
        with use_reporter(watch):
            inspect_on_cluster(request.model_copy(update={"address": nodes.address}))
    finally:
        nodes.shutdown()
    after = [one for one in watch.times if one >= at[0]]
    gap = max(b - a for a, b in zip([at[0], *after], after, strict=False))
    paths = pyarrow.parquet.read_table(request.out / FOLDER)["path"].to_pylist()
    return gap, len(paths) - len(set(paths)), total - len(set(paths))


def bytes_in(folder: Path) -> int:
    """Bytes of all files of a folder."""
    return sum(file.stat().st_size for file in folder.iterdir())


def main() -> None:
    """Measure, print, and with --write put the table into docs/scale.md and the figures beside it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photographs", type=int, default=240)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    limit_threads(1)  # local too: a processor against a processor
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        run_blemish("sample", work / "line", "--category", "washer", "--size", given.size, cache=work)
        inspector = work / "washer.blemish"
        run_blemish("fit", work / "line" / "washer", "--out", inspector, cache=work / "cache")
        here = work / "photographs"
        here.mkdir()
        files = sorted((work / "line" / "washer" / "test").rglob("*.png"))
        for number in range(given.photographs):
            shutil.copy(files[number % len(files)], here / f"{number:05d}.png")
        local = InspectRequest(inspector=inspector, paths=(here,), save=Save.NONE)
        kinds = {
            "local": local,
            "Ray, 1 worker": local.model_copy(update={"executor": Executor.RAY, "workers": 1}),
            "Ray, 2 workers": local.model_copy(update={"executor": Executor.RAY, "workers": 2}),
        }
        found: dict[str, list[tuple[float, float]]] = {name: [] for name in kinds}
        for turn in range(TURNS):
            for name, request in kinds.items():
                rate, start, _ = run(request.model_copy(update={"out": work / f"{name}-{turn}"}))
                found[name].append((rate, start))
                print(f"{name}: {rate:.1f} a second, the first after {start:.1f} s", flush=True)
        three = local.model_copy(update={"executor": Executor.RAY, "workers": 3, "out": work / "killed"})
        gap, twice, lost = killed(three, given.photographs)
        sizes = {
            "photograph_bytes": bytes_in(here) / given.photographs,
            "parquet_bytes": bytes_in(work / "killed" / FOLDER) / given.photographs,
        }
    middle = {name: sorted(runs)[TURNS // 2] for name, runs in found.items()}
    base = middle["local"][0]
    rows = [
        [name, f"{rate:.1f}", f"{rate / base:.2f}", f"{start:.1f}"] for name, (rate, start) in middle.items()
    ]
    text = "\n\n".join(
        (
            table(("one thread a worker", "photographs a second", "times local", "first after, s"), rows),
            f"Of {given.photographs} photographs, with a node of three killed at a quarter: {lost} lost, {twice} "
            f"twice in the results, and at most {gap:.1f} s without a result.",
            origin(),
        )
    )
    print(text)
    if given.write:
        write_block(ROOT / "docs" / "scale.md", "ray", text)
        remember("ray", photographs_a_second=middle["Ray, 1 worker"][0], **sizes)


if __name__ == "__main__":
    main()
