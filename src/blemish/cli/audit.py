"""`blemish audit`: who changed which inspector, decision or key of a service, and when."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from blemish.cli.options import with_options
from blemish.cli.output import console, emit
from blemish.workflows.request import Option, Request

if TYPE_CHECKING:
    from blemish.station.audit import AuditEntry


class AuditRequest(Request):
    """A page of the audit log."""

    inspector: str | None = Field(None, description="Name of an inspector; all if absent.")
    limit: int = Field(50, ge=1, le=1000, description="Most entries.")
    cursor: str | None = Field(None, description="`next_cursor` of the page before.")
    home: Path | None = Field(None, description="Folder of the service; BLEMISH_HOME if absent.")
    database: Annotated[str | None, Option(environment="BLEMISH_DATABASE")] = Field(
        None, description="URL of the history, if not in the home."
    )


@with_options(AuditRequest)
def audit(request: AuditRequest, json_output: bool) -> None:
    """Show who changed what, newest first: inspectors, their decisions, and keys.

    \b
    blemish audit --inspector screw
    """
    from blemish.station.audit import AuditLog
    from blemish.station.database import Database
    from blemish.station.home import Home

    opened = Database(request.database or Home(request.home).database_url)
    opened.upgrade()
    page = AuditLog(opened).page(request.inspector, request.limit, request.cursor)
    opened.close()
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
    before = "" if entry.version_before is None else f"version {entry.version_before} -> "
    note = entry.detail.get("after", {}).get("note")
    return f"{entry.inspector}, {before}version {entry.version_after}" + (f": {note}" if note else "")
