"""What precisions are worth on this processor: `blemish bench` on real sets, and what its choice does to their tests.

    python bench/precisions.py [--data FOLDER] [--sets metal_plate,screw,magnetic_tile] [--write]

About twelve minutes on two idle cores. From three quarters of the good training photographs an inspector is fitted with
all defaults; the precision is chosen on the other quarter, and on defects painted into it. The test photographs choose
nothing: the last columns say what each precision makes of at most 60 of them.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from measuring.command import run_blemish
from measuring.pages import ROOT, origin, table, write_block
from sklearn.metrics import roc_auc_score

from blemish.core.devices import available_precisions, processor_name
from blemish.core.execution import PRECISIONS, Execution
from blemish.core.images import list_images
from blemish.line.artifact import MODEL, read_artifact
from blemish.line.precision_choice import INT8_MODEL
from blemish.line.precision_evidence import Compared, compare_precisions, network_inputs
from blemish.line.runtime import Inspector
from blemish.making.quantisation import quantised
from blemish.workflows.bench import painted_beside

PERFORMANCE = ROOT / "docs" / "performance.md"
REAL_DATA = os.environ.get("BLEMISH_REAL_DATA") or ROOT.parent / "shared" / "data"
SETS = ("metal_plate", "screw", "magnetic_tile")
MOST = 60
HEADER = (
    "set, precision", "network, CPU ms", "times as fast", "size, MB", "other verdicts on held out and painted",
    "rank correlation (bar)", "largest error of a score", "kept", "other verdicts on tests", "AUROC on tests",
)  # fmt: skip


def spread(paths: list[Path], most: int) -> list[Path]:
    """At most so many of them, spread over all."""
    return paths[:: max(1, -(-len(paths) // most))]


def fitted(data: Path, work: Path) -> tuple[Path, list[Path]]:
    """An inspector of three quarters of the good training photographs, and the other quarter."""
    good = list_images(data / "train" / "good")
    held = good[::4]
    folder = work / data.name / "train" / "good"
    folder.mkdir(parents=True)
    for path in good:
        if path not in held:
            shutil.copy(path, folder)
    out = work / f"{data.name}.blemish"
    run_blemish("fit", work / data.name, "--out", out, "--json", cache=work / "cache")
    return out, held


def on_tests(inspectors: dict[str, Inspector], data: Path) -> dict[str, tuple[int, int, float]]:
    """Of each precision: photographs with another verdict than in float32, of how many, and AUROC."""
    paths = list_images(data / "test")
    good = spread([path for path in paths if path.parent.name == "good"], MOST // 2)
    bad = spread([path for path in paths if path.parent.name != "good"], MOST // 2)
    truth = [0] * len(good) + [1] * len(bad)
    said = {name: [one.inspect(path) for path in (*good, *bad)] for name, one in inspectors.items()}
    exact = [one.verdict for one in said["f32"]]
    return {
        name: (
            sum(one.verdict != other for one, other in zip(found, exact, strict=True)),
            len(truth),
            float(roc_auc_score(truth, [one.score for one in found])),
        )
        for name, found in said.items()
    }


def measured(data: Path, work: Path) -> tuple[list[list[str]], Compared]:
    """Table rows of one set, and what was compared."""
    path, held = fitted(data, work)
    artifact = read_artifact(path)
    plain = Inspector(artifact)
    inputs = network_inputs(plain, spread(held[1::2], MOST))
    eight = quantised(artifact.content(MODEL), inputs, len(artifact.manifest.detector.outputs))
    artifact = replace(artifact, members={**artifact.members, INT8_MODEL: eight})
    able = [name for name in PRECISIONS if name in available_precisions("cpu")]
    inspectors = {name: Inspector(artifact, Execution(precision=name)) for name in able}
    good = spread(held[::2], MOST)
    compared = compare_precisions(
        inspectors, good, painted_beside(plain, good, work / f"{data.name}-painted")
    )
    tests = on_tests(inspectors, data)
    rows = []
    for one in compared.rows:
        other, of, auroc = tests[one.precision]
        content = artifact.content(INT8_MODEL if one.precision == "int8" else MODEL)
        rows.append(
            [
                f"{data.name}, {one.precision}",
                f"{one.milliseconds:.1f}",
                f"{one.speed_up:.2f}",
                f"{len(content) / 1e6:.1f}",
                f"{one.other_verdicts} of {compared.n_good + compared.n_painted}",
                f"{one.rank_correlation:.4f} ({compared.rank_bar:.4f})",
                f"{one.max_relative_error:.1%}",
                "yes" if one.precision == compared.best.precision else "no",
                f"{other} of {of}",
                f"{auroc:.3f}",
            ]
        )
    return rows, compared


def main() -> None:
    """Measure, print, and with --write put the table into the page."""
    parser = argparse.ArgumentParser(description="What precisions are worth, as a Markdown table.")
    parser.add_argument("--data", type=Path, default=Path(REAL_DATA))
    parser.add_argument("--sets", default=",".join(SETS))
    parser.add_argument("--write", action="store_true", help="write into docs/performance.md")
    options = parser.parse_args()
    rows: list[list[str]] = []
    faster: list[float] = []
    with tempfile.TemporaryDirectory() as work:
        for name in options.sets.split(","):
            found, compared = measured(options.data / name, Path(work))
            rows += found
            faster += [one.speed_up for one in compared.rows if one.precision == "int8"]
    lacking = [name for name in PRECISIONS if name not in available_precisions("cpu")]
    said = f"{processor_name('cpu')} computes in no {' and no '.join(lacking)}." if lacking else ""
    kept = sum(row[7] == "yes" and not row[0].endswith("f32") for row in rows)
    summary = (
        f"8 bits are {np.median(faster):.2f} times as fast; of {len(faster)} sets "
        f"{kept or 'none'} keep{'s' if kept < 2 else ''} another precision than float32. {said}"
    )
    text = f"{table(HEADER, rows)}\n\n{summary}\n\n{origin()}"
    print(text)
    if options.write:
        write_block(PERFORMANCE, "precisions", text)


if __name__ == "__main__":
    main()
