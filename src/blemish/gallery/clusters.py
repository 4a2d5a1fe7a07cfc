"""Defects that look alike, taken together: what kind each group likely is, and what is new."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from blemish.core.types import FloatArray
from blemish.gallery.defect import Defect, DescribedDefects

Clustering = Callable[[FloatArray], npt.NDArray[np.int64]]
"""Gives of N x D vectors the number of each one's cluster, from 0, and -1 for those in none."""


@dataclass(frozen=True)
class Cluster:
    """Defects of one category that look alike.

    Attributes:
        number: from 1, among all clusters that were found together.
        category: of its members.
        defects: its members, the most typical first.
    """

    number: int
    category: str
    defects: tuple[Defect, ...]

    @property
    def types(self) -> dict[str, int]:
        """Members of each defect type that was given, most frequent first."""
        given = Counter(one.defect_type for one in self.defects if one.defect_type is not None)
        return dict(sorted(given.items(), key=lambda item: (-item[1], item[0])))

    @property
    def defect_type(self) -> str | None:
        """What most of its members that have a type are called: what the others likely are too; None where none has."""
        return next(iter(self.types), None)

    @property
    def is_new(self) -> bool:
        """Whether nobody has named any of its members yet."""
        return not self.types

    @property
    def headline(self) -> str:
        """What it is, in a few words: `scratch: 12 of 15 are called so`."""
        if self.is_new:
            return f"New: {len(self.defects)} alike, none has been named yet"
        return f"{self.defect_type}: {self.types[str(self.defect_type)]} of {len(self.defects)} are called so"

    def to_json(self) -> dict[str, Any]:
        """The cluster as JSON-ready values."""
        return {
            "number": self.number,
            "category": self.category,
            "defect_type": self.defect_type,
            "types": self.types,
            "is_new": self.is_new,
            "defects": [defect.to_json() for defect in self.defects],
        }


@dataclass(frozen=True)
class Clusters:
    """What a gallery holds, by looks.

    Attributes:
        clusters: the new ones first, then the largest.
        single: defects that are in no cluster, newest first: of a new kind, or of one seen too seldom.
        total: defects that the gallery holds of these categories; more than were looked at where these were limited.
    """

    clusters: tuple[Cluster, ...]
    single: tuple[Defect, ...]
    total: int

    @property
    def count(self) -> int:
        """Defects that were looked at."""
        return sum(len(cluster.defects) for cluster in self.clusters) + len(self.single)

    @property
    def sentence(self) -> str:
        """The result in plain words."""
        new = sum(cluster.is_new for cluster in self.clusters)
        said = f"{self.count:,} defects: {len(self.clusters)} clusters"
        said += f", {new} of them new" if new else ""
        said += f", and {len(self.single):,} defects in none."
        if self.total > self.count:
            said += f" The newest of {self.total:,} entries were looked at, each photograph once."
        return said

    def to_json(self) -> dict[str, Any]:
        """The clusters as JSON-ready values."""
        return {
            "count": self.count,
            "total": self.total,
            "clusters": [cluster.to_json() for cluster in self.clusters],
            "single": [defect.to_json() for defect in self.single],
        }


def find_clusters(groups: Sequence[DescribedDefects], clustering: Clustering) -> Clusters:
    """Cluster each category for itself: types of different categories are not the same thing.

    Args:
        groups: as `Gallery.groups` gives them.
        clustering: gives the clusters of one group's vectors.
    """
    found: list[tuple[str, tuple[Defect, ...]]] = []
    single: list[Defect] = []
    for group in groups:
        labels = clustering(group.vectors) if group.defects else np.empty(0, np.int64)
        for label in range(int(labels.max(initial=-1)) + 1):
            members = np.flatnonzero(labels == label)
            found.append((group.category, tuple(group.defects[place] for place in _typical(group, members))))
        single += [group.defects[place] for place in np.flatnonzero(labels < 0)]
    clusters = [Cluster(0, category, defects) for category, defects in found]
    clusters.sort(key=lambda one: (not one.is_new, -len(one.defects)))
    return Clusters(
        tuple(Cluster(number, one.category, one.defects) for number, one in enumerate(clusters, 1)),
        tuple(sorted(single, key=lambda defect: defect.time, reverse=True)),
        sum(group.total for group in groups),
    )


def _typical(group: DescribedDefects, members: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Members of a cluster, those nearest to its mean direction first."""
    vectors = group.vectors[members]
    return members[np.argsort(-(vectors @ vectors.mean(axis=0)), kind="stable")]
