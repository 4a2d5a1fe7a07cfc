"""What holds when the light changes: copies in another light, or levelled photographs; without a single test image.

    python bench/light.py ../shared/data/magnetic_tile --try augment=none --try augment=light --try gain=range

Of at most `--most` good training photographs a third is held out; into each of these a defect is painted. A detector
learns from the others with each setting that is tried, and scores both as they are and at other factors of brightness.
`gain=median` is no parameter: every photograph is first brought to the median brightness of those learnt from;
`gain=range` does so only as far as it lies outside of their 2 to 98 % range.

"over 95 %" is the share of good photographs above the point under which 95 % of them lie as they are: 5 % where light
does nothing. "found" is the share of painted defects above the highest good photograph of all lights: what a threshold
finds that no photograph held out reaches in any light.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from measuring.pages import origin, table

from blemish.core.folds import held_out_positions
from blemish.core.images import read_image
from blemish.core.types import ByteArray
from blemish.data.catalog import open_catalog
from blemish.data.categories import open_category
from blemish.data.defect_files import write_image
from blemish.data.painted_images import painted_images
from blemish.detectors.base import Detector
from blemish.detectors.registry import DEFAULT_DETECTOR, create_detector
from blemish.evaluation.disturbances import in_other_brightness
from blemish.evaluation.metrics import image_auroc
from blemish.workflows.fields import parsed_setting

SHARE, SEED = 1 / 3, 11
FACTORS = (1.0, 0.85, 1.15)
RANGE = (0.02, 0.98)

Scores = npt.NDArray[np.float64]
Levelled = Callable[[ByteArray], ByteArray]


def levelling(kind: str, learnt: Sequence[ByteArray]) -> Levelled:
    """What brings a photograph to the brightness of those learnt from: to its "median", into its "range", or "none"."""
    means = [image.mean() for image in learnt]
    low, high = np.quantile(means, {"median": (0.5, 0.5), "range": RANGE, "none": (0, 1)}[kind])

    def levelled(image: ByteArray) -> ByteArray:
        mean = max(float(image.mean()), 1.0)
        return in_other_brightness(image, float(np.clip(mean, low, high)) / mean)

    return (lambda image: image) if kind == "none" else levelled


def fitted(name: str, parameters: dict[str, object], learnt: Sequence[ByteArray], folder: Path) -> Detector:
    """A detector that has learnt from these photographs."""
    for number, image in enumerate(learnt):
        write_image(folder / "train" / "good" / f"{number:04d}.png", image)
    return create_detector(name, **parameters).fit(open_catalog(folder))


def auroc(good: Scores, painted: Scores) -> float:
    """How well the two are told apart."""
    labels = np.repeat([False, True], [len(good), len(painted)])
    return image_auroc(labels, np.concatenate([good, painted]))


def row(
    detector: Detector, levelled: Levelled, good: Sequence[ByteArray], painted: Sequence[ByteArray]
) -> list[str]:
    """AUROC as they are and over all lights, shares over the 95 % point at every factor, and defects found."""
    of_good, of_painted = (
        [
            np.array([detector.predict(levelled(in_other_brightness(one, factor))).score for one in images])
            for factor in FACTORS
        ]
        for images in (good, painted)
    )
    point = np.quantile(of_good[0], 0.95, method="higher")
    everywhere = np.concatenate(of_good), np.concatenate(of_painted)
    return [
        f"{auroc(of_good[0], of_painted[0]):.3f}",
        f"{auroc(*everywhere):.3f}",
        *(f"{np.mean(one > point):.0%}" for one in of_good),
        f"{np.mean(of_painted[0] > everywhere[0].max()):.0%}",
    ]


def rows(folder: Path, options: argparse.Namespace) -> list[tuple[str, ...]]:
    """A row for each setting that is tried."""
    paths = open_category(folder, None).train_normal()
    drawn = np.random.default_rng(SEED).permutation(len(paths))[: options.most]
    held_out = drawn[held_out_positions(len(drawn), SHARE, SEED)]
    learnt = [read_image(paths[place]) for place in np.setdiff1d(drawn, held_out)]
    good_paths = [paths[place] for place in held_out]
    good, made = [read_image(path) for path in good_paths], []
    with tempfile.TemporaryDirectory() as painting:
        painted = [
            read_image(one.path) for one in painted_images(good_paths, Path(painting) / "painted", seed=SEED)
        ]
    for setting in options.tried or ["augment=none", "augment=light"]:
        name, value = parsed_setting(setting)
        levelled = levelling(value if name == "gain" else "none", learnt)
        parameters = dict(map(parsed_setting, options.set)) | ({} if name == "gain" else {name: value})
        started = time.perf_counter()
        with tempfile.TemporaryDirectory() as place:
            detector = fitted(options.detector, parameters, [levelled(one) for one in learnt], Path(place))
            seconds = f"{time.perf_counter() - started:.0f}"
            made.append((folder.name, f"`{setting}`", *row(detector, levelled, good, painted), seconds))
        print(*made[-1], sep="  ", flush=True)
    return made


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", nargs="+", type=Path, help="folders of one category each")
    parser.add_argument("--detector", default=DEFAULT_DETECTOR)
    parser.add_argument("--try", dest="tried", action="append", metavar="NAME=VALUE", help="repeat for more")
    parser.add_argument("--most", type=int, default=180, help="good photographs of each category")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a parameter")
    options = parser.parse_args()
    names = [f"over 95 % at {factor:g}" for factor in FACTORS]
    header = ("category", "setting", "AUROC", "AUROC in all lights", *names, "found", "seconds to fit")
    print(f"{table(header, [row for folder in options.data for row in rows(folder, options)])}\n\n{origin()}")


if __name__ == "__main__":
    main()
