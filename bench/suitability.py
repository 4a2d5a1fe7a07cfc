"""Measure what is not judged: other parts, spoilt photographs, and what must be judged all the same.

    python bench/suitability.py INSPECTOR=SET [INSPECTOR=SET ...] [--held-out 20] [--spoilt 20]

An inspector is a file that `blemish fit SET` has written, a set a folder in the MVTec AD layout. Limits are chosen by
training photographs alone: first they are learnt from a random half of these and asked of the other, so many times.
Then each inspector is shown its own test photographs, the good ones of the others, and its own good ones spoilt.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
from measuring.pages import table

from blemish.core.images import DecodedPhotograph, read_image
from blemish.core.types import ByteArray, FloatArray, Verdict
from blemish.data.catalog import Catalog, open_catalog
from blemish.line.inspection import Inspection
from blemish.line.photograph_measures import measures_of
from blemish.line.runtime import Inspector
from blemish.making.suitability import RATE, learn_suitability
from blemish.view.foreground import ground_of

_TIMED = 30


def half(image: ByteArray) -> ByteArray:
    """Half as bright."""
    return np.asarray(image * 0.5, np.uint8)


def blurred(image: ByteArray) -> ByteArray:
    """Far out of focus: a Gaussian of 3 % of the longer side."""
    return np.asarray(cv2.GaussianBlur(image, (0, 0), 0.03 * max(image.shape)), np.uint8)


def ground(image: ByteArray) -> ByteArray:
    """The ground alone, with a little noise: nothing lies there."""
    noise = np.random.default_rng(0).normal(0, 2, image.shape)
    return np.asarray(np.clip(np.array(ground_of(image).colour) + noise, 0, 255), np.uint8)


def noise(image: ByteArray) -> ByteArray:
    """Nothing but noise."""
    return np.random.default_rng(0).integers(0, 256, image.shape, np.uint8)


SPOILT: dict[str, Callable[[ByteArray], ByteArray]] = {
    "brightness -50 %": half,
    "blurred": blurred,
    "upside down": lambda image: np.ascontiguousarray(image[::-1, ::-1]),
    "black": np.zeros_like,
    "white": lambda image: np.full_like(image, 255),
    "noise": noise,
    "ground alone": ground,
}


def good(catalog: Catalog, split: str) -> list[Path]:
    """Good photographs of a split."""
    rows = catalog.table[(catalog.table["split"] == split) & (catalog.table["label"] == "normal")]
    return [Path(path) for path in rows["path"]]


def measures(inspector: Inspector, paths: Sequence[Path]) -> FloatArray:
    """Measures of photographs as the inspector looks at them."""
    found = []
    for path in paths:
        photograph = inspector.open_photograph(path.read_bytes(), str(path))
        look = getattr(inspector.input_of(photograph.pixels), "look", None)
        picture, counted = (photograph.pixels, None) if look is None else (look.picture, look.counted)
        found.append(measures_of(picture, counted, photograph.width, photograph.height))
    return np.stack(found)


def held_out(inspector: Inspector, paths: Sequence[Path], times: int) -> list[str]:
    """A row: how many training photographs are outside of limits learnt from a random half without them."""
    known, rng, outside, asked = measures(inspector, paths), np.random.default_rng(0), 0, 0
    most = 0.0
    for _ in range(times):
        order = rng.permutation(len(known))
        learnt = learn_suitability(known[order[: len(order) // 2]])
        assert learnt is not None
        rest = known[order[len(order) // 2 :]]
        told = [learnt.record.reason(one, learnt.known) is not None for one in rest]
        outside, asked, most = outside + sum(told), asked + len(told), max(most, float(np.mean(told)))
    return [str(len(paths)), f"{outside} of {asked}", f"{outside / asked:.2%}", f"{most:.2%}", f"{RATE:.2%}"]


def counted(inspections: Sequence[Inspection]) -> list[str]:
    """Cells: how many, not judged, rejected, either, and the commonest reason without its figures."""
    n = len(inspections)
    not_judged = sum(one.verdict is Verdict.NOT_JUDGED for one in inspections)
    rejected = sum(one.verdict is Verdict.REJECT for one in inspections)
    told = sum(one.reason is not None for one in inspections)
    reasons = Counter(one.reason.split(":")[0].split(" than ")[0] for one in inspections if one.reason)
    shares = [f"{count} ({count / n:.1%})" for count in (told, not_judged, rejected, not_judged + rejected)]
    return [str(n), *shares, ", ".join(f"{name} {count}" for name, count in reasons.most_common(3))]


def spoilt(inspector: Inspector, paths: Sequence[Path]) -> list[list[str]]:
    """A row for each way of spoiling good photographs."""
    rows = []
    for name, spoil in SPOILT.items():
        images = [spoil(read_image(path)) for path in paths]
        rows.append([inspector.name, name, *counted([inspector.inspect(image) for image in images])])
    return rows


def cost(inspector: Inspector, paths: Sequence[Path]) -> list[str]:
    """A row: median milliseconds of an inspection and of its checks, measured in turn."""
    whole, checks = [], []
    for path in list(paths)[:_TIMED]:
        content = path.read_bytes()
        started = time.perf_counter()
        photograph: DecodedPhotograph = inspector.open_photograph(content, str(path))
        given = inspector.input_of(photograph.pixels)
        looked = time.perf_counter()
        inspector.unlike(photograph, given)
        checked = time.perf_counter()
        prediction = inspector.predict_input(given)
        inspector.judge(prediction, photograph.width, photograph.height)
        whole.append(time.perf_counter() - checked + looked - started)
        checks.append(checked - looked)
    without, more = 1e3 * float(np.median(whole)), 1e3 * float(np.median(checks))
    return [f"{without:.1f}", f"{more:.2f}", f"{more / without:.1%}", f"{1e3 * min(checks):.2f}"]


def main() -> None:
    """Print the tables."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("pairs", nargs="+", metavar="INSPECTOR=SET")
    asked.add_argument("--held-out", type=int, default=20)
    asked.add_argument("--spoilt", type=int, default=20)
    options = asked.parse_args()
    pairs = [(Inspector.load(one.split("=")[0]), open_catalog(one.split("=")[1])) for one in options.pairs]
    head = ["outside", "not judged", "rejected", "either", "reasons"]
    names = [inspector.name for inspector, _ in pairs]

    rows = [[i.name, *held_out(i, good(c, "train"), options.held_out)] for i, c in pairs]
    print("\nTraining photographs held out\n")
    print(table(["inspector", "photographs", "outside", "share", "worst half", "stated"], rows))

    rows = []
    for inspector, catalog in pairs:
        test = catalog.test()
        for label in ("normal", "anomalous"):
            paths = [Path(path) for path in test.loc[test["label"] == label, "path"]]
            seen = [inspector.inspect(path) for path in paths]
            rows.append([inspector.name, f"own, {label}", *counted(seen)])
        for other, others in zip(names, (c for _, c in pairs), strict=True):
            if other != inspector.name:
                paths = good(others, "train") + good(others, "test")
                rows.append([inspector.name, other, *counted([inspector.inspect(path) for path in paths])])
    print("\nTest photographs, and good ones of other parts\n")
    print(table(["inspector", "shown", "n", *head], rows))

    rows = [
        row
        for inspector, catalog in pairs
        for row in spoilt(inspector, good(catalog, "test")[: options.spoilt])
    ]
    print("\nGood test photographs, spoilt\n")
    print(table(["inspector", "spoilt", "n", *head], rows))

    rows = [[inspector.name, *cost(inspector, good(catalog, "test"))] for inspector, catalog in pairs]
    print("\nMilliseconds, without the checks and for them\n")
    print(table(["inspector", "without", "checks", "share", "checks at best"], rows))


if __name__ == "__main__":
    main()
