"""`/v1/keys`: who may use the server, and as what."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query

from blemish.server.access_documents import KeyDocument, KeysDocument, NewKeyDocument, NewKeyRequest
from blemish.server.authentication import Admin
from blemish.server.routes.running import Running
from blemish.station.records import NAME_PATTERN

router = APIRouter(tags=["keys"])

KeyName = Annotated[str, Path(pattern=NAME_PATTERN, description="Name of the key.")]
LastAdmin = Annotated[bool, Query(description="Also if it is the last key of an admin.")]


@router.get("/v1/keys")
def keys(service: Running, caller: Admin) -> KeysDocument:
    """All people and programs that are known, each by a key with a role."""
    return KeysDocument(keys=[KeyDocument.of(key, caller.name) for key in service.keys.list()])


@router.post("/v1/keys", status_code=201)
def create(service: Running, caller: Admin, request: NewKeyRequest) -> NewKeyDocument:
    """Make a key; this answer alone has it."""
    token = service.keys.create(request.name, request.role, caller.name)
    return NewKeyDocument(name=request.name, role=request.role, key=token)


@router.delete("/v1/keys/{name}", status_code=204)
def revoke(service: Running, caller: Admin, name: KeyName, last_admin: LastAdmin = False) -> None:
    """Make a key worthless: requests with it and sessions begun with it end within two seconds."""
    service.keys.revoke(name, caller.name, last_admin)
