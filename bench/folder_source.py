"""How soon a watched folder gives a photograph, and what looking costs, by how many lie there already.

    python bench/folder_source.py [--seconds 10] [--rate 10] [--existing 0 10000 100000]

A writer of its own process closes photographs of 256 x 256 pixels into the folder, as JPEG, PNG and BMP in turn, under
their final names. Measured is the time from the writer's close to the arrival, and the CPU time of this process.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import cv2
import numpy as np

from blemish.station.sources.folder import WatchedFolder
from blemish.station.sources.settings import FolderSource

_LINKS = 30_000  # to one file; ext4 allows 65,000

_WRITER = """
import sys, time
from pathlib import Path
folder, rate, seconds, *files = sys.argv[1:]
contents = [(Path(one).suffix, Path(one).read_bytes()) for one in files]
start = time.monotonic()
number = 0
while (due := start + number / float(rate)) < start + float(seconds):
    time.sleep(max(0.0, due - time.monotonic()))
    suffix, content = contents[number % len(contents)]
    name = f"new-{number:06d}{suffix}"
    with open(f"{folder}/{name}", "wb") as stream:
        stream.write(content)
    print(name, time.monotonic(), flush=True)
    number += 1
"""


def written(folder: Path) -> list[Path]:
    """The photographs that are written, one of each format."""
    coarse = np.random.default_rng(0).integers(0, 255, (16, 16, 3), np.uint8)
    picture = cv2.resize(coarse, (256, 256), interpolation=cv2.INTER_CUBIC)
    files = [folder / f"part{suffix}" for suffix in (".jpg", ".png", ".bmp")]
    for file in files:
        cv2.imwrite(str(file), picture)
    return files


def measure(existing: int, rate: float, seconds: float) -> dict[str, float]:
    """Milliseconds from close to arrival by format, and the share of a core, with so many photographs in the folder."""
    with tempfile.TemporaryDirectory() as temporary:
        folder, files = Path(temporary) / "in", written(Path(temporary))
        folder.mkdir()
        for number in range(existing):
            if number % _LINKS == 0:
                base = folder / f"old-{number}.png"
                base.write_bytes(files[1].read_bytes())
            else:
                os.link(base, folder / f"old-{number}.png")
        source = WatchedFolder(FolderSource(name="line", path=folder, existing=False))
        stop, came = threading.Event(), {}

        def take() -> None:
            for arrival in source.arrivals(stop, lambda key: False):
                came[arrival.photograph.file_name] = time.monotonic()

        taker = threading.Thread(target=take)
        taker.start()
        while not source.state().connected:
            time.sleep(0.05)
        time.sleep(3.0)
        cpu, began = time.process_time(), time.monotonic()
        command = [sys.executable, "-c", _WRITER, str(folder), str(rate), str(seconds), *map(str, files)]
        said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        share = (time.process_time() - cpu) / (time.monotonic() - began)
        closed = {name: float(at) for name, at in (line.split() for line in said.splitlines())}
        end = time.monotonic() + 10
        while len(came) < len(closed) and time.monotonic() < end:
            time.sleep(0.05)
        stop.set()
        taker.join()
    figures = {"lost": float(len(closed.keys() - came.keys())), "share": share}
    for suffix in (".jpg", ".png", ".bmp"):
        late = [
            1e3 * (came[name] - at) for name, at in closed.items() if name.endswith(suffix) and name in came
        ]
        figures[f"{suffix} median"], figures[f"{suffix} p99"] = np.quantile(late, (0.5, 0.99)).tolist()
    return figures


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--rate", type=float, default=10)
    parser.add_argument("--existing", type=int, nargs="+", default=[0, 10_000, 100_000])
    given = parser.parse_args()
    print("existing  lost  core   jpg: median p99   png: median p99   bmp: median p99 (ms)")
    for existing in given.existing:
        one = measure(existing, given.rate, given.seconds)
        late = "  ".join(
            f"{one[f'{suffix} median']:12.0f} {one[f'{suffix} p99']:4.0f}"
            for suffix in (".jpg", ".png", ".bmp")
        )
        print(f"{existing:8d}  {one['lost']:4.0f}  {one['share']:4.0%} {late}", flush=True)


if __name__ == "__main__":
    main()
