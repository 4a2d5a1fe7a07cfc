"""`/v1/gallery`: the past defects as a whole."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from blemish.server.authentication import Viewer
from blemish.server.documents import DefectType
from blemish.server.gallery_documents import ClustersDocument
from blemish.server.routes.running import Running

router = APIRouter(tags=["gallery"])


@router.get("/v1/gallery/clusters")
def clusters(
    service: Running,
    caller: Viewer,
    category: Annotated[DefectType | None, Query()] = None,
    min_cluster_size: Annotated[int, Query(ge=2, le=1000)] = 5,
) -> ClustersDocument:
    """Which of the newest 2,000 defects of each category look alike, what they likely are, and what is new."""
    return ClustersDocument.model_validate(service.gallery.clusters(category, min_cluster_size).to_json())
