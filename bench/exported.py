"""How long an exported inspector takes in each format, beside each other: one photograph at a time, one thread.

    python bench/exported.py --write        # four minutes: fits the default recipe on the sample line first
    python bench/exported.py part.blemish --write

CPU seconds of the process, the formats in turns, so that what else the machine does falls on all of them alike.
"""

from __future__ import annotations

import os

os.environ |= {"OMP_NUM_THREADS": "1"}  # before torch is loaded

import argparse
import time
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from measuring.pages import ROOT, origin, table, write_block

import blemish as bl
from blemish.making.compiled_c import c_runner
from blemish.making.exported_check import Runner, openvino_runner, torchscript_runner
from blemish.workflows.export import ExportRequest, Format, export

PAGE = ROOT / "docs" / "export.md"
RUNNERS = {
    "openvino": partial(openvino_runner, threads=1),
    "torchscript": torchscript_runner,
    "c": c_runner,
}
SUFFIX = {"openvino": "xml", "torchscript": "pt", "c": "c"}
ROUNDS = 12


def fitted(folder: Path) -> Path:
    """The default recipe on 12 photographs of the sample line."""
    bl.write_sample_line(folder / "line", ("washer",), train=12, good=2, per_defect_type=1)
    bl.fit(folder / "line" / "washer", folder / "washer.blemish", copies="none")
    return folder / "washer.blemish"


def exported(inspector: Path, folder: Path) -> tuple[dict[str, Runner], dict[str, str], dict[str, int]]:
    """What runs the inspector in each format, by whom, and the bytes of its files."""
    runners, names, sizes = {}, {}, {}
    formats: tuple[Format, ...] = ("openvino", "torchscript", "c")
    for one in formats:
        out = folder / f"part.{SUFFIX[one]}"
        sizes[one] = export(ExportRequest(inspector=inspector, to=one, out=out)).bytes
        names[one], runners[one] = RUNNERS[one](out)
    return runners, names, sizes


def measured(runners: dict[str, Runner], photograph: np.ndarray) -> dict[str, float]:
    """CPU milliseconds of a photograph in each format, the least of several turns."""
    least = dict.fromkeys(runners, np.inf)
    for turn in range(ROUNDS + 1):
        for name, run in runners.items():
            before = time.process_time()
            run(photograph)
            if turn:  # the first warms up
                least[name] = min(least[name], 1000 * (time.process_time() - before))
    return least


def main() -> None:
    """Measure, print, and write where that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("inspector", type=Path, nargs="?")
    parser.add_argument("--write", action="store_true", help="put the figures into docs/export.md")
    arguments = parser.parse_args()
    with TemporaryDirectory() as name:
        folder = Path(name)
        inspector = arguments.inspector or fitted(folder)
        runners, names, sizes = exported(inspector, folder)
        side = bl.load(inspector).manifest.preprocessing.width
        photograph = np.random.default_rng(0).integers(0, 256, (512, 512, 3), np.uint8)
        times = measured(runners, photograph)
    rows = [
        [names[one], f"{sizes[one] / 1e6:.1f}", f"{times[one]:.0f}", f"{times[one] / times['openvino']:.1f}"]
        for one in runners
    ]
    text = table(["One photograph of 512 x 512, one thread", "MB", "CPU ms", "times OpenVINO"], rows)
    text += f"\n\nThe network reads {side} x {side} pixels. {origin()}"
    print(text)
    if arguments.write:
        write_block(PAGE, "exported", text)


if __name__ == "__main__":
    main()
