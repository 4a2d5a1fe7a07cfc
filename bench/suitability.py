"""Measure what is not judged: other parts, spoilt photographs, and what must be judged all the same.

    python bench/suitability.py [INSPECTOR=SET ...] [--held-out 20] [--spoilt 20] [--checks-alone]

An inspector is a file that `blemish fit SET` has written, a set a folder in the MVTec AD layout. Limits are chosen by
training photographs alone: first they are learnt from a random half of these and asked of the other, so many times.
Then each inspector is shown its own test photographs, the good ones of the others, and its own good ones spoilt.
Without inspectors limits are learnt on the sample line, and asked of it.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from measuring.pages import table

from blemish.core.images import DecodedPhotograph, read_image
from blemish.core.types import ByteArray, FloatArray, Verdict
from blemish.data.catalog import Catalog, open_catalog
from blemish.data.sample_line import SAMPLE_CATEGORIES, write_sample_line
from blemish.line.photograph_measures import measures_of
from blemish.line.runtime import Inspector
from blemish.line.suitability import KnownPhotographs
from blemish.making.suitability import RATE, learn_suitability
from blemish.view.foreground import ground_of
from blemish.view.preprocessing import Preprocessing, look

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
        others = KnownPhotographs(learnt.known)
        told = [learnt.record.reason(one, others) is not None for one in rest]
        outside, asked, most = outside + sum(told), asked + len(told), max(most, float(np.mean(told)))
    return [str(len(paths)), f"{outside} of {asked}", f"{outside / asked:.2%}", f"{most:.2%}", f"{RATE:.2%}"]


@dataclass(frozen=True)
class Shown:
    """What is said of a photograph: why it is unlike those learnt from, and the verdict where a network was asked."""

    reason: str | None
    verdict: Verdict | None = None


Show = Callable[[Inspector, Path | ByteArray], Shown]


def inspected(inspector: Inspector, image: Path | ByteArray) -> Shown:
    """The whole inspection."""
    found = inspector.inspect(image)
    return Shown(found.reason, found.verdict)


def checked(inspector: Inspector, image: Path | ByteArray) -> Shown:
    """The checks; the network is asked of spoilt photographs alone, where these say nothing."""
    if isinstance(image, Path):
        photograph = inspector.open_photograph(image.read_bytes(), str(image))
        return Shown(inspector.unlike(photograph, inspector.input_of(photograph.pixels)))
    photograph = DecodedPhotograph(image, image.shape[1], image.shape[0])
    reason = inspector.unlike(photograph, inspector.input_of(photograph.pixels))
    return Shown(reason) if reason else inspected(inspector, image)


HEAD = ("n", "outside", "not judged", "others rejected", "outside or rejected", "reasons")


def counted(found: Sequence[Shown]) -> list[str]:
    """Cells of `HEAD`: counts with shares, "-" where no network was asked, and the commonest reasons."""
    n, outside = len(found), [one for one in found if one.reason is not None]
    others = [one for one in found if one.reason is None]
    rejected = sum(one.verdict is Verdict.REJECT for one in others)
    hidden = sum(one.verdict is Verdict.NOT_JUDGED for one in outside)
    asked = all(one.verdict for one in others)
    counts = (
        len(outside),
        hidden if all(one.verdict for one in outside) else None,
        rejected if asked else None,
        len(outside) + rejected if asked else None,
    )
    shares = ["-" if count is None else f"{count} ({count / n:.1%})" for count in counts]
    reasons = Counter(one.reason.split(":")[0].split(" than ")[0] for one in outside if one.reason)
    return [str(n), *shares, ", ".join(f"{name} {count}" for name, count in reasons.most_common(3))]


def own_outside(inspector: Inspector, paths: Sequence[Path], root: Path) -> list[str]:
    """A line for each of the inspector's own photographs that is outside, with its verdict."""
    lines = []
    for path in paths:
        if checked(inspector, path).reason is not None:
            found = inspector.inspect(path)
            figures = f"{found.verdict}, score {found.score:.1f} / {found.threshold:.1f}"
            lines.append(f"- {inspector.name}, {path.relative_to(root)}: {figures}; {found.reason}")
    return lines


def spoilt(show: Show, inspector: Inspector, paths: Sequence[Path]) -> list[list[str]]:
    """A row for each way of spoiling good photographs."""
    rows = []
    for name, spoil in SPOILT.items():
        images = [spoil(read_image(path)) for path in paths]
        rows.append([inspector.name, name, *counted([show(inspector, image) for image in images])])
    return rows


def sample_line(train: int) -> list[list[str]]:
    """A row for each category of the sample line: what is outside of limits learnt from so many photographs."""
    contract = Preprocessing(height=256, width=256, mean=(0, 0, 0), std=(1, 1, 1))

    def of(image: ByteArray) -> FloatArray:
        return measures_of(look(image, contract).picture, None, image.shape[1], image.shape[0])

    with tempfile.TemporaryDirectory() as folder:
        roots = write_sample_line(Path(folder), SAMPLE_CATEGORIES, train, 16, 4, 256)
        catalogs = {root.name: open_catalog(root) for root in roots}
        shown = {name: [read_image(path) for path in good(one, "test")] for name, one in catalogs.items()}
        rows = []
        for name, catalog in catalogs.items():
            learnt = learn_suitability(np.stack([of(read_image(path)) for path in good(catalog, "train")]))
            assert learnt is not None
            record, known = learnt.record, KnownPhotographs(learnt.known)

            def outside(images: Sequence[ByteArray], record=record, known=known) -> str:  # type: ignore[no-untyped-def]
                return f"{sum(record.reason(of(image), known) is not None for image in images)}/{len(images)}"

            test = catalog.test()
            defective = [read_image(path) for path in test.loc[test["label"] == "anomalous", "path"]]
            others = [(other, outside(images)) for other, images in shown.items() if other != name]
            told = [f"{other} {share}" for other, share in others if len(set(share.split("/"))) > 1]
            spoiled = [outside([spoil(image) for image in shown[name]]) for spoil in SPOILT.values()]
            cells = [outside(shown[name]), outside(defective), ", ".join(told) or "all told", *spoiled]
            rows.append([name, *cells])
    return rows


def cost(inspector: Inspector, paths: Sequence[Path]) -> list[str]:
    """A row: least and median CPU milliseconds of an inspection without its checks and of these, measured in turn."""
    whole, checks = [], []
    for path in list(paths)[:_TIMED]:
        content = path.read_bytes()
        started = time.process_time()
        photograph: DecodedPhotograph = inspector.open_photograph(content, str(path))
        given = inspector.input_of(photograph.pixels)
        looked = time.process_time()
        inspector.unlike(photograph, given)
        checked = time.process_time()
        prediction = inspector.predict_input(given)
        inspector.judge(prediction, photograph.width, photograph.height)
        whole.append(time.process_time() - checked + looked - started)
        checks.append(checked - looked)
    least = 1e3 * min(whole), 1e3 * min(checks)
    usual = 1e3 * float(np.median(whole)), 1e3 * float(np.median(checks))
    shown = [(f"{one:.1f}", f"{other:.2f}", f"{other / one:.1%}") for one, other in (least, usual)]
    return [*shown[0], *shown[1]]


def main() -> None:
    """Print the tables."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("pairs", nargs="*", metavar="INSPECTOR=SET")
    asked.add_argument("--held-out", type=int, default=20)
    asked.add_argument("--spoilt", type=int, default=20)
    asked.add_argument(
        "--checks-alone",
        action="store_true",
        help="ask the network only where they say nothing of a spoilt photograph",
    )
    options = asked.parse_args()
    if not options.pairs:
        head = ["category", "own good", "own defective", "other categories not all told", *SPOILT]
        print("\nThe sample line, outside of limits learnt from 40 photographs\n")
        print(table(head, sample_line(40)))
        return
    show: Show = checked if options.checks_alone else inspected
    pairs = [(Inspector.load(one.split("=")[0]), open_catalog(one.split("=")[1])) for one in options.pairs]
    names = [inspector.name for inspector, _ in pairs]

    rows = [[i.name, *held_out(i, good(c, "train"), options.held_out)] for i, c in pairs]
    print("\nTraining photographs held out\n")
    print(table(["inspector", "photographs", "outside", "share", "worst half", "stated"], rows))

    rows = []
    for inspector, catalog in pairs:
        test = catalog.test()
        for label in ("normal", "anomalous"):
            paths = [Path(path) for path in test.loc[test["label"] == label, "path"]]
            seen = [show(inspector, path) for path in paths]
            rows.append([inspector.name, f"own, {label}", *counted(seen)])
        for other, others in zip(names, (c for _, c in pairs), strict=True):
            if other != inspector.name:
                paths = good(others, "train") + good(others, "test")
                rows.append([inspector.name, other, *counted([show(inspector, path) for path in paths])])
    print("\nTest photographs, and good ones of other parts\n")
    print(table(["inspector", "shown", *HEAD], rows))
    print("\nOwn test photographs outside, and their verdicts\n")
    for inspector, catalog in pairs:
        paths = [Path(path) for path in catalog.test()["path"]]
        print("\n".join(own_outside(inspector, paths, catalog.root)))

    rows = [
        row
        for inspector, catalog in pairs
        for row in spoilt(show, inspector, good(catalog, "test")[: options.spoilt])
    ]
    print("\nGood test photographs, spoilt\n")
    print(table(["inspector", "spoilt", *HEAD], rows))

    rows = [[inspector.name, *cost(inspector, good(catalog, "test"))] for inspector, catalog in pairs]
    print("\nCPU milliseconds, without the checks and for them: least, and median\n")
    print(table(["inspector", *("without", "checks", "share") * 2], rows))


if __name__ == "__main__":
    main()
