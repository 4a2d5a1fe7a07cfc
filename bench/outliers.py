"""How often fit tells an intruder among the good photographs, and how often it suspects a good one.

    python bench/outliers.py ../shared/data/metal_plate ../shared/data/screw [--sample washer,grass] [--write]

Of each category up to 58 good photographs are learnt from, by themselves and with one or two intruders among them:
a black frame, a photograph cut off half way, a mask, a blurred one, one with a painted defect. A row is a kind of
intruder: how often the score stood far out (`blemish.core.outliers`), of the fits in which it was the highest and so
moved the threshold. No labelled defect is looked at.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
from measuring.pages import ROOT, origin, table, write_block

from blemish.core.images import read_image
from blemish.core.outliers import far_out
from blemish.core.pictures import encoded
from blemish.data.catalog import open_catalog
from blemish.data.painted_images import painted_images
from blemish.data.sample_line import write_sample_line
from blemish.detectors.inputs import catalog_of
from blemish.detectors.registry import create_detector

PAGE = ROOT / "docs" / "decisions" / "0039-scores-far-out-of-the-good.md"
MOST, KEPT_BACK, SEED, SIZE = 64, 6, 11, 192
CLEAN = "none"
KINDS = ("black", "cut off", "mask", "blurred", "painted", "black and cut off", "two painted")


def intruders(good: Sequence[Path], folder: Path) -> dict[str, list[Path]]:
    """Files of what does not belong among good photographs, by kind."""
    first, second = read_image(good[0]), read_image(good[1])
    height, width = first.shape[:2]
    cut = first.copy()
    cut[height // 2 :] = 128
    mask = np.zeros_like(first)
    mask[height // 3 : height // 2, width // 3 : width // 2] = 255
    drawn = {
        "black": np.zeros_like(first),
        "cut off": cut,
        "mask": mask,
        "blurred": cv2.GaussianBlur(second, (0, 0), 6),
    }
    files = {}
    for name, pixels in drawn.items():
        files[name] = [folder / f"{name}.png"]
        files[name][0].write_bytes(encoded(pixels, ".png"))
    painted = [one.path for one in painted_images(good[2:], folder / "painted", seed=3)]
    files["painted"], files["two painted"] = painted[:1], painted[1:3]
    files["black and cut off"] = files["black"] + files["cut off"]
    return files


def scores(detector: str, paths: Sequence[Path]) -> np.ndarray:
    """Scores of photographs as if unseen, in their order."""
    found = np.zeros(len(paths))
    with catalog_of(list(paths)) as catalog:
        order = catalog.train_normal()
        fitted = create_detector(detector, size=SIZE).fit(catalog)
        for position, prediction in fitted.cross_predict(catalog, 4):
            found[paths.index(order[position])] = prediction.score
    return found


def outcomes(root: Path, detectors: Sequence[str], folder: Path) -> Iterator[tuple[str, list[bool]]]:
    """For each fit the kind of intruder, and of each intruder whether it was told; of none whether any good one was."""
    paths = [path.absolute() for path in open_catalog(root).train_normal()]
    drawn = [paths[i] for i in np.random.default_rng(1).permutation(len(paths))[:MOST]]
    files = intruders(drawn[-KEPT_BACK:], folder)
    for detector in detectors:
        for count in sorted({min(n, len(drawn) - KEPT_BACK) for n in (14, 26, MOST)}):
            good = drawn[:count]
            yield CLEAN, [bool(len(far_out(scores(detector, good))))]
            for kind in KINDS:
                found = scores(detector, [*good, *files[kind]])
                if found[count:].max() > found[:count].max():
                    told = set(far_out(found).tolist())
                    yield kind, [count + place in told for place in range(len(files[kind]))]


def main() -> None:
    """Measure, print, and with --write put the table onto the page of the decision."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", nargs="*", type=Path, help="folders of one category each")
    parser.add_argument("--sample", default="", help="categories of the sample line, with commas between")
    parser.add_argument("--detectors", default="patchcore,padim,knn")
    parser.add_argument("--write", action="store_true", help="write onto the page of the decision")
    options = parser.parse_args()
    told: dict[str, list[bool]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as work:
        names = options.sample.split(",") if options.sample else []
        line = write_sample_line(Path(work) / "line", names, train=MOST, good=1, per_defect_type=1, seed=SEED)
        for root in (*options.data, *(line if names else ())):
            folder = Path(work) / root.name
            folder.mkdir()
            for kind, found in outcomes(root, options.detectors.split(","), folder):
                told[kind] += found
            print(root.name, "done", flush=True)
    rows = [
        (kind, str(len(told[kind])), f"{np.mean(told[kind]):.2f}") for kind in (CLEAN, *KINDS) if told[kind]
    ]
    shown = f"{table(('intruder', 'scores', 'told'), rows)}\n\n{origin()}"
    print(shown)
    if options.write:
        write_block(PAGE, "outliers", shown)


if __name__ == "__main__":
    main()
