"""`blemish shadow`: a version judges beside the active one before it takes over."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blemish.cli.options import verb
from blemish.cli.output import console, print_table
from blemish.workflows import shadow as workflow
from blemish.workflows.shadow import ShadowRequest, ShadowResult

if TYPE_CHECKING:
    from blemish.station.shadow_report import Share


@verb(ShadowRequest)
def shadow(request: ShadowRequest) -> ShadowResult:
    """Let a version judge beside the active one, and list where both differ.

    The server or station that runs judges each part a second time, when it has time to spare; the verdicts that count
    stay those of the active version. Without an option it says how far that has come.

    \b
    blemish shadow screw --version 4 --parts 500
    blemish shadow screw
    blemish shadow screw --activate --by anna
    blemish shadow screw --version 4 --parts 1000 --most-differences 3
    """
    result = workflow.shadow(request)
    report = result.report
    console.print(report.message)
    if not report.n:
        return result
    active, beside = report.rejected
    console.print("")
    rows = [["  active says", "beside says", "parts"]]
    print_table([*rows, *([f"  {one.active}", str(one.shadow), f"{one.n:,}"] for one in report.met)], 2)
    console.print("")
    for said, share in (
        ("verdicts that differ", report.differing),
        (f"rejected by version {report.shadow.beside}", active),
        (f"rejected by version {report.shadow.version}", beside),
    ):
        console.print(f"  {said:<26} {_in_words(share)}")
    if result.differences:
        console.print("")
        rows = [["  inspection", "active", "beside", "file"]]
        rows += [
            [f"  {one.record.id}", str(one.record.verdict), str(one.said.verdict), one.record.file_name]
            for one in result.differences
        ]
        print_table(rows, 4)
    return result


def _in_words(share: Share) -> str:
    if share.rate is None or share.interval is None:
        return "no part yet"
    low, high = share.interval
    return f"{share.rate:.2%} ({low:.2%} to {high:.2%}, 95 %)"
