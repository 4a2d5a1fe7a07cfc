"""How soon a fading lamp is told, and how often one is told that does not fade, on photographs of good parts.

    python bench/drift.py --row ../shared/data/screw patchcore 200 100 --row ../shared/data/screw padim 200 60 [--write]

A row is a folder, a detector, and two numbers. An inspector learns from the first number of good training photographs;
the second number of others, which it has not seen, are judged by it in 14 lights, and once with the camera's noise. A
line is drawn from these: each part one of the photographs at random, in the lamp's light of that moment and 1 % more or
less of it, score and statistics interpolated between the two nearest lights, and the camera's noise added. Test
photographs are not read. First 200 parts in a steady light, then 2,000 in which the lamp fades by 20 %; or all of them
in a steady light. A rate "doubles" in the light in which twice as many good parts are rejected, or do not pass, as in
full light, or as were promised where these are more, of 20,000 in each light.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from measuring.fading import COLUMNS, LEVELS, Bank, Numbers, bank
from measuring.pages import ROOT, origin, table, write_block

from blemish.core.progress import track
from blemish.core.types import Verdict
from blemish.line.photograph_statistics import STATISTICS
from blemish.line.runtime import Inspector
from blemish.station.drift_tests import SCORE, DriftTests, InspectedPart

PAGE = ROOT / "docs" / "drift.md"
STEADY, FADING, FADE = 200, 2000, 0.2
JITTER = 0.01
SEEDS = 20
IN_EACH_LIGHT = 20_000
SUDDEN = 0.05
PALLETS = ((10, 0.1), (10, 0.3), (50, 0.1), (50, 0.3))
PALLETS_HEAD = (
    "parts of a pallet",
    "of the variance between pallets",
    "told, 2,200 parts without drift",
    "with `--parts-alike`",
)
_START = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Told:
    """What a run told: after how many parts, and what moved first; None and "" where nothing was told."""

    parts: int | None
    statistic: str


def told(inspector: Inspector, lights: Bank, light: Numbers, seed: int) -> Told:
    """The first change that a line in these lights tells."""
    rng = np.random.default_rng(seed)
    tests = DriftTests(inspector.calibration.n)
    drawn = lights.drawn(light * (1 + JITTER * rng.standard_normal(len(light))), rng)
    for number, row in enumerate(drawn, 1):
        values = dict(zip(COLUMNS, row.tolist(), strict=True))
        score = values.pop(SCORE)
        part = InspectedPart(
            number, _START + timedelta(seconds=number), inspector.decision.verdict(score), score,
            inspector.calibration.p_value(score), values,
        )  # fmt: skip
        if tests.observe(part):
            changed = [name for name in (*STATISTICS, SCORE) if tests.changes[name].change is not None]
            return Told(number, changed[0] if changed else "calibration")
    return Told(None, "")


def rates(inspector: Inspector, lights: Bank, fades: Numbers) -> tuple[Numbers, Numbers]:
    """Shares of good parts that are rejected, and that do not pass, in the light of each fade."""
    rng = np.random.default_rng(0)
    scores = [
        lights.drawn((1 - fade) * (1 + JITTER * rng.standard_normal(IN_EACH_LIGHT)), rng)[:, 0]
        for fade in fades
    ]
    decision = inspector.decision
    return (
        np.array([(one > decision.threshold).mean() for one in scores]),
        np.array([(one > decision.review_threshold).mean() for one in scores]),
    )


def doubling(fades: Numbers, shares: Numbers, promised: float) -> float | None:
    """The fade at which a share has doubled; None where it never does."""
    reached = np.flatnonzero(shares >= 2 * max(shares[0], promised))
    return float(fades[reached[0]]) if len(reached) else None


def row(folder: Path, detector: str, learnt: int, parts: int, kept: Path) -> list[str]:
    """A set's figures."""
    lights = bank(folder, learnt, parts, detector, kept)
    inspector = Inspector.load(lights.inspector)
    fades = np.arange(0, FADE + 1e-9, 0.005)
    rejected, not_passed = rates(inspector, lights, fades)
    decision = inspector.decision
    doubles = [
        doubling(fades, shares, promised)
        for shares, promised in ((rejected, decision.expected), (not_passed, decision.review_expected))
    ]
    fading = np.concatenate([np.ones(STEADY), np.linspace(1, 1 - FADE, FADING)])
    sudden = np.concatenate([np.ones(STEADY), np.full(FADING, 1 - SUDDEN)])
    steady = np.ones(STEADY + FADING)
    runs = {
        what: [told(inspector, lights, light, seed) for seed in track(range(SEEDS), f"{folder.name}, {what}")]
        for what, light in (("fading", fading), ("sudden", sudden), ("steady", steady))
    }
    shown = lights.values[int(np.argmin(np.abs(LEVELS - 1)))]
    bright = shown[:, COLUMNS.index("brightness")]
    earliest = min([one for one in doubles if one is not None], default=None)
    in_time = sum(
        one.parts is not None and (earliest is None or (one.parts - STEADY) / FADING * FADE < earliest)
        for one in runs["fading"]
    )
    first = Counter(one.statistic for one in runs["fading"])
    p_values = [inspector.calibration.p_value(score) for score in shown[:, 0]]
    return [
        f"{folder.name}, {detector}",
        f"{bright.std() / bright.mean():.1%}",
        f"{np.mean(p_values):.2f}",
        " to ".join(f"{shares:.1%}" for shares in (rejected[0], rejected[-1])),
        " to ".join(f"{shares:.1%}" for shares in (not_passed[0], not_passed[-1])),
        ", ".join("never" if one is None else f"{one:.1%}" for one in doubles),
        _at(runs["fading"]),
        ", ".join(f"{name} {count}" for name, count in first.most_common()),
        f"{in_time} of {SEEDS}",
        _after(runs["sudden"]),
        f"{sum(one.parts is not None for one in runs['steady'])} of {SEEDS}",
    ]


def _at(runs: list[Told]) -> str:
    fades = [FADE * (one.parts - STEADY) / FADING for one in runs if one.parts is not None]
    return f"{np.median(fades):.1%} ({max(fades):.1%})" if fades else "-"


def _after(runs: list[Told]) -> str:
    parts = [one.parts - STEADY for one in runs if one.parts is not None]
    return f"{np.median(parts):.0f} ({max(parts)}), {len(parts)} of {len(runs)}" if parts else "-"


def of_pallets(size: int, share: float, known: int) -> int:
    """How many of the runs without drift tell one, where pallets differ and the station knows of so many parts each.

    Args:
        size: parts of a pallet.
        share: of the variance of a normal number that is between pallets.
        known: parts of a pallet as the station was told.
    """
    told_of = 0
    for seed in range(SEEDS):
        rng = np.random.default_rng(seed)
        pallets = np.repeat(rng.standard_normal((STEADY + FADING) // size + 1), size)[: STEADY + FADING]
        values = np.sqrt(share) * pallets + np.sqrt(1 - share) * rng.standard_normal(STEADY + FADING)
        tests = DriftTests(n_calibration=100, batch=known)
        parts = (
            InspectedPart(number, _START, Verdict.PASS, 1.0, 0.5, {"brightness": value})
            for number, value in enumerate(values.tolist(), 1)
        )
        told_of += any(tests.observe(part) for part in parts)
    return told_of


HEAD = (
    "photographs",
    "brightness differs by",
    "mean p-value",
    "rejected, full to faded light",
    "not passed",
    "these double at a fade of",
    "told at a fade of: median (latest)",
    "first told",
    "told before either doubles",
    f"sudden {SUDDEN:.0%}: parts, median (latest)",
    "told without drift",
)


def main() -> None:
    """Print the table, or write it into the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--row", nargs=4, action="append", required=True, metavar=("FOLDER", "DETECTOR", "N", "N")
    )
    parser.add_argument("--kept", type=Path, help="folder for what was judged, used again")
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        kept = arguments.kept or Path(folder)
        rows = [
            row(Path(shown), detector, int(learnt), int(parts), kept)
            for shown, detector, learnt, parts in arguments.row
        ]
    # A set a column: the sets are fewer than the figures.
    turned = [list(cells) for cells in zip(HEAD, *rows, strict=True)]
    pallets = [
        [f"{size}", f"{share:.0%}", *(f"{of_pallets(size, share, known)} of {SEEDS}" for known in (1, size))]
        for size, share in PALLETS
    ]
    blocks = {
        "drift": f"{table(turned[0], turned[1:])}\n\n{origin()}",
        "pallets": f"{table(PALLETS_HEAD, pallets)}\n\n{origin()}",
    }
    for name, text in blocks.items():
        if arguments.write:
            write_block(PAGE, name, text)
        print(text)


if __name__ == "__main__":
    main()
