"""Measure how fast an inspector answers: from a cold start, steadily, and step by step, on two cores.

    python bench/latency.py [--inspector NAME.blemish --photographs FOLDER] [--write]

Without arguments an inspector of drawn washers is fitted first, at the default size, on 512 x 512 photographs.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path

from measuring.command import run_blemish
from measuring.pages import MEASUREMENTS, README, origin, table, write_block

from blemish.core.images import list_images, read_image
from blemish.line.runtime import Inspector
from blemish.line.speed import ALL, StageTimes, stage_times

CORES = 2
STARTS = 7
STEADY = 200


def fitted_washer(work: Path) -> tuple[Path, Path]:
    """An inspector with a full memory bank, and a folder of photographs it has not seen."""
    sample = ("sample", work, "--category", "washer", "--train", 24, "--size", 512, "--json")
    run_blemish(*sample, cache=work)
    out = work / "washer.blemish"
    run_blemish("fit", work / "washer", "--out", out, "--json", cache=work / "cache")
    return out, work / "washer" / "test"


def starts(inspector: Path, photographs: Sequence[Path], count: int) -> dict[str, list[float]]:
    """Seconds of whole processes: `blemish inspect` of one photograph, and `blemish --help`."""
    with tempfile.TemporaryDirectory() as cache:
        inspect = [
            run_blemish("inspect", inspector, path, "--json", cache=Path(cache), allowed=(0, 1)).seconds
            for path in (list(photographs) * count)[:count]
        ]
        told = [run_blemish("--help", cache=Path(cache)).seconds for _ in range(count)]
    return {"`blemish inspect` of one photograph": inspect, "`blemish --help`": told}


def start_rows(seconds: dict[str, list[float]]) -> list[list[str]]:
    """Table rows of whole processes."""
    return [
        [name, str(len(values)), f"{statistics.median(values):.2f}", f"{max(values):.2f}"]
        for name, values in seconds.items()
    ]


def steady_rows(times: StageTimes) -> list[list[str]]:
    """Table rows of the stages, with their share of the whole."""
    whole = sum(times.milliseconds[ALL])
    rows = []
    for name, values in times.milliseconds.items():
        p50, p99 = times.percentiles(name)
        rows.append([name, f"{p50:.1f}", f"{p99:.1f}", f"{sum(values) / whole:.0%}"])
    return rows


def main() -> None:
    """Measure, print, and with --write put the tables into the pages."""
    parser = argparse.ArgumentParser(description="Latency of an inspector, as Markdown tables.")
    parser.add_argument("--inspector", type=Path, help="fitted already; needs --photographs")
    parser.add_argument("--photographs", type=Path, help="folder of photographs of that part")
    parser.add_argument("--starts", type=int, default=STARTS, help="processes to start")
    parser.add_argument("--steady", type=int, default=STEADY, help="photographs inspected in one process")
    parser.add_argument("--write", action="store_true", help="write into docs/measurements.md and README.md")
    options = parser.parse_args()
    if (options.inspector is None) != (options.photographs is None):
        parser.error("--inspector and --photographs belong together")
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, set(sorted(os.sched_getaffinity(0))[:CORES]))  # children inherit it
    with tempfile.TemporaryDirectory() as work:
        inspector, folder = options.inspector, options.photographs
        if inspector is None:
            inspector, folder = fitted_washer(Path(work))
        photographs = list_images(folder)
        seconds = starts(inspector, photographs, options.starts)
        times = stage_times(Inspector.load(inspector, threads=CORES), photographs, options.steady)
        contract = Inspector.load(inspector).manifest.preprocessing
        height, width = read_image(photographs[0]).shape[:2]
    report(seconds, times, f"{width} x {height}", f"{contract.width} x {contract.height}", options.write)


def report(
    seconds: dict[str, list[float]],
    times: StageTimes,
    photograph: str,
    size: str,
    write: bool,
) -> None:
    """Print the tables, and write them if asked for."""
    cold, told = (statistics.median(values) for values in seconds.values())
    (p50, p99), busy = times.percentiles(ALL), times.cpu_milliseconds
    cost = (
        f"Photographs of {photograph} pixels, read at {size}, on {CORES} cores: {busy:.0f} ms of CPU time "
        f"for each, which {CORES} cores could share in {busy / CORES:.0f} ms."
    )
    starting = table(("whole process", "runs", "median, s", "slowest, s"), start_rows(seconds))
    stepwise = table(("stage", "median, ms", "99th percentile, ms", "share of the time"), steady_rows(times))
    text = f"{starting}\n\n{stepwise}\n\n{cost}\n\n{origin()}"
    print(text)
    if not write:
        return
    write_block(MEASUREMENTS, "latency", text)
    short = (
        f"The first verdict of a new process comes after {cold:.1f} s, the following ones every {p50:.0f} ms "
        f"(99th percentile {p99:.0f} ms, {busy:.0f} ms of CPU time, {CORES} cores); "
        f"`blemish --help` answers in {told:.2f} s."
    )
    write_block(README, "latency", f"{short} {origin()}")


if __name__ == "__main__":
    main()
