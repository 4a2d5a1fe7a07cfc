"""`blemish demo`: the whole way once, on the generated sample line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from blemish.cli.output import JsonOption, console, emit, stray_prints_on_stderr

if TYPE_CHECKING:
    from blemish.workflows.demo import DemoResult


def demo(
    out: Annotated[Path, typer.Option("--out", help="Folder for everything the demo makes.")] = Path(
        "runs/demo"
    ),
    json_output: JsonOption = False,
) -> None:
    """Go the whole way once, on generated parts.

    Generates the sample line, learns an inspector for each of its six categories, and measures them all.

    \b
    blemish demo --out runs/demo
    """
    from blemish.cli.reporter import reporter_for
    from blemish.core.progress import use_reporter
    from blemish.workflows.demo import DemoRequest
    from blemish.workflows.demo import demo as go

    with use_reporter(reporter_for(json_output)), stray_prints_on_stderr():
        result = go(DemoRequest(out=out))
    emit(result.to_json(), json_output, lambda: _print(result, out))


def _print(result: DemoResult, out: Path) -> None:
    """The figures, where things lie, and what to type next."""
    from blemish.cli.evaluate import metrics_table

    category = result.folders[-1].name
    test = out / "sample-line" / category / "test"
    console.print(metrics_table(result.evaluations))
    console.print(f"\nAll done in {result.seconds:.0f} s. Open the report in a browser:")
    console.print(f"  {result.report.resolve()}")
    console.print("Then inspect parts and look at the overlays:")
    console.print(f"  blemish inspect {out / category}.blemish {test} --out {out / 'verdicts'}")
    console.print("With photographs of your own (a folder of good parts is enough):")
    console.print("  blemish fit PHOTOGRAPHS --out part.blemish")
    console.print("  blemish inspect part.blemish NEW_PHOTOGRAPHS --out verdicts")
