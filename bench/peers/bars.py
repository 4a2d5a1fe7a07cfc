"""What the comparison has to reach, and how each figure stands to it. Pure functions of what was measured."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Lots = Mapping[str, Sequence[Mapping[str, Sequence[float]]]]
"""Of each runtime its lots in the order of the turns, with `ms` and `cpu_ms` of each photograph."""


@dataclass(frozen=True)
class Bar:
    """A limit that was set before anything was measured.

    Attributes:
        limit: its value.
        at_least: whether a figure has to be no less than it; else no more.
        unit: written behind the value.
    """

    limit: float
    at_least: bool
    unit: str = ""

    def reached(self, value: float) -> bool:
        """Whether a figure is on the right side; equal is right."""
        return value >= self.limit if self.at_least else value <= self.limit

    def said(self, value: float) -> str:
        """The bar in words, and whether the value reaches it."""
        sign = ">=" if self.at_least else "<="
        return f"{sign} {self.limit:.3g}{self.unit}: {self.verdict(value)}"

    def verdict(self, value: float) -> str:
        """Whether the value reaches it, in one word."""
        return "reached" if self.reached(value) else "**missed**"


FIT_TIME = Bar(15, True, " x")
FIT_MEMORY = Bar(1 / 3, False, " x")
AGAINST_TORCH = Bar(4, True, " x")
AGAINST_EXPORT = Bar(2, True, " x")
DIRECT = Bar(1e-4, False)
EQUAL_AUROC = Bar(0, True)
LARGE_BANK = Bar(190, False, " ms")
LARGE_BANK_SHARE = Bar(1.3, False, " x")


def in_turns(lots: Lots, one: str, other: str, what: str = "ms") -> float:
    """How many times as long `one` takes as `other`: the median over turns of the ratio of the lots' medians."""
    pairs = zip(lots[one], lots[other], strict=True)
    return statistics.median(statistics.median(a[what]) / statistics.median(b[what]) for a, b in pairs)


def median(lots: Lots, name: str, what: str = "ms") -> float:
    """The median of all photographs of one runtime."""
    return statistics.median(value for lot in lots[name] for value in lot[what])


def fastest(lots: Lots, names: Sequence[str]) -> str:
    """Which of several runtimes has the lowest median."""
    return min(names, key=lambda name: median(lots, name))


def medians(runs: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Median seconds, CPU seconds and peak of several runs of a process."""
    return {
        what: statistics.median(run[what] for run in runs) for what in ("seconds", "cpu_seconds", "peak_mib")
    }


def fit_row(name: str, ours: Mapping[str, float], theirs: Mapping[str, float]) -> list[str]:
    """One comparison of fits: seconds, CPU seconds and peaks of both, ratios, bars."""
    faster, busy = theirs["seconds"] / ours["seconds"], theirs["cpu_seconds"] / ours["cpu_seconds"]
    memory = ours["peak_mib"] / theirs["peak_mib"]
    return [
        name,
        f"{ours['seconds']:.1f} / {theirs['seconds']:.1f}",
        f"{ours['cpu_seconds']:.1f} / {theirs['cpu_seconds']:.1f}",
        f"{faster:.1f} ({busy:.1f})",
        FIT_TIME.said(faster),
        f"{ours['peak_mib']:.0f} / {theirs['peak_mib']:.0f}",
        f"{memory:.2f}",
        FIT_MEMORY.said(memory),
    ]


def auroc_row(name: str, ours: Mapping[str, float], theirs: Mapping[str, float]) -> list[str]:
    """One comparison of both areas."""
    cells = [name]
    for what in ("image_auroc", "pixel_auroc"):
        cells += [f"{ours[what]:.4f}", f"{theirs[what]:.4f}", EQUAL_AUROC.verdict(ours[what] - theirs[what])]
    return cells


def latency_rows(name: str, lots: Lots) -> list[list[str]]:
    """One row a runtime: milliseconds, and how many times as long as ours in OpenVINO."""
    own = "Blemish, openvino-f32"
    rows = []
    for runtime in lots:
        wall, busy = in_turns(lots, runtime, own), in_turns(lots, runtime, own, "cpu_ms")
        rows.append(
            [
                name,
                runtime,
                f"{median(lots, runtime):.1f}",
                f"{median(lots, runtime, 'cpu_ms'):.1f}",
                f"{wall:.2f}",
                f"{busy:.2f}",
                _latency_bar(lots, runtime, wall),
            ]
        )
    return rows


def _latency_bar(lots: Lots, runtime: str, ratio: float) -> str:
    """The bar that a row is judged by, where there is one."""
    exports = [one for one in lots if one.startswith("anomalib") and not one.endswith("torch")]
    if runtime == "anomalib, torch":
        return AGAINST_TORCH.said(ratio)
    return AGAINST_EXPORT.said(ratio) if exports and runtime == fastest(lots, exports) else ""
