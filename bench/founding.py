"""The founding comparison from files of weights: categories by detectors, System Mean, the best in bold.

    python bench/founding.py --weights wide_resnet50_2=FILE --weights resnet50=FILE mvtec/

Without `--weights` it draws random ones with a seed into the folder `weights` of `--out`: then no figure means
anything, but all of it runs offline. Without data it draws two categories of the sample line; `--quick` is a small run.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

import timm
import torch
from safetensors.torch import save_file

from blemish.experiments.benchmark.table import COLUMNS, Table
from blemish.workflows.benchmark import BenchmarkRequest, benchmark
from blemish.workflows.fields import parsed_weights
from blemish.workflows.sample import SampleRequest, sample

DETECTORS = (
    *("patchcore:wide", "padim:wide", "student-teacher:wide"),
    *("knn:resnet50", "feature-autoencoder:resnet50", "ssim-autoencoder"),
)
NETWORKS = ("wide_resnet50_2", "resnet50")
SHOWN = ("image_auroc", "pixel_auroc")


def main() -> None:
    """Compare, and print a table for each of the two areas under the curve."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("data", nargs="*", type=Path, help="folders of categories")
    parser.add_argument("--weights", action="append", default=[], metavar="NAME=FILE")
    parser.add_argument("--out", type=Path, default=Path("founding"))
    parser.add_argument("--quick", action="store_true")
    given = parser.parse_args()
    weights = dict(map(parsed_weights, given.weights))
    if not weights:
        print("The weights are random: this shows that it runs offline, and no figure means anything.\n")
        weights = {name: _random(name, given.out / "weights") for name in NETWORKS}
    data = tuple(given.data) or (_sample(given.out / "line"),)
    found = benchmark(
        BenchmarkRequest(
            data=data, detectors=DETECTORS, out=given.out / "cells", weights=weights, quick=given.quick
        )
    )
    table = found.benchmark.table()
    for key in SHOWN:
        print(_markdown(table, key))
    for failed in found.benchmark.failed:
        print(f"{failed.cell.title}: {failed.error}")


def _markdown(table: Table, key: str) -> str:
    """One figure: a row a category and the means, a column a detector, the best of each row in bold."""
    place = [column.key for column in COLUMNS].index(key)
    column = COLUMNS[place]
    labels = [row.label for row in table.mean.rows]
    lines = [f"| {column.title} | {' | '.join(labels)} |", f"|---|{'---:|' * len(labels)}"]
    for block in table.shown:
        best = block.best()[place]
        cells = (column.shown(row.values[place]) for row in block.rows)
        shown = (f"**{cell}**" if number in best else cell for number, cell in enumerate(cells))
        lines.append(f"| {table.title(block)} | {' | '.join(shown)} |")
    return "\n".join(lines) + "\n"


def _random(name: str, folder: Path) -> Path:
    """A file of random weights of a network, the same every time."""
    file = folder / f"{name}.safetensors"
    if not file.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        torch.manual_seed(0)
        state: Mapping[str, torch.Tensor] = timm.create_model(name, pretrained=False).state_dict()
        save_file({key: value.contiguous() for key, value in state.items()}, file)
    return file


def _sample(folder: Path, categories: tuple[str, ...] = ("washer", "grass")) -> Path:
    """Some categories of the sample line."""
    if not folder.is_dir():
        sample(SampleRequest(out=folder, categories=categories))
    return folder


if __name__ == "__main__":
    main()
