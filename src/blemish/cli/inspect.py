"""`blemish inspect`: a verdict for every photograph. Imports only what runs on the line."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from blemish.cli.output import JsonOption, console, emit, messages

if TYPE_CHECKING:
    from blemish.line.photographs import Photograph
    from blemish.line.results import Result
    from blemish.line.runtime import Inspector


class Save(StrEnum):
    """Of which photographs an overlay is written."""

    ALL = "all"
    REJECTS = "rejects"
    NONE = "none"


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
    from blemish.core.progress import track, use_reporter
    from blemish.core.types import Verdict
    from blemish.line.photographs import find_photographs
    from blemish.line.results import write_results
    from blemish.line.runtime import Inspector

    photographs = find_photographs(paths, out)
    loaded = Inspector.load(inspector)
    results: list[Result] = []
    with use_reporter(reporter_for(json_output)):
        for photograph in track(photographs, f"Inspecting with {loaded.name}"):
            result = _inspect_one(loaded, photograph, out, save)
            results.append(result)
            if result.error:
                messages.print(f"ERROR   {result.error}", style="red")
            elif not json_output:
                _print_verdict(result)
    if out is not None:
        write_results(out, results)
    emit([result.to_json() for result in results], json_output, lambda: _print_summary(results, out))
    if any(result.verdict != Verdict.PASS for result in results):
        raise typer.Exit(1)


def _inspect_one(inspector: Inspector, photograph: Photograph, out: Path | None, save: Save) -> Result:
    """Inspect one photograph and write its overlay; an error becomes a result too."""
    from blemish.core.errors import ImageError
    from blemish.core.images import read_image
    from blemish.core.types import Verdict
    from blemish.line.results import Result

    path = photograph.path
    try:
        if photograph.error:
            raise photograph.error
        image = read_image(path, bit_depth=inspector.manifest.preprocessing.bit_depth)
        inspection = inspector.inspect(image)
    except ImageError as error:
        return Result(path, error=str(error), kind=error.kind)
    passed = inspection.verdict == Verdict.PASS
    if out is None or save == Save.NONE or (save == Save.REJECTS and passed):
        return Result.of(path, inspection)
    from blemish.line.overlays import write_overlay

    write_overlay(out / photograph.place, image, inspection, inspector.map_scale, inspector.pixel_threshold)
    return Result.of(path, inspection, out / photograph.place)


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


def _print_summary(results: list[Result], out: Path | None) -> None:
    """How many passed, were rejected, failed."""
    from collections import Counter

    counts = Counter(str(result.verdict or "failed") for result in results)
    said = ", ".join(
        f"{counts[name]} {name}" for name in ("pass", "review", "reject", "failed") if counts[name]
    )
    console.print(f"{len(results)} photographs: {said}", style="bold")
    if out is not None:
        console.print(f"Overlays and results: {out}")
