"""Measure what the size of the network's input costs and brings on large photographs, and what reduced decoding does.

    python bench/scale.py PLATE [--sizes 448,896,1792] [--smallest-defect 14px] [--write]
    python bench/scale.py PLATE --decoding [--write]

PLATE is a category of `blemish sample OUT --large`. Each row is PatchCore at one size: milliseconds to decode, to look
(resize) and of network with scoring, for one photograph after the other, and the AUROC of the test photographs.
`--decoding` times the two ways of decoding alone, turn by turn.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

import cv2
import numpy as np
from measuring.pages import origin, table, write_block
from sklearn.metrics import roc_auc_score

from blemish.core.images import DEFAULT_LIMITS, read_content, read_image, read_mask
from blemish.core.pictures import encoded
from blemish.data.catalog import Catalog, open_catalog
from blemish.detectors.memory.patchcore import PatchCore
from blemish.detectors.timing import compiled
from blemish.line.rows import network_input, photograph_for
from blemish.view.preprocessing import Preprocessing
from blemish.view_planning.plan import PlannedView

PAGE = Path(__file__).resolve().parents[1] / "docs" / "view-scale.md"
HEADER = ["looked at as", "tiles", "decoded", "decode, ms", "look, ms", "network and scoring, ms", "AUROC"]
TIMED = 5
TURNS = 4
SETTINGS = {"copies": "none"}  # of each photograph, so that sizes alone differ


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


def decoding(catalog: Catalog) -> str:
    """A table of milliseconds for each way of decoding and looking, turn by turn on the same photographs."""
    paths, rows = catalog.train_normal()[:TIMED], []
    for size in (256, 448, 896):
        planned = PatchCore(size=size).plan_view(paths)
        contract = PatchCore(size=size).look_as(planned).preprocessing()
        contracts = {
            reduced: contract.model_copy(update={"view": decoded(planned, reduced).view})
            for reduced in (True, False)
        }
        taken: dict[bool, list[float]] = {True: [], False: []}
        shape = ""
        for path in [path for path in paths for _ in range(TURNS)]:
            for reduced, contract in contracts.items():
                started = time.perf_counter()
                content = read_content(path, DEFAULT_LIMITS.max_bytes)
                photograph = photograph_for(contract, None, content, str(path))
                network_input(photograph.pixels, contract, None)
                taken[reduced].append(1e3 * (time.perf_counter() - started))
                shape = f"{photograph.pixels.shape[1]} x {photograph.pixels.shape[0]}" if reduced else shape
        few, all_ = (float(np.median(taken[reduced])) for reduced in (True, False))
        ratio = float(np.median(np.array(taken[True]) / np.array(taken[False])))
        rows.append(
            [f"{planned.width} x {planned.height}", shape, f"{all_:.0f}", f"{few:.0f}", f"{ratio:.2f}"]
        )
    return table(["looked at as", "decoded at", "whole, ms", "reduced, ms", "ratio, median of pairs"], rows)


def picture(catalog: Catalog, kind: str = "hole") -> np.ndarray:
    """The same defect as the input shows it at the usual size and as planned, uint8 H x W x 3 RGB, side by side."""
    row = catalog.table[catalog.table["defect_type"] == kind].iloc[0]
    mask, image = read_mask(row["mask"]), read_image(row["path"])
    y, x = (round(float(places.mean())) for places in np.nonzero(mask))
    reach, shown = 160, []
    for factor in (512 / 4000, 4576 / 4000):
        seen = cv2.resize(
            image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
        )
        top, left = (
            int(np.clip((place - reach) * factor, 0, side - 2 * reach * factor))
            for place, side in zip((y, x), seen.shape[:2], strict=True)
        )
        side = round(2 * reach * factor)
        crop = seen[top : top + side, left : left + side]
        shown.append(cv2.resize(crop, (480, 480), interpolation=cv2.INTER_NEAREST))
        shown.append(np.full((480, 12, 3), 255, np.uint8))
    whole = cv2.resize(image, (640, 480), interpolation=cv2.INTER_AREA)
    centre = (round(x * 640 / 4000), round(y * 480 / 3000))
    cv2.rectangle(whole, (centre[0] - 26, centre[1] - 26), (centre[0] + 26, centre[1] + 26), (218, 30, 40), 2)
    return np.concatenate([whole, shown[1], *shown[:3]], axis=1)


def main() -> None:
    """Measure, print, and write where that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("plate", type=Path)
    parser.add_argument("--sizes", default="448,896,1792")
    parser.add_argument("--smallest-defect", default="14px")
    parser.add_argument("--decoding", action="store_true")
    parser.add_argument(
        "--picture", type=Path, help="JPEG to draw what is seen of a defect into, and no more"
    )
    parser.add_argument("--write", action="store_true", help="into docs/view-scale.md")
    given = parser.parse_args()
    catalog = open_catalog(given.plate)
    if given.picture:
        given.picture.write_bytes(encoded(picture(catalog), ".jpg", 88))
        return
    if given.decoding:
        block = f"{decoding(catalog)}\n\n{origin()}"
        print(block)
        if given.write:
            write_block(PAGE, "decoding", block)
        return
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
