"""`blemish audit`: who changed which inspector, decision or key of a service, and when."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import Field

from blemish.cli.options import with_options
from blemish.cli.output import console, emit
from blemish.workflows.fields import HistoryUrl, StationHome
from blemish.workflows.request import Request

if TYPE_CHECKING:
    from blemish.station.audit import AuditEntry


class AuditRequest(Request):
    """A page of the audit log."""

    inspector: str | None = Field(None, description="Name of an inspector; all if absent.")
    limit: int = Field(50, ge=1, le=1000, description="Most entries.")
    cursor: str | None = Field(None, description="`next_cursor` of the page before.")
    home: StationHome = None
    database: HistoryUrl = None


@with_options(AuditRequest)
def audit(request: AuditRequest, json_output: bool) -> None:
    """Show who changed what, newest first: inspectors, their decisions, and keys.

    \b
    blemish audit --inspector screw
    """
    from blemish.station.audit import AuditLog
    from blemish.workflows.station import opened_station

    with opened_station(request.home, request.database) as station:
        page = AuditLog(station.database).page(request.inspector, request.limit, request.cursor)
    if json_output:
        emit({"entries": [_document(one) for one in page.entries], "next_cursor": page.next_cursor})
        return
    for one in page.entries:
        console.print(f"{one.time:%Y-%m-%d %H:%M:%S}  {one.by}  {one.action}  {_what(one)}".rstrip())
    if not page.entries:
        console.print("Nothing was changed yet.")
    if page.next_cursor:
        console.print(f"Older ones: --cursor {page.next_cursor}")


def _document(entry: AuditEntry) -> dict[str, Any]:
    return vars(entry) | {"time": entry.time.isoformat(), "detail": dict(entry.detail)}


def _what(entry: AuditEntry) -> str:
    """What was changed, in a few words."""
    if entry.inspector is None:
        return str(entry.detail.get("key", ""))
    moved = entry.version_before not in (None, entry.version_after)
    before = f"version {entry.version_before} -> " if moved else ""
    note = entry.detail.get("note") or entry.detail.get("after", {}).get("note")
    return f"{entry.inspector}, {before}version {entry.version_after}" + (f": {note}" if note else "")
