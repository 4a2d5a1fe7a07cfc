"""`blemish insight`: what the log says of the process, as text, report and table. Needs no torch."""

from __future__ import annotations

from blemish.cli.options import verb
from blemish.cli.output import console, print_table
from blemish.workflows import insight as workflow
from blemish.workflows.insight import InsightRequest, InsightResult


@verb(InsightRequest)
def insight(request: InsightRequest) -> InsightResult:
    """Say what the history tells of the process: defects, places, rates, shifts.

    Pareto of defect types, where they sit, first-pass yield, p-chart and CUSUM of the reject rate, shifts, batches,
    cameras and hours compared, what changed when, and new kinds of defects.

    \b
    blemish insight screw --out week.html --csv week.csv
    blemish insight screw --since 2026-11-01 --by batch
    blemish insight screw --since 24h --shift night --json
    """
    result = workflow.insight(request)
    found = result.insight
    from blemish.station.insight.findings import percent

    console.print(found.inspector, style="bold")
    console.print(f"  {result.headline}")
    for said in result.findings:
        console.print(f"  - {said}")
    for by, groups in found.groups.items():
        if request.by == by or (request.by is None and by in ("shift", "camera")):
            console.print("")
            rows = [[f"  {by}", "judged", "rejected", "rate", "interval", ""]]
            rows += [
                [f"  {one.name}", f"{one.n:,}", f"{one.rejected:,}", percent(one.rate),
                 f"{percent(one.low)} to {percent(one.high)}", "differs" if one.differs else ""]
                for one in groups
            ]  # fmt: skip
            print_table(rows, 1)
    if found.kinds_trouble:
        console.print(f"  {found.kinds_trouble}")
    for path in (result.report, result.table):
        if path is not None:
            console.print(f"Written: {path}")
    return result
