"""What a verb says: results on stdout, everything else on stderr, and with `--json` one document alone."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import typer

if TYPE_CHECKING:
    from rich.console import Console

JsonOption = Annotated[
    bool, typer.Option("--json", help="Print one JSON document on stdout instead of text.")
]


class LazyConsole:
    """A Rich console that is made when first used: `blemish --help` needs none, and Rich loads slowly.

    Text is printed as it is: `[` in a file's name is no markup, and long lines are left to the terminal.

    Attributes:
        drawing: the console that draws progress bars at the moment; it also prints what the others send to
            the same terminal, above the bars.
        muted: whether nothing is printed.
    """

    drawing: ClassVar[LazyConsole | None] = None

    def __init__(self, stderr: bool) -> None:
        self._stderr = stderr
        self.muted = False

    @cached_property
    def rich(self) -> Console:
        """The console itself."""
        from rich.console import Console

        return Console(stderr=self._stderr, markup=False, highlight=False, emoji=False)

    def print(self, *values: Any, style: str | None = None) -> None:
        """Print text (or a table, within the terminal's width) and a line end."""
        if self.muted:
            return
        target = self
        if LazyConsole.drawing is not None and self.rich.is_terminal:
            target = LazyConsole.drawing
        target.rich.print(*values, style=style, soft_wrap=all(isinstance(value, str) for value in values))


console = LazyConsole(stderr=False)
"""For results."""

messages = LazyConsole(stderr=True)
"""For everything else: problems, hints, progress."""


def print_table(rows: Sequence[Sequence[str]], names: int) -> None:
    """Print rows with aligned columns: the first `names` columns stand left, the figures right.

    On a narrow terminal the lines wrap, but no figure is cut off.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (
            text.ljust(width) if place < names else text.rjust(width)
            for place, (text, width) in enumerate(zip(row, widths, strict=True))
        )
        console.print("  ".join(cells).rstrip())


def emit(document: Any) -> None:
    """Print `document` as JSON on stdout."""
    # ASCII: a name with odd characters survives any terminal's encoding.
    sys.stdout.write(json.dumps(document, indent=2, allow_nan=False) + "\n")
    sys.stdout.flush()


@contextmanager
def results_alone(json_output: bool) -> Iterator[None]:
    """Keep what libraries print while they work (the ONNX exporter does) out of a verb's results.

    With `json_output` the text of the results is kept back too: stdout is for the document.
    """
    console.rich.file, console.muted = sys.stdout, json_output
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        del console.rich
        console.muted = False
