"""`/v1/audit`: who changed which inspector, decision or key, and when."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from blemish.server.authentication import Admin
from blemish.server.decision_documents import AuditDocument
from blemish.server.routes.inspections import QueryName
from blemish.server.routes.running import Running

router = APIRouter(tags=["audit"])


@router.get("/v1/audit")
def audit(
    service: Running,
    caller: Admin,
    inspector: QueryName = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str | None, Query(max_length=20)] = None,
) -> AuditDocument:
    """A page of the audit log, newest first."""
    return AuditDocument.of(service.audit.page(inspector, limit, cursor))
