"""The report on clusters: one HTML file with pictures of each, which asks the network for nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC
from pathlib import Path
from typing import Any

from blemish.core.pictures import Picture, fitted, picture
from blemish.core.report_page import render_page
from blemish.core.storage import write_text
from blemish.core.types import ByteArray
from blemish.gallery.clusters import Clusters
from blemish.gallery.defect import Defect

Look = Callable[[Defect], ByteArray | None]
"""Gives a picture of a defect, uint8 RGB; None where there is none."""

PICTURES_OF_EACH = 12
MOST_PICTURES = 480
"""In the whole report, which stays under 10 MB."""

_SIDE = 224


def write_report(found: Clusters, out: Path, look: Look) -> None:
    """Write one self-contained HTML report.

    Args:
        found: the clusters.
        out: the HTML file; replaced as a whole when the report is ready.
        look: where pictures come from.

    Raises:
        BlemishError: the file cannot be written.
    """
    each = max(3, min(PICTURES_OF_EACH, MOST_PICTURES // (len(found.clusters) + 1)))
    context = {
        "title": "Clusters of past defects",
        "headline": found.sentence,
        "facts": {
            "Defects": f"{found.count:,}",
            "Clusters": f"{len(found.clusters)}",
            "New clusters": f"{sum(cluster.is_new for cluster in found.clusters)}",
            "In none": f"{len(found.single):,}",
        },
        "clusters": [
            {"cluster": one, "cards": list(_cards(one.defects, each, look))}
            for one in found.clusters[: MOST_PICTURES // 3]
        ],
        "n_clusters": len(found.clusters),
        "single": list(_cards(found.single, 2 * each, look)),
        "n_single": len(found.single),
    }
    write_text(out, render_page("blemish.gallery", "clusters.html.j2", "", context))


def _cards(defects: Sequence[Defect], most: int, look: Look) -> Iterator[dict[str, Any]]:
    """What is shown of the first defects."""
    for defect in defects[:most]:
        shown: Picture | None = None
        if (image := look(defect)) is not None:
            shown = picture(defect.defect_type or "not named", fitted(image, _SIDE), defect.name)
        yield {"defect": defect, "day": f"{defect.time.astimezone(UTC):%Y-%m-%d}", "picture": shown}
