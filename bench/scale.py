"""Measure what the size of the network's input costs and brings on large photographs, and what reduced decoding does.

    python bench/scale.py PLATE [--sizes 448,896,1792] [--smallest-defect 14px] [--write]

PLATE is a category of `blemish sample OUT --large`. Each row is PatchCore at one size: milliseconds to decode, to look
(resize) and of network with scoring, for one photograph after the other, and the AUROC of the test photographs.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

import numpy as np
from measuring.pages import origin, table, write_block
from sklearn.metrics import roc_auc_score

from blemish.core.images import DEFAULT_LIMITS, read_content
from blemish.data.catalog import Catalog, open_catalog
from blemish.detectors.memory.patchcore import PatchCore
from blemish.detectors.timing import compiled
from blemish.line.rows import network_input, photograph_for
from blemish.view.preprocessing import Preprocessing
from blemish.view_planning.plan import PlannedView

PAGE = Path(__file__).resolve().parents[1] / "docs" / "view-scale.md"
HEADER = ["looked at as", "tiles", "decoded", "decode, ms", "look, ms", "network and scoring, ms", "AUROC"]
TIMED = 5
SETTINGS = {"context": 0}  # what is relative to similar photographs needs them in one piece


@dataclass(frozen=True)
class Judged:
    """Scores of the test photographs, in the order of the catalog, and milliseconds of each step by its name."""

    scores: np.ndarray
    milliseconds: dict[str, float]


def planned_views(detector: PatchCore, paths: Sequence[Path], sizes: Sequence[int]) -> list[PlannedView]:
    """The views of the sizes, and that of the smallest defect."""
    usual = [detector.clone().set_params(size=size, smallest_defect="").plan_view(paths) for size in sizes]
    return [*usual, detector.plan_view(paths)]


def decoded(planned: PlannedView, reduced: bool) -> PlannedView:
    """The same with or without reduced decoding."""
    assert planned.view is not None
    return replace(planned, view=planned.view.model_copy(update={"reduced": reduced}))


def judged(detector: PatchCore, catalog: Catalog) -> Judged:
    """Judge the test photographs as the line does."""
    run, contract = compiled(detector), detector.preprocessing()
    scores: list[float] = []
    steps: dict[str, list[float]] = {"decode": [], "look": [], "network": []}
    for path in tested(catalog):
        score, taken = one(run, contract, path)
        scores.append(score)
        for name, milliseconds in taken.items():
            steps[name].append(milliseconds)
    return Judged(np.array(scores), {name: median(values[1 : TIMED + 1]) for name, values in steps.items()})


def one(run: Callable[..., object], contract: Preprocessing, path: Path) -> tuple[float, dict[str, float]]:
    """The score of a photograph, and milliseconds of each step."""
    times = [time.perf_counter()]
    content = read_content(path, DEFAULT_LIMITS.max_bytes)
    photograph = photograph_for(contract, None, content, str(path))
    times.append(time.perf_counter())
    values = network_input(photograph.pixels, contract, None).values
    times.append(time.perf_counter())
    outputs = run(values)
    times.append(time.perf_counter())
    taken = dict(zip(("decode", "look", "network"), 1e3 * np.diff(times), strict=True))
    return float(np.asarray(outputs[0]).flat[0]), taken  # type: ignore[index]


def tested(catalog: Catalog) -> list[Path]:
    """The test photographs, in the order of the catalog."""
    return [Path(path) for path in catalog.table.loc[catalog.table["split"] == "test", "path"]]


def auroc(catalog: Catalog, scores: np.ndarray) -> float:
    """Image AUROC of scores of the test photographs."""
    labels = catalog.table.loc[catalog.table["split"] == "test", "label"] == "anomalous"
    return float(roc_auc_score(labels, scores))


def rows_of(detector: PatchCore, catalog: Catalog, planned: PlannedView) -> tuple[list[list[str]], str]:
    """A row for each way of decoding that differs, and what the other way of decoding does to the scores."""
    assert planned.view is not None
    rows, said, spread = [], "", 0.0
    scores: list[np.ndarray] = []
    good = (catalog.table.loc[catalog.table["split"] == "test", "label"] == "normal").to_numpy()
    for reduced in (True, False) if planned.view.reduced else (False,):
        view = decoded(planned, reduced)
        fitted = detector.clone().look_as(view).fit(catalog)
        found = judged(fitted, catalog)
        scores.append(found.scores)
        name = f"{view.width} x {view.height}"
        tiles = str(planned.view.tile) if planned.tiled else "one piece"
        times = [f"{found.milliseconds[step]:.0f}" for step in ("decode", "look", "network")]
        rows.append(
            [name, tiles, "reduced" if reduced else "whole", *times, f"{auroc(catalog, found.scores):.3f}"]
        )
        print(" | ".join(rows[-1]), flush=True)
        if reduced:  # the same inspector, shown all pixels
            other = detector.clone().look_as(decoded(planned, False)).preprocessing()
            run = compiled(fitted)
            whole = np.array([one(run, other, path)[0] for path in tested(catalog)])
            spread = float(np.std(found.scores[good]))
            apart = np.abs(whole - found.scores)[good]
            said = (
                f"At {name} one inspector's scores of good photographs differ between both ways of decoding by "
                f"{apart.mean() / spread:.2f} of their spread on average, {apart.max() / spread:.2f} at most."
            )
            print(said, flush=True)
    return rows, said


def main() -> None:
    """Measure, print, and write where that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("plate", type=Path)
    parser.add_argument("--sizes", default="448,896,1792")
    parser.add_argument("--smallest-defect", default="14px")
    parser.add_argument("--write", action="store_true", help="into docs/view-scale.md")
    given = parser.parse_args()
    catalog = open_catalog(given.plate)
    detector = PatchCore(smallest_defect=given.smallest_defect, **SETTINGS)
    sizes = [int(size) for size in given.sizes.split(",") if size]
    rows, sentences = [], []
    for planned in planned_views(detector, catalog.train_normal(), sizes):
        found, said = rows_of(detector, catalog, planned)
        rows += found
        sentences += [said] if said else []
    block = table(HEADER, rows) + "\n" + "".join(f"\n{said}\n" for said in sentences) + "\n" + origin()
    print(block)
    if given.write:
        write_block(PAGE, "scale", block)


if __name__ == "__main__":
    main()
