"""`blemish inspect`: a verdict for every photograph. Imports only what runs on the line."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from blemish.cli.options import verb
from blemish.cli.output import console, messages
from blemish.workflows import inspect as workflow
from blemish.workflows.fields import Executor
from blemish.workflows.inspect import InspectRequest, InspectResult

if TYPE_CHECKING:
    from blemish.line.results import Result
    from blemish.workflows.inspect_on_cluster import ClusterInspectResult

_NAMED = 12
"""At most so many names of files left out in the summary."""

_REGIONS = 3
"""At most so many regions are explained in text; results.json has them all."""


@verb(InspectRequest)
def inspect(request: InspectRequest) -> InspectResult | ClusterInspectResult:
    """Pass or reject photographs, and show where.

    Folders are searched for images, sub-folders too. A file that cannot be inspected is named, and the others
    go on. Exit status 1 if anything was rejected, not judged, failed or left out, 130 after Ctrl-C: what was
    judged is kept, and --resume goes on.

    \b
    blemish inspect part.blemish photo.png new/ --out verdicts/
    blemish inspect part.blemish new/ --out verdicts/ --explain
    blemish inspect part.blemish s3://archive/2041/ --out verdicts/ --save none --executor ray --address auto
    """
    if request.executor == Executor.RAY:
        return _on_cluster(request)
    found = workflow.inspect(request, _tell)
    counts = Counter(str(result.verdict or "failed") for result in found.results if not result.left_out)
    said = [
        f"{counts[name]} {name}"
        for name in ("pass", "review", "reject", "not judged", "failed")
        if counts[name]
    ]
    left_out = [result.path.name for result in found.results if result.left_out]
    said += [_left_out(left_out)] if left_out else []
    if earlier := sum(result.earlier is not None for result in found.results):
        said.append(f"{earlier} of them by an earlier run")
    photographs = len(found.results) - len(left_out)
    console.print(f"{photographs} photographs: {', '.join(said)}", style="bold")
    if request.out is not None and not found.trouble:
        console.print(f"Overlays and results: {request.out}")
    if found.trouble:
        messages.print(found.trouble, style="red")
    if found.stopped:
        messages.print(_stopped(request, found), style="yellow")
    return found


def _on_cluster(request: InspectRequest) -> ClusterInspectResult:
    """The same on a cluster, where results are too many for a line each."""
    from blemish.workflows.inspect_on_cluster import inspect_on_cluster

    found = inspect_on_cluster(request)
    said = [f"{count} {name}" for name, count in sorted(found.counts.items(), key=lambda one: -one[1])]
    said += [f"{found.earlier} of them by an earlier run"] if found.earlier else []
    console.print(f"{found.total} photographs: {', '.join(said)}", style="bold")
    console.print(f"Results: {found.folder}")
    if found.stopped:
        messages.print("Stopped by Ctrl-C: the same command with --resume goes on.", style="yellow")
    return found


def _left_out(names: Sequence[str]) -> str:
    """How many files are no photographs, and which."""
    further = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{len(names)} left out ({', '.join(names[:_NAMED])}{further})"


def _stopped(request: InspectRequest, found: InspectResult) -> str:
    """What Ctrl-C has left, and the command to go on."""
    said = f"Stopped by Ctrl-C after {len(found.results)} of {found.count}"
    if request.out is None:
        return f"{said}: their results stand above; with --out they would be kept for --resume."
    command = ["blemish", "inspect", request.inspector, *request.paths, "--out", request.out]
    command += ["--explain"] if request.explain else []
    command += [] if request.save == workflow.Save.ALL else ["--save", request.save]
    command += [] if request.file_name is None else ["--file-name", request.file_name]
    command += [word for pattern in request.ignore for word in ("--ignore", pattern)]
    written = " ".join(shlex.quote(str(word)) for word in [*command, "--resume"])
    return f"{said}: their results are kept in {request.out}. To go on: {written}"


def _tell(result: Result) -> None:
    """One line: `REJECT  score 3.1 / 2.4  p 0.003  2 regions  photo.png`."""
    if result.error:
        messages.print(f"ERROR   {result.error}", style="red")
    inspection = result.inspection
    if inspection is None:
        return
    count = len(inspection.regions)
    regions = f"  {count} region{'s' if count != 1 else ''}" if count else ""
    if not inspection.gives_map:
        regions = "  (shows no place)"
    parts = ", ".join(f"{name} p {p_value:.2g}" for name, p_value in inspection.parts.items())
    said = f"  ({parts})" if parts else ""
    kind = f"  {named}" if (named := inspection.type_in_words()) else ""
    if counted := inspection.parts_in_words():
        regions = f"  {counted}{regions}"
    if inspection.reason is not None:
        said = f"  {inspection.reason}{said}"
    if inspection.mask_probability is not None:
        said = f"  mask probability {inspection.mask_probability:.3g}{said}"
    style = {"pass": "green", "review": "yellow", "reject": "bold red", "not judged": "magenta"}[
        inspection.verdict
    ]
    console.print(
        f"{inspection.verdict.upper():<7} score {inspection.score:.4g} / {inspection.threshold:.4g}  "
        f"p {inspection.p_value:.3f}{kind}  {result.path}{regions}{said}",
        style=style,
    )
    if result.why is not None:
        console.print(f"        {result.why['sentence']}", style="dim")
        for number, region in enumerate(result.why["regions"][:_REGIONS], 1):
            console.print(f"        region {number}: {region['sentence']}", style="dim")
