"""Defects made of few known ones against painted ones: which foretell better what settings reach on real defects.

    python bench/generated_defects.py [--sets screw] [--seeds 0,1] [--keep FOLDER] [--sheet FOLDER] [--write]

Eight defective test photographs with masks are taken for known. Good training photographs that are not learnt from are
scored as they are and with a defect in them: painted (`blemish.data.patch_defects`), copied from the known ones, or
drawn by a small network trained on them. Each kind gives an AUROC for every
setting of a grid, and so do the real test photographs but the known. The figure is Spearman's rank correlation between
the two, and beside it what is lost on real defects by the setting that the kind would choose.

Said before it was measured: a kind is kept if its mean correlation over sets and seeds is above that of the better kind
of painted defects by .1 at least, and below it by no more than .1 on any set.

With --keep what was measured before is not measured again; with --sheet what was made is shown in a picture a set.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch
from measuring.known_defects import copied, drawn, known_defects
from measuring.pages import ROOT, origin, table, write_block
from scipy.stats import spearmanr

from blemish.core.errors import BlemishError
from blemish.core.images import read_image
from blemish.core.storage import write_json
from blemish.core.types import BoolArray, ByteArray
from blemish.data.catalog import Catalog, open_catalog
from blemish.data.defect_files import write_image
from blemish.data.painted_images import paint
from blemish.data.patch_defects import PAINTERS
from blemish.detectors.frozen import batch_of_one
from blemish.detectors.memory.patchcore import PatchCore
from blemish.detectors.memory.patchcore_network import PatchCoreHead
from blemish.evaluation.metrics import image_auroc
from blemish.view.foreground import estimate_foreground

REAL_DATA = Path(os.environ.get("BLEMISH_REAL_DATA") or ROOT.parent / "shared" / "data")
PAGE = ROOT / "docs" / "decisions" / "0031-generated-defects.md"
SIZES, TAPS, TOPS = (192, 256, 352), ((8, 16), (16,)), (0.0, 0.03)
KNOWN, LEARNT, HELD_OUT, REAL = 8, 100, 50, 100
KINDS = ("painted", "painted on the part", "copied", "drawn")
"""The first is what validation splits do; all but it keep to the part where that is told from its ground."""

Paint = Callable[[ByteArray, np.random.Generator], ByteArray]


def painters(known: Sequence[Path], masks: Sequence[Path], seed: int) -> dict[str, Paint]:
    """What puts a defect into a photograph, by kind."""
    examples = known_defects(known, masks)
    copying, drawing = copied(examples), drawn(examples, seed)

    def painted(image: ByteArray, rng: np.random.Generator, foreground: BoolArray | None) -> ByteArray:
        names = list(PAINTERS)
        for place in rng.permutation(len(names)):
            try:
                return paint(names[place], image, foreground, rng)[0]
            except BlemishError:  # it cannot be seen here
                continue
        return image

    return {
        "painted": lambda image, rng: painted(image, rng, None),
        "painted on the part": lambda image, rng: painted(image, rng, estimate_foreground(image)),
        "copied": lambda image, rng: copying(image, estimate_foreground(image), rng)[0],
        "drawn": lambda image, rng: drawing(image, estimate_foreground(image), rng)[0],
    }


def parts(catalog: Catalog, seed: int) -> dict[str, list[Path]]:
    """Photographs by what they are for; known defects take turns among the types, each with a mask."""
    rng = np.random.default_rng(seed)
    good = [catalog.train_normal()[i] for i in rng.permutation(len(catalog.train_normal()))]
    held_out = min(HELD_OUT, len(good) // 2)
    test = catalog.test()
    masked = test[(test["label"] == "anomalous") & test["mask"].notna()]
    order = masked.iloc[rng.permutation(len(masked))]
    turns = order.groupby("defect_type").cumcount()
    known = order.iloc[np.argsort(turns.to_numpy(), kind="stable")[:KNOWN]]
    others = test[~test["path"].isin(known["path"])]
    found = {
        "learnt": good[held_out:][:LEARNT],
        "held out": good[:held_out],
        "known": [Path(path) for path in known["path"]],
        "masks": [Path(path) for path in known["mask"]],
    }
    for name, label in (("real good", "normal"), ("real defects", "anomalous")):
        paths = others.loc[others["label"] == label, "path"].tolist()
        # The same for every seed, but for the known ones: they are read once.
        chosen = np.random.default_rng(0).permutation(len(paths))[:REAL]
        found[name] = [Path(paths[i]) for i in sorted(chosen)]
    return found


def made(sources: Sequence[Path], brush: Paint, folder: Path, seed: int) -> list[Path]:
    """Photographs with a defect in each, as files."""
    paths = []
    for number, source in enumerate(sources):
        image = brush(read_image(source), np.random.default_rng([seed, number]))
        paths.append(folder / f"{number:03d}-{source.stem}.png")
        write_image(paths[-1], image)
    return paths


def aurocs(found: dict[str, list[Path]]) -> dict[str, list[float]]:
    """AUROC of every setting, in one order, on each kind of defects and on the real ones."""
    against = dict.fromkeys(KINDS, "held out") | {"real defects": "real good"}
    reached: dict[str, list[float]] = {kind: [] for kind in against}
    for size, taps in itertools.product(SIZES, TAPS):
        detector = PatchCore(size=size, taps=taps, coreset_size=1000, pool=50_000, context=0)
        pool = detector._pool_of(found["learnt"])
        head = detector._head(detector._recipe(pool).of(pool), pool.grid)
        sorted_ones = {kind: distances(detector, head, found[kind]) for kind in {*against, *against.values()}}
        for top, (kind, good) in itertools.product(TOPS, against.items()):
            scores = [
                [float(one[: max(1, round(top * len(one)))].mean()) for one in sorted_ones[which]]
                for which in (good, kind)
            ]
            labels = np.repeat([False, True], [len(one) for one in scores])
            reached[kind].append(image_auroc(labels, np.concatenate(scores)))
    return reached


def distances(
    detector: PatchCore, head: PatchCoreHead, paths: Sequence[Path]
) -> list[npt.NDArray[np.float32]]:
    """Patch distances of photographs, the highest first."""
    with torch.inference_mode():
        return [
            np.sort(head.to_bank(head.embedding(batch_of_one(maps))).numpy().ravel())[::-1]
            for maps in detector.extractor().stream(paths)
        ]


def measure(root: Path, seed: int, sheet: Path | None) -> dict[str, Any]:
    """AUROC of every setting by kind, for one draw of known defects and of photographs."""
    found = parts(open_catalog(root), seed)
    with tempfile.TemporaryDirectory() as folder:
        for kind, brush in painters(found["known"], found["masks"], seed).items():
            (Path(folder) / kind).mkdir()
            found[kind] = made(found["held out"], brush, Path(folder) / kind, seed)
        if sheet is not None:
            show(found, sheet / f"{root.name}-{seed}.png")
        return aurocs(found)


def show(found: dict[str, list[Path]], path: Path) -> None:
    """A row of known defects, and one of each kind that was made, beside its source."""
    rows = [found["known"], found["held out"], *(found[kind] for kind in KINDS)]
    tiles = [[cv2.resize(read_image(one), (256, 256)) for one in row[:8]] for row in rows]
    path.parent.mkdir(parents=True, exist_ok=True)
    write_image(path, np.vstack([np.hstack(row) for row in tiles]))


def figures(reached: dict[str, list[float]], kind: str) -> tuple[float, float]:
    """Rank correlation with the real defects, and what the kind's choice loses on them."""
    real = np.array(reached["real defects"])
    made_up: BoolArray = np.array(reached[kind]) == max(reached[kind])
    # Of settings that are equal on what was made any may be chosen.
    return float(spearmanr(reached[kind], real).statistic), float(real.max() - real[made_up].mean())


def main() -> None:
    """Measure, print, and with --write put the table onto the page of the decision."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sets", default="metal_plate,screw,magnetic_tile")
    parser.add_argument("--seeds", default="0,1")
    parser.add_argument("--keep", type=Path, help="folder of what was measured before")
    parser.add_argument("--sheet", type=Path, help="folder for pictures of what was made")
    parser.add_argument("--write", action="store_true", help="write onto the page of the decision")
    options = parser.parse_args()
    seeds = [int(seed) for seed in options.seeds.split(",")]
    rows = []
    for name in options.sets.split(","):
        runs = []
        for seed in seeds:
            kept = options.keep and options.keep / f"{name}-{seed}.json"
            if kept and kept.exists():
                runs.append(json.loads(kept.read_text("utf-8")))
                continue
            runs.append(measure(REAL_DATA / name, seed, options.sheet))
            if kept:
                write_json(kept, runs[-1])
        for kind in (*KINDS, "real defects"):
            reached = np.array([run[kind] for run in runs])
            cells = [name, kind, f"{reached.mean():.3f} ({reached.min():.3f} to {reached.max():.3f})"]
            if kind in KINDS:
                correlations, losses = zip(*(figures(run, kind) for run in runs), strict=True)
                each = ", ".join(f"{one:.2f}" for one in correlations)
                cells += [f"{np.mean(correlations):.2f} ({each})", f"{np.mean(losses):.3f}"]
            rows.append([*cells, "-", "-"][:5])
            print(*rows[-1], sep="  ", flush=True)
    header = ("set", "defects", "AUROC of the settings", "rank correlation (each seed)", "loss of the choice")
    shown = f"{table(header, rows)}\n\n{origin()}"
    print(shown)
    if options.write:
        write_block(PAGE, "generated defects", shown)


if __name__ == "__main__":
    main()
