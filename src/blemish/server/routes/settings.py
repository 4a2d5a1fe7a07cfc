"""`/v1/settings`: what of a running server can be looked at and changed."""

from __future__ import annotations

from fastapi import APIRouter

from blemish.server.access_documents import RetentionDocument, RetentionRequest, StorageDocument
from blemish.server.authentication import Admin, Viewer
from blemish.server.routes.running import Running
from blemish.server.storage_used import storage_used
from blemish.station.image_store import KeepPolicy

router = APIRouter(tags=["settings"])


@router.get("/v1/settings/retention")
def retention(service: Running, caller: Viewer) -> RetentionDocument:
    """Which photographs are kept, and for how long."""
    return RetentionDocument.of(service.retention.policy(), service.retention.fixed)


@router.put("/v1/settings/retention")
def set_retention(service: Running, caller: Admin, request: RetentionRequest) -> RetentionDocument:
    """Change it; what is older, or more, than it allows is removed at once, and cannot be had back."""
    policy = service.keep(KeepPolicy(request.keep, request.days, request.gigabytes), caller.name)
    return RetentionDocument.of(policy, service.retention.fixed)


@router.get("/v1/settings/storage")
def storage(service: Running, caller: Viewer) -> StorageDocument:
    """How many bytes each kind of thing takes, and how many the disk has left."""
    return StorageDocument.of(storage_used(service))
