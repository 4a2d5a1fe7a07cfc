"""`blemish station`: photographs come in by themselves, verdicts go out, for weeks. Needs no torch."""

from __future__ import annotations

from blemish.cli.options import verb
from blemish.cli.output import console
from blemish.workflows import run_station as workflow
from blemish.workflows.run_station import RunStationRequest, RunStationResult


@verb(RunStationRequest)
def station(request: RunStationRequest) -> RunStationResult:
    """Run a station: sources of photographs, an inspector, and who is told.

    SIGTERM or Ctrl-C ends it; what was accepted is finished. What it says goes to standard error and to station.log in
    the home. Exit status 1 with --check where something is missing.

    \b
    blemish station --example > line.toml
    blemish station line.toml --check
    blemish station line.toml
    """
    result = workflow.run_station(request)
    if result.example:
        console.print(result.example.rstrip())
    if request.check:
        for problem in result.problems:
            console.print(problem)
        if not result.problems:
            console.print(f"{request.config}: all that it names is there.")
    if result.status is not None:
        counted = (
            ", ".join(f"{count} {verdict}" for verdict, count in result.status.verdicts.items()) or "none"
        )
        console.print(f"{result.status.name}: {sum(result.status.verdicts.values())} verdicts ({counted}).")
        if result.status.refused:
            console.print(f"{result.status.refused} photographs cannot be judged: see station.log.")
    return result
