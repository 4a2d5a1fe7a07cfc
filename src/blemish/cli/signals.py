"""`blemish signals`: what sinks have still to get, and what they refuse."""

from __future__ import annotations

from blemish.cli.options import verb
from blemish.cli.output import console
from blemish.workflows import signals as workflow
from blemish.workflows.signals import SignalsRequest, SignalsResult


@verb(SignalsRequest)
def signals(request: SignalsRequest) -> SignalsResult:
    """Show which signals wait for the sinks of a home's stations, and which were refused for good and set aside.

    Those set aside are sent again once the receiver is mended; a sink that was taken out of the configuration is
    dropped. The station may run meanwhile.

    \b
    blemish signals
    blemish signals --send-again mes
    blemish signals --drop old-broker
    """
    result = workflow.signals(request)
    if result.changed is not None:
        console.print(
            f"{result.changed} signals {'are sent again' if request.send_again else 'are dropped'}."
        )
    for station, sink, counts in result.sinks:
        since = f" since {counts.oldest.astimezone():%Y-%m-%d %H:%M:%S}" if counts.oldest else ""
        console.print(f"{station}  {sink}: {counts.waiting} wait{since}, {counts.set_aside} set aside")
    for station, one in result.set_aside:
        console.print(f"{station}  {one.sink}, inspection {one.inspection_id}: {one.problem}")
    if not result.sinks:
        console.print("Nothing waits.")
    return result
