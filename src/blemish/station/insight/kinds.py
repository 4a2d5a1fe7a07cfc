"""New kinds of defects: clusters of rejects that look alike, which nobody has named, and which begin in a span."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from blemish.gallery.clusters import Cluster

_MOST_SHOWN = 12


@dataclass(frozen=True)
class NewKind:
    """A kind of defect that appears.

    Attributes:
        since, latest: of its first and latest part.
        count: parts.
        inspections, digests: numbers and photographs of the most typical ones, at most 12.
    """

    since: datetime
    latest: datetime
    count: int
    inspections: tuple[int, ...]
    digests: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """In words."""
        return (
            f"A new kind of defect appears since {self.since:%Y-%m-%d %H:%M} UTC: {self.count} rejects look alike, and "
            "nobody has named one of them."
        )

    def to_json(self) -> dict[str, Any]:
        """As JSON-ready values."""
        return {
            "since": self.since.isoformat(),
            "latest": self.latest.isoformat(),
            "count": self.count,
            "inspections": list(self.inspections),
            "sentence": self.sentence,
        }


def new_kinds(clusters: Iterable[Cluster], since: datetime, until: datetime) -> list[NewKind]:
    """Clusters none of whose members has a name, and whose first member is of the span; the largest first."""
    found = []
    for cluster in clusters:
        times = [one.time for one in cluster.defects]
        if cluster.is_new and since <= min(times) < until:
            shown = [
                (one.inspection_id, one.image_digest)
                for one in cluster.defects
                if one.inspection_id is not None
            ][:_MOST_SHOWN]
            numbers, digests = tuple(number for number, _ in shown), tuple(digest for _, digest in shown)
            found.append(NewKind(min(times), max(times), len(times), numbers, digests))
    return sorted(found, key=lambda one: (-one.count, one.since))
