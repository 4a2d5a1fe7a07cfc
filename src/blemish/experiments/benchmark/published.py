"""Figures that others have published for the categories of MVTec AD, each with its source.

They are context, never rivals: other preprocessing, other hardware, often another choice of threshold. A category is
taken for one of MVTec AD by its name alone.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from functools import cache
from importlib.resources import files


@dataclass(frozen=True)
class PublishedMethod:
    """What one source says of one method on one category.

    Attributes:
        category, method: which.
        figures: shares from 0 to 1 by metric: `image_auroc`, `pixel_auroc`, `image_f1`, `pixel_f1`, `aupro`,
            `precision`, `recall`, `accuracy`. An F1 is usually the best that any threshold reaches.
        source: where they stand.
        url: its address; empty where there is none.
    """

    category: str
    method: str
    figures: dict[str, float]
    source: str
    url: str


def published_methods(category: str) -> list[PublishedMethod]:
    """What is published for a category, sorted by method; nothing unless its name is one of MVTec AD's."""
    return [method for method in _all_methods() if method.category == category]


@cache
def _all_methods() -> tuple[PublishedMethod, ...]:
    text = files("blemish.experiments.benchmark").joinpath("mvtec_ad_published.csv").read_text("utf-8")
    methods: dict[tuple[str, str], PublishedMethod] = {}
    for row in csv.DictReader(io.StringIO(text)):
        empty = PublishedMethod(row["category"], row["method"], {}, row["source"], row["url"])
        method = methods.setdefault((row["category"], row["method"]), empty)
        method.figures[row["metric"]] = float(row["percent"]) / 100
    return tuple(methods.values())
