"""`blemish inspect`: a verdict for every photograph. Imports only what runs on the line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from blemish.cli.output import JsonOption, console, emit, messages
from blemish.workflows.inspect import Save

if TYPE_CHECKING:
    from blemish.line.results import Result


def inspect(
    inspector: Annotated[Path, typer.Argument(metavar="INSPECTOR", help="The inspector, NAME.blemish.")],
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="Photographs, and folders of them.")],
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Folder for overlays, results.json and results.csv; none if absent."),
    ] = None,
    save: Annotated[Save, typer.Option(help="Of which photographs to write overlays.")] = Save.ALL,
    json_output: JsonOption = False,
) -> None:
    """Pass or reject photographs, and show where.

    Folders are searched for images, sub-folders too. A file that cannot be inspected is named, and the others
    go on. Exit status 1 if anything was rejected or failed.

    \b
    blemish inspect part.blemish photo.png new/ --out verdicts/
    """
    from blemish.cli.reporter import reporter_for
    from blemish.core.progress import use_reporter
    from blemish.workflows.inspect import InspectRequest
    from blemish.workflows.inspect import inspect as judge

    def tell(result: Result) -> None:
        if result.error:
            messages.print(f"ERROR   {result.error}", style="red")
        elif not json_output:
            _print_verdict(result)

    request = InspectRequest(inspector=inspector, paths=tuple(paths), out=out, save=save)
    with use_reporter(reporter_for(json_output)):
        found = judge(request, tell)
    emit(found.to_json(), json_output, lambda: _print_summary(found.results, out))
    if not found.passed:
        raise typer.Exit(1)


def _print_verdict(result: Result) -> None:
    """One line: `REJECT  score 3.1 / 2.4  p 0.003  2 regions  photo.png`."""
    inspection = result.inspection
    if inspection is None:
        return
    count = len(inspection.regions)
    regions = f"  {count} region{'s' if count != 1 else ''}" if count else ""
    if not inspection.gives_map:
        regions = "  (shows no place)"
    parts = ", ".join(f"{name} p {p_value:.2g}" for name, p_value in inspection.parts.items())
    said = f"  ({parts})" if parts else ""
    style = {"pass": "green", "review": "yellow", "reject": "bold red"}[inspection.verdict]
    console.print(
        f"{inspection.verdict.upper():<7} score {inspection.score:.4g} / {inspection.threshold:.4g}  "
        f"p {inspection.p_value:.3f}  {result.path}{regions}{said}",
        style=style,
    )


def _print_summary(results: Sequence[Result], out: Path | None) -> None:
    """How many passed, were rejected, failed."""
    from collections import Counter

    counts = Counter(str(result.verdict or "failed") for result in results)
    said = ", ".join(
        f"{counts[name]} {name}" for name in ("pass", "review", "reject", "failed") if counts[name]
    )
    console.print(f"{len(results)} photographs: {said}", style="bold")
    if out is not None:
        console.print(f"Overlays and results: {out}")
