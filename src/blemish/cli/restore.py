"""`blemish restore`: a station's home made of a backup."""

from __future__ import annotations

import shlex

from blemish.cli.options import verb
from blemish.cli.output import console
from blemish.workflows import backup as workflow
from blemish.workflows.backup import RestoreRequest, RestoreResult


@verb(RestoreRequest)
def restore(request: RestoreRequest) -> RestoreResult:
    """Make a home of a backup, for a station that does not run yet.

    Every file is checked, the history is brought to this version of Blemish, and the home appears whole or not at all.
    Keys go on working; everyone signs in again.

    \b
    blemish restore line-4.zip --home /var/lib/blemish-new
    """
    result = workflow.restore(request)
    restored = result.restored
    contents = restored.contents
    said = f"{len(contents.files):,} files of {contents.made:%Y-%m-%d %H:%M} UTC"
    if contents.inspections is not None:
        said += f", {contents.inspections:,} inspections"
    console.print(f"Restored: {restored.home} ({said})")
    if restored.forgotten:
        console.print(f"{restored.forgotten:,} photographs are not in the backup; the history says so.")
    if contents.inspections is None:
        console.print(
            "The history is not in the backup: restore it with pg_restore --dbname=URL.", style="yellow"
        )
    console.print(f"Start it: blemish serve --home {shlex.quote(str(restored.home))}")
    return result
