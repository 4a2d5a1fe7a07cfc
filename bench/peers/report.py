"""The tables of the comparison, each figure with its bar beside it."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from bars import (
    DIRECT,
    LARGE_BANK,
    LARGE_BANK_SHARE,
    auroc_row,
    fit_row,
    in_turns,
    latency_rows,
    median,
    medians,
)
from measuring.pages import table

LARGEST = "wide_resnet50_2"
OWN = "Blemish, openvino-f32"


def report(found: Mapping[str, Any]) -> str:
    """All tables as Markdown; what failed is said where it would stand."""
    parts = [_fits(found["sets"]), _aurocs(found["sets"]), _latency(found), _direct(found["sets"])]
    parts += [_large_bank(found["banks"]), _starts(found["starts"]), _sizes(found["sizes"])]
    return "\n\n".join(part for part in parts if part)


def _fits(sets: Mapping[str, Any]) -> str:
    header = (
        "fit, Blemish / anomalib",
        "seconds",
        "CPU seconds",
        "times as fast (by CPU)",
        "bar",
        "peak MiB",
        "ratio",
        "bar",
    )
    rows, notes = [], []
    for name, one in sets.items():
        fits = one["fits"]
        if "failed" in fits:
            notes.append(f"{name}: {fits['failed']}.")
            continue
        theirs = medians(fits["anomalib"])
        bank, dimensions = fits["anomalib"][-1]["bank"]
        rows.append(fit_row(f"{name}, the same recipe", medians(fits["equal"]), theirs))
        rows.append(fit_row(f"{name}, Blemish's default", medians(fits["default"]), theirs))
        of_fit = statistics.median(run["engine_seconds"] for run in fits["anomalib"])
        notes.append(
            f"{name}: {one['known']['train']} photographs, fits of each: {len(fits['anomalib'])}, coreset of "
            f"{fits['share']:.0%}, {bank} vectors of {dimensions} numbers; of anomalib's seconds {of_fit:.1f} are "
            f"`Engine.fit`."
        )
    return "\n\n".join([*([table(header, rows)] if rows else []), *([" ".join(notes)] if notes else [])])


def _aurocs(sets: Mapping[str, Any]) -> str:
    header = (
        "AUROC",
        "image, Blemish",
        "image, anomalib",
        "at least equal",
        "pixel, Blemish",
        "pixel, anomalib",
        "at least equal",
    )
    rows = []
    for name, one in sets.items():
        if "failed" in one.get("auroc", {"failed": ""}):
            continue
        for which, words in (("equal", "the same recipe"), ("default", "Blemish's default")):
            rows.append(auroc_row(f"{name}, {words}", one["auroc"][which], one["auroc"]["anomalib"]))
    return table(header, rows) if rows else ""


def _latency(found: Mapping[str, Any]) -> str:
    header = (
        "file to verdict",
        "runtime",
        "ms",
        "CPU ms",
        "times Blemish's in OpenVINO",
        "by CPU time",
        "bar",
    )
    rows = []
    for name, one in found["sets"].items():
        if "failed" not in one.get("lots", {"failed": ""}):
            rows += latency_rows(name, one["lots"])
    for backbone, one in found["banks"].items():
        if "failed" not in one:
            rows += latency_rows(f"{backbone}, bank of {one['bank'][0]:,}", one["lots"])
    return table(header, rows) if rows else ""


def _direct(sets: Mapping[str, Any]) -> str:
    rows = []
    for name, one in sets.items():
        for which, words in (("equal", "the same recipe"), ("default", "Blemish's default")):
            said = one.get("direct", {}).get(which, {"failed": ""})
            if "failed" not in said:
                rows.append(
                    [
                        f"{name}, {words}",
                        str(said["photographs"]),
                        f"{said['bank'][0]:,}",
                        f"{said['score_error']:.0e}",
                        f"{said['map_error']:.0e}",
                        DIRECT.said(said["score_error"]),
                    ]
                )
    header = (
        "against a direct float64 computation",
        "photographs",
        "bank",
        "of the score",
        "of the map",
        "bar",
    )
    return table(header, rows) if rows else ""


def _large_bank(banks: Mapping[str, Any]) -> str:
    one = banks.get(LARGEST, {"failed": ""})
    if "failed" in one or OWN not in one["lots"] or "Blemish, backbone" not in one["lots"]:
        return ""
    lots, stored = one["lots"], one["bank"][0]
    ms, times = median(lots, OWN), in_turns(lots, OWN, "Blemish, backbone")
    return (
        f"WideResNet50 with a bank of {stored:,}: {ms:.0f} ms in float32 ({LARGE_BANK.said(ms)}), {times:.2f} times "
        f"the bare backbone ({LARGE_BANK_SHARE.said(times)})."
    )


def _starts(starts: Mapping[str, Sequence[Mapping[str, float]]]) -> str:
    if not starts or "failed" in starts:
        return ""
    rows = [
        [name, f"{_middle(runs, 'seconds'):.2f}", f"{_middle(runs, 'cpu_seconds'):.2f}"]
        for name, runs in starts.items()
    ]
    return table(("a process that does only this", "s", "CPU s"), rows)


def _middle(runs: Sequence[Mapping[str, float]], what: str) -> float:
    return statistics.median(run[what] for run in runs)


def _sizes(sizes: Mapping[str, Any]) -> str:
    if not sizes or "failed" in sizes:
        return ""
    rows = [[name, str(one["packages"]), f"{one['bytes'] / 1e6:,.0f}"] for name, one in sizes.items()]
    return table(("installed, with all that it needs", "packages", "MB"), rows)
