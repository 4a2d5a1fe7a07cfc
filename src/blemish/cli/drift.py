"""`blemish drift`: whether light, lens or parts have changed, what moved, and since when. Needs no torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blemish.cli.options import verb
from blemish.cli.output import console, print_table
from blemish.workflows import drift as workflow
from blemish.workflows.drift import DriftRequest, DriftResult

if TYPE_CHECKING:
    from blemish.station.drift_report import Drift, StatisticDrift

_STYLES = {"learning": None, "steady": "green", "drifted": "bold yellow"}


@verb(DriftRequest)
def drift(request: DriftRequest) -> DriftResult:
    """Say whether light, lens or parts have changed.

    Of what a station has inspected, or of photographs where there is none: these are judged in the order of their
    names, and watched as a station would. Exit status 1 where something has changed, or a photograph was left out.

    \b
    blemish drift
    blemish drift screw --home /var/lib/blemish
    blemish drift screw --learn-anew --by anna --note "new lamp"
    blemish drift screw.blemish photographs/
    """
    result = workflow.drift(request)
    for place, one in enumerate(result.drifts):
        if place:
            console.print("")
        _print(one)
    for past in result.ended:
        console.print(f"  earlier: {past}")
    if not result.drifts:
        console.print("No inspector is active at this station.")
    return result


def _print(drift: Drift) -> None:
    version = "" if drift.version is None else f", version {drift.version}"
    console.print(f"{drift.inspector}{version}: {drift.state}", style=_STYLES[drift.state])
    console.print(f"  {drift.message}")
    rate = f"{drift.parts_per_false_alarm:,.0f}"
    parts = f"{drift.n:,} parts, {drift.n_passed:,} of them passed"
    console.print(f"  {parts}; by mistake a change is told once in {rate} parts at most")
    console.print("")
    rows = [["  watched", "before", "now", "evidence"]]
    rows += [
        [f"  {one.statistic}", _figure(one.before), _figure(one.now), _evidence(one)]
        for one in drift.statistics
    ]
    print_table(rows, 1)


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"


def _evidence(one: StatisticDrift) -> str:
    return "changed" if one.evidence >= 1 else f"{one.evidence:.0%}"
