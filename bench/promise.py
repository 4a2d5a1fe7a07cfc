"""Does the promise hold? Random splits of good photographs: false rejects of those left against what was promised.

    python bench/promise.py ../shared/data/screw ../shared/data/magnetic_tile=number:100 ../shared/data/metal_plate \\
        elpv:mono --keep scores [--write]

Of each set's good photographs (groups of them, where a way to group stands behind "=", and so many of them at most as
stand behind "@") n are drawn 200 times. A memory bank of these is calibrated by ten folds, as `blemish fit` does, and
judges the rest. No defective photograph is looked at.

A cell is a set, a number and a rate. "promised" is the expected share of good parts that the calibration states,
"rejected" the share that really was, the mean over splits; groups count as one each. The interval is binomial, as if
each photograph (or group) of the set had been judged once. A cell holds where the promise is not below its interval.
"over bound" is the share of splits in which more was rejected than the 95 % bound says; as few are judged in each, it
may be above 5 % without any fault. "darker" is what is rejected of the same photographs with grey levels times 0.8.

What is not as in the product: photographs are read at 256 pixels (`--size`), not 448; the bank is what each
photograph's own coreset of 24 patches (`--patches`) holds, without the choice among them, without copies, and without
the search for suspicious photographs; the view is planned once for the whole set. With `--keep` a run that was stopped
goes on where it was: a folder for each size and number of patches.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from measuring.pages import ROOT, origin, table, write_block
from measuring.promise_chart import Mark, chart
from measuring.random_banks import Choice, Photographs, drawn, in_context, scores

from blemish.core.conformal import Calibration
from blemish.core.errors import UsageError
from blemish.core.progress import track
from blemish.core.storage import write_text
from blemish.core.tail import fit_tail
from blemish.data.catalog import open_catalog
from blemish.data.elpv import installed_cells
from blemish.evaluation.intervals import binomial_interval
from blemish.line.decision import PixelDecision, by_rates

NUMBERS, RATES, SPLITS = (20, 50, 100, 300), (0.01, 0.02, 0.05, 0.1), 200
DARKER, DARKENED = 0.8, 120
LEAST_LEFT = 20
"""Photographs, or groups, that have to be left to be judged."""
BEYOND = 4
"""How much smaller than what the scores can promise the rate is that the tail is asked for."""
ALLOWANCE = 0.01
PAGE = ROOT / "docs" / "decisions" / "0052-the-promise-measured.md"
DEFAULTS = PAGE.with_name("0051-rates-not-scores.md")
PICTURE = ROOT / "docs" / "images" / "promise.svg"

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class GoodSet:
    """A set's good photographs, and the group of each, int N; each its own where nothing is grouped."""

    name: str
    paths: list[Path]
    groups: npt.NDArray[np.intp]

    @property
    def independent(self) -> int:
        """Groups of them."""
        return len(np.unique(self.groups))

    @property
    def grouped(self) -> bool:
        """Whether several photographs show one part."""
        return self.independent < len(self.paths)

    def numbers(self) -> list[int]:
        """As many as the set carries."""
        return [n for n in NUMBERS if n <= self.independent - LEAST_LEFT]


@dataclass(frozen=True)
class Cell:
    """What 200 splits say of one set, number and rate; shares of good parts."""

    name: str
    n: int
    rate: float
    promised: float
    rejected: float
    interval: tuple[float, float]
    over_bound: float
    darker: float

    @property
    def holds(self) -> bool:
        """Whether no more is rejected than promised, as far as the set can tell."""
        return self.promised >= self.interval[0]

    @property
    def bears(self) -> bool:
        """Whether it is within binomial error and a point."""
        return self.promised + ALLOWANCE >= self.interval[0]

    def row(self) -> list[str]:
        """For the table."""
        low, high = self.interval
        return [
            f"{self.name}, {self.n}, {self.rate:.0%}",
            f"{self.promised:.2%}",
            f"{self.rejected:.2%}",
            f"{low:.1%} to {high:.1%}",
            "holds" if self.holds else "broken",
            f"{self.over_bound:.0%}",
            f"{self.darker:.0%}",
        ]


def at_most(good: GoodSet, most: int) -> GoodSet:
    """Whole groups of the set, drawn by chance, of so many photographs and no more."""
    order = np.random.default_rng(1).permutation(np.unique(good.groups))
    sizes = np.bincount(good.groups)[order]
    kept = np.flatnonzero(np.isin(good.groups, order[np.cumsum(sizes) <= most]))
    return GoodSet(good.name, [good.paths[image] for image in kept], good.groups[kept])


def good_set(written: str) -> GoodSet:
    """Good photographs of a folder, PATH or PATH=GROUPS, or of solar cells, elpv:mono or elpv:poly."""
    if written.startswith("elpv:"):
        kind = written.removeprefix("elpv:")
        paths = [cell.path for cell in installed_cells() if cell.kind == kind and cell.thirds == 0]
        return GoodSet(f"elpv {kind}", paths, np.arange(len(paths)))
    folder, _, by = written.partition("=")
    catalog = open_catalog(Path(folder))
    catalog = catalog.grouped(by) if by else catalog
    good = catalog.table[catalog.table["label"] == "normal"]
    paths = [Path(path) for path in good["path"]]
    groups = np.unique(good["group"], return_inverse=True)[1] if by else np.arange(len(paths))
    return GoodSet(Path(folder).name, paths, groups)


def splits_of(good: GoodSet) -> dict[int, list[Choice]]:
    """The same for every run."""
    return {n: [drawn(good.groups, n, seed) for seed in range(SPLITS)] for n in good.numbers()}


def measured(good: GoodSet, keep: Path, size: int, patches: int) -> tuple[FloatArray, FloatArray]:
    """Scores of all photographs under all choices, splits x N, as they are and darker; nan where not darkened."""
    whole = keep / f"{good.name}.npz"
    if whole.is_file():
        with np.load(whole) as known:
            return known["plain"], known["darker"]
    choices = [choice for chosen in splits_of(good).values() for choice in chosen]
    photographs = Photographs(good.paths, size, patches)
    everything = np.arange(len(good.paths), dtype=np.intp)
    few = np.sort(np.random.default_rng(0).permutation(everything)[:DARKENED])
    plain = _going_on(keep / f"{good.name}-plain.npy", photographs, choices, everything, 1.0)
    darker = _going_on(keep / f"{good.name}-darker.npy", photographs, choices, few, DARKER)
    for place, choice in enumerate(track(choices, "Judging relative to similar ones")):
        in_context(photographs, choice, plain[place], darker[place])
    np.savez(whole, plain=plain, darker=darker)
    return plain, darker


def _going_on(
    file: Path,
    photographs: Photographs,
    choices: Sequence[Choice],
    images: npt.NDArray[np.intp],
    brightness: float,
) -> FloatArray:
    """Scores, splits x N, from where an earlier run was stopped."""
    found = np.full((len(choices), len(photographs.paths)), np.nan)
    if file.is_file():
        found = np.load(file)
    left = [int(image) for image in images if np.isnan(found[0, image])]
    named = track(left, f"{file.stem}: comparing with every other")
    for image, values in zip(named, scores(photographs, choices, left, brightness), strict=True):
        found[:, image] = values
        if image % 20 == 0 or image == left[-1]:
            np.save(file, found)
    return found


def calibrated(good: GoodSet, choice: Choice, values: FloatArray) -> Calibration:
    """What the chosen photographs promise."""
    order = choice.order[np.argsort(values[choice.order], kind="stable")]
    return Calibration(values[order], good.groups[order] if good.grouped else None)


def share_above(good: GoodSet, choice: Choice, values: FloatArray, threshold: float) -> float:
    """Share of what was not chosen and has a score that is above a threshold, each group counting as one."""
    rest = np.setdiff1d(np.flatnonzero(~np.isnan(values)), choice.order)
    _, group, sizes = np.unique(good.groups[rest], return_inverse=True, return_counts=True)
    return float(((values[rest] > threshold) / sizes[group]).sum() / len(sizes))


def cells(good: GoodSet, plain: FloatArray, darker: FloatArray) -> Iterator[Cell]:
    """Those of one set."""
    for place, (n, chosen) in enumerate(splits_of(good).items()):
        rows = slice(place * SPLITS, (place + 1) * SPLITS)
        splits = list(zip(chosen, plain[rows], darker[rows], strict=True))
        for rate in RATES:
            if n < Calibration.needed(rate):
                continue
            found = []
            for choice, values, dark in splits:
                calibration = calibrated(good, choice, values)
                threshold = calibration.threshold(rate)
                promise = calibration.promise(threshold)
                rejected = share_above(good, choice, values, threshold)
                over = rejected > promise.at_most
                found.append((promise.expected, rejected, over, share_above(good, choice, dark, threshold)))
            promised, rejected, over_bound, dark_rejected = np.mean(found, axis=0).tolist()
            interval = binomial_interval(round(rejected * good.independent), good.independent)
            yield Cell(good.name, n, rate, promised, rejected, interval, over_bound, dark_rejected)


def default_rows(good: GoodSet, plain: FloatArray) -> Iterator[list[str]]:
    """What the default decision promises and does: expected and measured, rejected and reviewed."""
    for place, (n, chosen) in enumerate(splits_of(good).items()):
        found = []
        for choice, values in zip(chosen, plain[place * SPLITS :], strict=False):
            calibration = calibrated(good, choice, values)
            decision = by_rates(calibration, PixelDecision(threshold=0))
            rejected, either = (
                share_above(good, choice, values, level)
                for level in (decision.threshold, decision.review_threshold)
            )
            expected = decision.expected, decision.review_expected - decision.expected
            found.append((expected[0], rejected, expected[1], either - rejected))
        yield [f"{good.name}, {n}", *(f"{share:.2%}" for share in np.mean(found, axis=0).tolist())]


def tail_rows(good: GoodSet, plain: FloatArray) -> Iterator[list[str]]:
    """What the tail says of rates that the scores cannot promise, and what happens; of parts of which any is above."""
    for place, (n, chosen) in enumerate(splits_of(good).items()):
        rate, found = 1 / (BEYOND * (n + 1)), []
        for choice, values in zip(chosen, plain[place * SPLITS :], strict=False):
            try:
                tail = fit_tail(calibrated(good, choice, values))
            except UsageError:
                break
            threshold = tail.threshold(rate)
            rest = np.setdiff1d(np.arange(len(values)), choice.order)
            parts, above = (
                np.unique(good.groups[rest]),
                np.unique(good.groups[rest[values[rest] > threshold]]),
            )
            promise = tail.promise(threshold)
            found.append((promise.expected, len(above) / len(parts), tail.shape, tail.doubtful))
        if found:
            promised, rejected, shape, doubtful = np.mean(found, axis=0).tolist()
            yield [
                f"{good.name}, {n}",
                f"{rate:.2%}",
                f"{promised:.2%}",
                f"{rejected:.2%}",
                f"{shape:+.2f}",
                f"{doubtful:.0%}",
            ]


def summary(found: Sequence[Cell]) -> str:
    """How many cells hold, and the worst of them."""
    holds, bears = sum(cell.holds for cell in found), sum(cell.bears for cell in found)
    worst = max(found, key=lambda cell: cell.rejected - cell.promised)
    return (
        f"{holds} of {len(found)} cells hold ({holds / len(found):.0%}), {bears} with a point's allowance. The largest "
        f"excess: {worst.rejected:.2%} for {worst.promised:.2%} promised ({worst.name}, {worst.n}, {worst.rate:.0%}). "
        f"Darker by a fifth, {sum(cell.darker > cell.promised + ALLOWANCE for cell in found)} of {len(found)} are "
        "broken by more than a point."
    )


def main() -> None:
    """Measure, print, and with --write put tables and picture onto the pages of the decisions."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("sets", nargs="+", help="PATH, PATH=GROUPS, elpv:mono or elpv:poly, and @MOST")
    parser.add_argument("--keep", type=Path, required=True, help="folder for scores, to go on from")
    parser.add_argument("--write", action="store_true", help="write onto the pages of the decisions")
    parser.add_argument("--size", type=int, default=256, help="pixels that photographs are read with")
    parser.add_argument("--patches", type=int, default=24, help="patches in each photograph's own coreset")
    options = parser.parse_args()
    options.keep.mkdir(parents=True, exist_ok=True)
    found, tails, defaults, seen = list[Cell](), list[list[str]](), list[list[str]](), list[str]()
    for written in options.sets:
        name, _, most = written.partition("@")
        good = at_most(good_set(name), int(most)) if most else good_set(name)
        plain, darker = measured(good, options.keep, options.size, options.patches)
        seen.append(
            f"{len(good.paths)} of {good.name}" + (f" in {good.independent} groups" if good.grouped else "")
        )
        found += cells(good, plain, darker)
        tails += tail_rows(good, plain)
        defaults += default_rows(good, plain)
    head = ["set, n, rate", "promised", "rejected", "interval", "promise", "over bound", "darker"]
    tail_head = ["set, n", "asked", "expected by the tail", "rejected", "shape", "doubtful"]
    default_head = ["set, n", "rejected, expected", "measured", "reviewed, expected", "measured"]
    read = (
        f"Good photographs: {', '.join(seen)}; read with {options.size} x {options.size} pixels, {options.patches} "
        "patches of each in a bank."
    )
    blocks = {
        "promise": f"{summary(found)}\n\n{table(head, [cell.row() for cell in found])}\n\n{read} {origin()}",
        "tails": table(tail_head, tails),
        "defaults": f"{table(default_head, defaults)}\n\n{origin()}",
    }
    print("\n\n".join(blocks.values()))
    if options.write:
        for name, text in blocks.items():
            write_block(DEFAULTS if name == "defaults" else PAGE, name, text)
        write_text(
            PICTURE,
            chart(
                [Mark(cell.name, cell.promised, cell.rejected, cell.interval, cell.darker) for cell in found]
            ),
        )


if __name__ == "__main__":
    main()
