"""Know the photographs before trusting a model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from blemish.core.storage import write_json, write_table
from blemish.workflows.data_request import DataRequest
from blemish.workflows.fields import (
    CategoryName,
    ClusterAddress,
    ClusterWorkers,
    Executor,
    ExecutorName,
    Images,
    WeightsFiles,
)
from blemish.workflows.request import Outcome

if TYPE_CHECKING:
    from blemish.explore.exploration import Exploration
    from blemish.explore.looking import Lookers

NO_MAP = "none"


class ExploreRequest(DataRequest):
    """Explore one or several categories."""

    data: Images
    out: Path = Field(description="Folder for report.html, exploration.json, images.csv.")
    category: CategoryName = None
    backbone: str = Field(
        "efficientnet_lite0", description="Network for the map of the images; `none` leaves it out."
    )
    weights: WeightsFiles = Field({})
    handcrafted: bool = Field(
        True, description="Compare good and defective images by handcrafted features too."
    )
    executor: ExecutorName = Executor.LOCAL
    address: ClusterAddress = None
    workers: ClusterWorkers = None


@dataclass(frozen=True)
class ExploreResult(Outcome):
    """What was found; the thumbnails behind `exploration` are deleted, its numbers stay."""

    exploration: Exploration
    report: Path

    def to_json(self) -> dict[str, Any]:
        """The result as JSON-ready values; docs/explore.md explains each key."""
        return {**self.exploration.to_json(), "report": str(self.report)}


def explore(request: ExploreRequest) -> ExploreResult:
    """Decode every photograph once, and write report, numbers and table.

    What is wrong with the photographs is a finding and never an error.

    Raises:
        CatalogError: there is nothing to explore.
        UsageError: there is no such backbone, or the weights are of another.
        BlemishError: its weights cannot be had, or a file cannot be written.
    """
    from blemish.data.catalog import open_catalogs
    from blemish.data.categories import open_category
    from blemish.detectors.chosen import check_weights, file_of
    from blemish.explore.exploration import explore_catalogs
    from blemish.explore.findings import problem_of
    from blemish.explore.report import write_report
    from blemish.workflows.on_cluster import cluster_of
    from blemish.workflows.problems import say_problems

    data, out = request.data, request.out
    wanted = request.backbone != NO_MAP
    check_weights(request.weights, [request.backbone] if wanted else [])
    told, category = request.told, request.category
    catalogs = (
        [open_category(data, category, told=told, guess=True)]
        if category
        else open_catalogs(data, told, guess=True)
    )
    backbone, weights = (
        (request.backbone, file_of(request.weights, request.backbone)) if wanted else (None, None)
    )
    cluster = cluster_of(request.executor, request.address, request.workers)
    with (
        cluster as ray,
        explore_catalogs(
            catalogs, _lookers(ray, backbone, weights, request.workers), request.handcrafted
        ) as exploration,
    ):
        result = ExploreResult(exploration, out / "report.html")
        say_problems([problem for one in exploration.findings if (problem := problem_of(one))], data)
        write_report(exploration, result.report, f"{data.resolve().name}: exploration")
        write_json(out / "exploration.json", result.to_json())
        write_table(out / "images.csv", exploration.table().to_csv(index=False))
    return result


def _lookers(ray: Any, backbone: str | None, weights: Path | None, workers: int | None) -> Lookers:
    """Who looks at the photographs: workers of the cluster, or threads here."""
    if ray is not None:
        from blemish.explore.cluster_survey import ClusterLookers

        return ClusterLookers(ray, backbone, weights, workers)
    from blemish.explore.backbone import embedding
    from blemish.explore.looking import Threads

    return Threads(embedding(backbone, weights) if backbone else None)
