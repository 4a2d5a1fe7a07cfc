"""What was measured on the test photographs, as a table. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from blemish.server.laboratory.fragments import escaped, table

_HEAD = (
    "Learnt",
    "Image AUROC",
    "95 % interval",
    "Pixel AUROC",
    "AUPRO",
    "Max F1",
    "Recall at the threshold",
    "Good parts rejected",
    "ms a photograph",
)


def figures_table(rows: Sequence[tuple[str, Mapping[str, Any] | None]], caption: str) -> str:
    """A row for each name and the document of its evaluation, the highest image AUROC first; what is not defined is a
    dash."""
    ordered = sorted(rows, key=lambda row: -((row[1] or {}).get("image_auroc") or -1.0))
    return table(_HEAD, [[escaped(name), *_cells(figures)] for name, figures in ordered], caption)


def counted(figures: Mapping[str, Any]) -> str:
    """On how many photographs it was measured, in words."""
    return f"{figures['n_normal']} good and {figures['n_anomalous']} defective test photographs"


def _cells(figures: Mapping[str, Any] | None) -> list[str]:
    if figures is None:
        return ["not measured", *["–"] * (len(_HEAD) - 2)]
    low, high = figures.get("image_auroc_interval") or (None, None)
    interval = "–" if low is None or high is None else f"{low:.3f} to {high:.3f}"
    rejected = figures["confusion"]["rejected_normal"]
    return [
        _figure(figures["image_auroc"]),
        interval,
        _figure(figures.get("pixel_auroc")),
        _figure(figures.get("aupro")),
        _figure(figures["image_f1"]),
        _figure(figures["recall"]),
        f"{rejected} of {figures['n_normal']}",
        f"{figures['latency_ms']['p50']:.0f}" if "latency_ms" in figures else "–",
    ]


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
