"""The defects of a gallery that look alike, taken together."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from blemish.workflows.fields import GalleryLocation
from blemish.workflows.index_defects import existing_gallery
from blemish.workflows.request import Outcome, Request

if TYPE_CHECKING:
    from blemish.gallery.clusters import Clusters


class ClusterDefectsRequest(Request):
    """Cluster the defects of a gallery."""

    gallery: GalleryLocation = None
    category: str | None = Field(None, description="Only defects of this category.")
    min_cluster_size: int = Field(5, ge=2, le=1000, description="Fewer defects alike are no cluster.")
    most: int = Field(
        5000, ge=1, le=10_000, description="Only so many of the newest of each category, for memory and time."
    )
    report: Path | None = Field(None, description="HTML file with pictures of each cluster.")


@dataclass(frozen=True)
class ClusterDefectsResult(Outcome):
    """The clusters, and the report if one was asked for."""

    clusters: Clusters
    report: Path | None

    def to_json(self) -> dict[str, Any]:
        """The result as JSON-ready values."""
        return {**self.clusters.to_json(), "report": None if self.report is None else str(self.report)}


def cluster_defects(request: ClusterDefectsRequest) -> ClusterDefectsResult:
    """Find the clusters of each category's vectors by density (HDBSCAN), and what is new.

    Raises:
        UsageError: there is no gallery there.
        GalleryError: the gallery cannot be opened or read.
        MissingExtraError: scikit-learn is not installed.
    """
    from blemish.explore.clusters import cluster_vectors
    from blemish.gallery.clusters import find_clusters
    from blemish.gallery.gallery import Gallery

    with Gallery(existing_gallery(request.gallery)) as gallery:
        groups = gallery.groups(request.category, request.most)
    clustering = partial(cluster_vectors, min_cluster_size=request.min_cluster_size)
    found = find_clusters(groups, clustering)
    if request.report is not None:
        _write_report(found, request.report)
    return ClusterDefectsResult(found, request.report)


def _write_report(found: Clusters, out: Path) -> None:
    from blemish.gallery.cluster_report import write_report
    from blemish.station.defect_pictures import close_picture
    from blemish.station.home import default_home
    from blemish.station.image_store import ImageStore

    images = ImageStore(default_home() / "images")
    write_report(found, out, lambda defect: close_picture(defect, images))
