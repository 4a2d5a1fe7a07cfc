"""What copies in another light are worth when the light changes, without a single test image.

    python bench/light.py ../shared/data/screw ../shared/data/magnetic_tile [--try augment=none --try augment=light]

Of at most `--most` good training photographs a third is held out; into each of these a defect is painted. A detector
learns from the others with each setting that is tried, and scores both as they are and at other factors of brightness.
"over 95 %" is the share of good photographs above the point under which 95 % of them lie as they are: 5 % where light
does nothing. "found" is the share of painted defects above the highest good photograph of all lights: what a threshold
finds that no photograph held out reaches in any light.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from measuring.pages import origin, table

from blemish.core.folds import held_out_positions
from blemish.core.images import read_image
from blemish.data.categories import open_category
from blemish.data.entries import NORMAL, TRAIN
from blemish.data.painted_images import painted_images
from blemish.detectors.base import Detector
from blemish.detectors.registry import DEFAULT_DETECTOR, create_detector
from blemish.evaluation.disturbances import DISTURBANCES
from blemish.evaluation.metrics import image_auroc
from blemish.workflows.fields import parsed_setting

SHARE, SEED = 1 / 3, 11
FACTORS = (1.0, 0.85, 1.15)

Scores = npt.NDArray[np.float64]


def scores(detector: Detector, paths: Sequence[Path], factor: float) -> Scores:
    """Of photographs at a factor of brightness."""
    change = DISTURBANCES["brightness"]
    return np.array([detector.predict(change(read_image(path), factor)).score for path in paths])


def auroc(good: Scores, painted: Scores) -> float:
    """How well the two are told apart."""
    labels = np.repeat([False, True], [len(good), len(painted)])
    return image_auroc(labels, np.concatenate([good, painted]))


def row(detector: Detector, good: Sequence[Path], painted: Sequence[Path]) -> list[str]:
    """AUROC as they are and over all lights, shares over the 95 % point at every factor, and defects found."""
    of_good = [scores(detector, good, factor) for factor in FACTORS]
    of_painted = [scores(detector, painted, factor) for factor in FACTORS]
    point = np.quantile(of_good[0], 0.95, method="higher")
    everywhere = np.concatenate(of_good), np.concatenate(of_painted)
    return [
        f"{auroc(of_good[0], of_painted[0]):.3f}",
        f"{auroc(*everywhere):.3f}",
        *(f"{np.mean(one > point):.0%}" for one in of_good),
        f"{np.mean(of_painted[0] > everywhere[0].max()):.0%}",
    ]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", nargs="+", type=Path, help="folders of one category each")
    parser.add_argument("--detector", default=DEFAULT_DETECTOR)
    parser.add_argument(
        "--try", dest="tried", action="append", metavar="NAME=VALUE", help="a setting; repeat for more"
    )
    parser.add_argument("--most", type=int, default=180, help="good photographs of each category")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a parameter")
    options = parser.parse_args()
    parameters, tried = (
        dict(map(parsed_setting, options.set)),
        options.tried or ["augment=none", "augment=light"],
    )
    rows = []
    for folder in options.data:
        catalog = open_category(folder, None)
        good = np.flatnonzero(
            ((catalog.table["split"] == TRAIN) & (catalog.table["label"] == NORMAL)).to_numpy()
        )
        drawn = np.random.default_rng(SEED).permutation(good)[: options.most]
        held_out = drawn[held_out_positions(len(drawn), SHARE, SEED)]
        paths = [Path(path) for path in catalog.table["path"].iloc[held_out]]
        learnt = catalog.subset(np.setdiff1d(drawn, held_out))
        with tempfile.TemporaryDirectory() as made:
            painted = [one.path for one in painted_images(paths, Path(made) / "painted", seed=SEED)]
            for setting in tried:
                started = time.perf_counter()
                named = parameters | dict([parsed_setting(setting)])
                detector = create_detector(options.detector, **named).fit(learnt)
                seconds = f"{time.perf_counter() - started:.0f}"
                rows.append((folder.name, f"`{setting}`", *row(detector, paths, painted), seconds))
                print(*rows[-1], sep="  ", flush=True)
    names = [f"over 95 % at {factor:g}" for factor in FACTORS]
    header = ("category", "setting", "AUROC", "AUROC in all lights", *names, "found", "seconds to fit")
    print(f"{table(header, rows)}\n\n{origin()}")


if __name__ == "__main__":
    main()
