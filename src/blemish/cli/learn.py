"""`blemish learn`: a better inspector from corrections, and back again."""

from __future__ import annotations

from blemish.cli.options import verb
from blemish.cli.output import console
from blemish.workflows import learn as workflow
from blemish.workflows.learn import LearnRequest, LearnResult

_SHOWN = 10


@verb(LearnRequest)
def learn(request: LearnRequest) -> LearnResult:
    """Learn from what people corrected, replay it on the past, and let it judge if nothing gets worse.

    What was found good enters the memory bank, the calibration is made anew, known defects are remembered and from ten
    on learnt. A good part that is far from all others asks a second person: another one's correction, or --confirm.
    Exit status 1 where an earlier correction would be wrong again, so that the active version goes on judging.

    \b
    blemish learn screw --from-history --home /var/lib/blemish
    blemish learn screw --from-history --confirm 4711 --by anna
    blemish learn screw --roll-back
    blemish learn screw.blemish --good rejected/good --defective missed/ --out screw-2.blemish
    """
    result = workflow.learn(request)
    console.print(result.inspector, style="bold")
    for sentence in result.sentences():
        console.print(f"  {sentence}")
    for one in result.set_aside[:_SHOWN]:
        where = one.name if one.id is None else f"{one.name}, inspection {one.id}"
        console.print(f"  not learnt from {where}: {one.detail}", style="yellow")
    if len(result.set_aside) > _SHOWN:
        console.print(f"  and {len(result.set_aside) - _SHOWN} more; --json lists them all")
    if result.out is not None:
        console.print(f"Written: {result.out}")
    elif result.replay is not None and not result.activated:
        anyway = (
            "--activate-anyway" if result.version_after is None else "--activate-anyway, or the page Versions"
        )
        console.print(f"It does not judge; by a person's word it does: {anyway}.")
    return result
