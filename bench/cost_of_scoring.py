"""What the memory bank costs beside its bare backbone: one photograph after the other through both, in turns.

    python bench/cost_of_scoring.py INSPECTOR... [--turns 120]

Each row is an inspector: the median milliseconds of its backbone alone up to the same taps, and of its whole network,
which scores too, and the median of their ratios turn by turn, so that what else the machine does disturbs both alike.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from measuring.pages import table

from blemish.core.network import CompiledNetwork
from blemish.features.backbones import load_backbone
from blemish.features.onnx_export import to_onnx
from blemish.line.artifact import read_artifact

HEADER = ("inspector", "input", "bare backbone, ms", "with scoring, ms", "ratio")


def milliseconds(run: Callable[[np.ndarray], object], photograph: np.ndarray) -> float:
    """What one run takes."""
    started = time.perf_counter()
    run(photograph)
    return 1000 * (time.perf_counter() - started)


def row(path: Path, turns: int) -> tuple[str, ...]:
    """The two networks of one inspector, in turns."""
    artifact = read_artifact(path)
    whole = CompiledNetwork(artifact.content("model.onnx"), outputs=("score", "map"))
    parameters = artifact.manifest.detector.parameters
    backbone = load_backbone(str(parameters["backbone"]), parameters["taps"])
    photograph = torch.rand(whole.input_shape) * 2 - 1
    bare = CompiledNetwork(to_onnx(backbone, photograph, [f"tap{tap}" for tap in parameters["taps"]]))
    for network in (bare, whole):
        network(photograph.numpy())
    pairs = [
        (milliseconds(bare, photograph.numpy()), milliseconds(whole, photograph.numpy()))
        for _ in range(turns)
    ]
    ratio = statistics.median(scoring / alone for alone, scoring in pairs)
    alone, scoring = (statistics.median(times) for times in zip(*pairs, strict=True))
    height, width = whole.input_shape[2:]
    return path.stem, f"{height} x {width}", f"{alone:.1f}", f"{scoring:.1f}", f"{ratio:.2f}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a row for each inspector."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("inspectors", nargs="+", type=Path, metavar="INSPECTOR")
    parser.add_argument("--turns", type=int, default=120)
    options = parser.parse_args(arguments)
    print(table(HEADER, [row(path, options.turns) for path in options.inspectors]))


if __name__ == "__main__":
    main()
