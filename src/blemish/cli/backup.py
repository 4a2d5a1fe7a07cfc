"""`blemish backup`: a copy of a station's home, made while it runs."""

from __future__ import annotations

from blemish.cli.options import verb
from blemish.cli.output import console
from blemish.workflows import backup as workflow
from blemish.workflows.backup import BackupRequest, BackupResult


@verb(BackupRequest)
def backup(request: BackupRequest) -> BackupResult:
    """Copy a station's home while it runs: history, inspectors, settings, gallery.

    The history is copied as it is at one moment, every inspector is checked by its digest, and the backup appears whole
    or not at all. Secrets are left out. Exit status 1 where a file of the home was damaged or gone; the rest is there.

    \b
    blemish backup --out /mnt/backup/line-4.zip
    blemish backup --home /var/lib/blemish --out line-4.zip --photographs
    blemish restore line-4.zip --home /var/lib/blemish-new
    """
    result = workflow.backup(request)
    made = result.backup
    contents = made.contents
    for sentence in made.left_out:
        console.print(f"Left out: {sentence}", style="yellow")
    said = f"{len(contents.files):,} files, {contents.bytes / 1e6:,.1f} MB"
    if contents.inspections is not None:
        said += f", {contents.inspections:,} inspections"
    console.print(f"Written: {made.path} ({said})")
    return result
