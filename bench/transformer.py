"""Measure what a vision transformer costs on the line beside the default backbone: time, artifact, memory.

    python bench/transformer.py [--photographs 30]

Weights are random: they change no cost. All inspectors judge the same photograph in turn, so that a busy machine slows
them alike.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from measuring.command import run_blemish
from measuring.pages import origin, table

from blemish.core.images import list_images
from blemish.line.runtime import Inspector

CORES = 2
VIT = ("--backbone", "vit_small_patch14_dinov2")
# Copies are turned at learning alone: without them the bank is as full, and learning takes an eighth of the time.
INSPECTORS = {
    "patchcore": (),
    "patchcore on ViT-S/14": VIT,
    "patchcore, preset anomalydino": ("--preset", "anomalydino", "--set", "copies=none"),
}
HEADER = (
    "inspector",
    "decode to verdict, ms",
    "ratio",
    "CPU time, ms",
    "ratio",
    "artifact, MB",
    "`blemish inspect`, peak MiB",
    "`blemish fit`, peak MiB",
)


@dataclass(frozen=True)
class Learnt:
    """An inspector that was learnt: its file, and the peak memory in MiB of learning and of one `blemish inspect`."""

    path: Path
    fit_mib: float
    inspect_mib: float


def learnt(work: Path) -> dict[str, Learnt]:
    """An inspector of drawn washers on each network; before this process is large, for a child begins as large."""
    run_blemish("sample", work, "--category", "washer", "--train", 24, "--size", 512, "--json", cache=work)
    photograph, found = list_images(work / "washer" / "test")[0], {}
    for number, (name, options) in enumerate(INSPECTORS.items()):
        path = work / f"{number}.blemish"
        fit = ("fit", work / "washer", "--out", path, "--set", "weights=random", *options, "--json")
        fitted = run_blemish(*fit, cache=work / f"cache{number}")
        one = run_blemish("inspect", path, photograph, "--json", cache=work, allowed=(0, 1))
        found[name] = Learnt(path, fitted.peak_mib, one.peak_mib)
    return found


def inspected(paths: dict[str, Path], photographs: list[Path]) -> dict[str, tuple[float, float]]:
    """Median milliseconds of wall time and of CPU time from file to verdict, the inspectors in turn."""
    loaded = {name: Inspector.load(path, threads=CORES) for name, path in paths.items()}
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in paths}
    for number, photograph in enumerate(photographs):
        for name, inspector in loaded.items():
            wall, busy = time.perf_counter(), time.process_time()
            inspector.inspect(photograph)
            if number:  # the first one warms up
                times[name].append((1e3 * (time.perf_counter() - wall), 1e3 * (time.process_time() - busy)))
    return {
        name: (statistics.median(one for one, _ in each), statistics.median(other for _, other in each))
        for name, each in times.items()
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Cost of a vision transformer, as a Markdown table.")
    parser.add_argument("--photographs", type=int, default=30, help="inspected by each")
    options = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, set(sorted(os.sched_getaffinity(0))[:CORES]))  # children inherit it
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        inspectors = learnt(work)
        photographs = list_images(work / "washer" / "test")
        paths = {name: one.path for name, one in inspectors.items()}
        found = inspected(paths, (photographs * options.photographs)[: 1 + options.photographs])
        usual = next(iter(found.values()))
        rows = []
        for name, (wall, busy) in found.items():
            one = inspectors[name]
            figures = f"{wall:.1f}", f"{wall / usual[0]:.1f}", f"{busy:.1f}", f"{busy / usual[1]:.1f}"
            megabytes = one.path.stat().st_size / 1e6
            rows.append([name, *figures, f"{megabytes:.1f}", f"{one.inspect_mib:.0f}", f"{one.fit_mib:.0f}"])
    print(f"{table(HEADER, rows)}\n\n{origin()}")


if __name__ == "__main__":
    main()
