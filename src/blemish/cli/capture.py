"""`blemish capture`: collect photographs to learn from. Needs no torch."""

from __future__ import annotations

from blemish.cli.options import verb
from blemish.cli.output import console, messages
from blemish.core.file_names import shown
from blemish.workflows import capture as workflow
from blemish.workflows.capture import CaptureRequest, CaptureResult

_ENDED = {
    "count": "",
    "time": " The time is over.",
    "source": " The source has ended.",
    "interrupted": " Ended.",
}


@verb(CaptureRequest)
def capture(request: CaptureRequest) -> CaptureResult:
    """Collect photographs to learn from, each of them once.

    A photograph is kept unless one in the folder shows the same. A folder and a camera are watched until the count is
    reached, the time is over, or Ctrl-C; the same command goes on where it was left. Exit status 1 where something
    could not be read, or nothing came.

    \b
    blemish capture camera:0 --out photographs --count 200 --stillness
    blemish capture rtsp://10.0.0.7/stream --out photographs --interval 2 --seconds 3600
    blemish capture line.mp4 --out photographs --every 10
    blemish capture /mnt/line --out photographs --count 500
    """
    result = workflow.capture(request)
    console.print(
        f"{shown(result.out)}: {result.kept:,} new photographs, {result.total:,} in all; {result.alike:,} showed what "
        f"another shows, {result.dropped:,} frames were dropped.{_ENDED[result.ended]}"
    )
    for name, detail in result.left_out:
        messages.print(f"{shown(name)}: {shown(detail)}", style="yellow")
    if result.trouble is not None:
        messages.print(shown(result.trouble), style="yellow")
    return result
