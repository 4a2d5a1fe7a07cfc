"""`blemish bench`: how fast an inspector is on this machine, and in which precision it is best run here."""

from __future__ import annotations

from blemish.cli.options import verb
from blemish.cli.output import console, messages, print_table
from blemish.workflows import bench as workflow
from blemish.workflows.bench import BenchRequest, BenchResult


@verb(BenchRequest)
def bench(request: BenchRequest) -> BenchResult:
    """Measure an inspector on this machine: stages, throughput, memory, energy, and what precisions are worth.

    With --photographs of good parts, all precisions that the device can are compared with float32 on them and on
    defects painted into them; --write keeps the fastest that changes no verdict and no order. Exit status 1 if this
    machine does not compute what it should.

    \b
    blemish bench part.blemish
    blemish bench part.blemish --photographs good/ --write
    """
    result = workflow.bench(request)
    console.print(
        f"{request.inspector} on {result.processor}, device {result.device}, in {result.precision}",
        style="bold",
    )
    speed = result.speed
    rows = [["stage", "median ms", "p99 ms"]]
    for stage in speed.times.milliseconds:
        rows.append([stage, *(f"{value:.2f}" for value in speed.times.percentiles(stage))])
    print_table(rows, 1)
    streams = f", {speed.all_streams:.1f} with {speed.streams} streams" if speed.streams > 1 else ""
    console.print(f"Throughput  {speed.one_stream:.1f} photographs a second{streams}")
    if speed.memory is not None:
        console.print(f"Memory      {speed.memory / 2**20:.0f} MiB at most")
    joules, busy = speed.times.joules, f"{speed.times.cpu_milliseconds:.1f} ms of CPU time a photograph"
    console.print(
        f"Energy      {busy}, " + (f"{joules:.2f} J" if joules is not None else "joules not readable")
    )
    if speed.times.no_joules:
        messages.print(speed.times.no_joules)
    console.print(f"Parity      {result.parity.sentence}", style=None if result.complete else "bold red")
    for sentence in result.not_compared:
        messages.print(sentence)
    if result.compared is not None:
        _tell_precisions(result)
    if result.chosen is not None:
        choice, out = result.chosen
        console.print(f"Kept in {out}: {choice.precision} on {choice.processor}.")
    return result


def _tell_precisions(result: BenchResult) -> None:
    """A row for each precision, and which is best."""
    compared = result.compared
    assert compared is not None
    rows = [
        [
            "precision",
            "network ms",
            "times as fast",
            "other verdicts",
            "rank correlation",
            "largest error",
            "",
        ]
    ]
    for row in compared.rows:
        rows.append(
            [
                row.precision,
                f"{row.milliseconds:.1f}",
                f"{row.speed_up:.2f}",
                str(row.other_verdicts),
                f"{row.rank_correlation:.4f}",
                f"{row.max_relative_error:.1%}",
                "keeps" if row.keeps else "does not keep",
            ]
        )
    print_table(rows, 1)
    console.print(
        f"Compared on {compared.n_good} photographs of good parts and {compared.n_painted} with painted defects; a "
        f"precision keeps if no verdict changes and ranks correlate by {compared.rank_bar:.4f} or more, as they do in "
        "float32 when pixels change by one grey level."
    )
    console.print(f"Best here: {compared.best.precision}", style="bold")
