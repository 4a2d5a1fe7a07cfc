"""Progress on stderr: a bar with the remaining time on a terminal, a line now and then in a log."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from blemish.cli.output import LazyConsole, console, messages, results_alone
from blemish.core.progress import FIRST_SHOWN, Advance, PeriodicReporter, Reporter, use_reporter

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.progress import Progress, TaskID


@contextmanager
def working(json_output: bool) -> Iterator[None]:
    """Show the progress of a verb's work, and keep its results apart from everything else."""
    with use_reporter(reporter_for(json_output)), results_alone(json_output):
        yield


def reporter_for(json_output: bool) -> Reporter:
    """The reporter that suits where stderr leads.

    Where results go to the same terminal, the bar is drawn by their console, which keeps it below them.
    """
    if not messages.rich.is_terminal:
        return PeriodicReporter(lambda progress: messages.print(progress.in_words()), _say)
    return BarReporter(console if console.rich.is_terminal and not json_output else messages)


def _say(sentence: str) -> None:
    messages.print(sentence, style="yellow")


class BarReporter:
    """One bar for each running task, drawn from the first second on and gone when the task ends."""

    def __init__(self, where: LazyConsole) -> None:
        self._where = where
        self._progress: Progress | None = None
        self._running = 0

    @contextmanager
    def task(self, description: str, total: float | None, unit: str) -> Iterator[Advance]:
        """Show one task for as long as the context lasts."""
        progress = self._progress or self._start()
        self._running += 1
        bar = progress.add_task(description, total=total, unit=unit, note="")

        def advance(step: float, note: str = "") -> None:
            progress.update(bar, advance=step)
            if note:
                progress.update(bar, note=note)

        try:
            yield advance
        finally:
            self._end(progress, bar)

    def say(self, sentence: str) -> None:
        """Print one sentence, above the bars."""
        _say(sentence)

    def _start(self) -> Progress:
        self._progress = _progress_display(self._where)
        self._progress.start()
        LazyConsole.drawing = self._where
        return self._progress

    def _end(self, progress: Progress, bar: TaskID) -> None:
        progress.remove_task(bar)
        self._running -= 1
        if not self._running:
            LazyConsole.drawing = None
            progress.stop()
            self._progress = None


def _progress_display(where: LazyConsole) -> Progress:
    """A Rich progress display that leaves out tasks younger than a second."""
    from rich import progress
    from rich.filesize import decimal
    from rich.text import Text

    class Steps(progress.ProgressColumn):
        """Steps done of all, as numbers or as bytes."""

        def render(self, task: progress.Task) -> Text:
            write = decimal if task.fields.get("unit") == "bytes" else "{:,}".format
            of = f"/{write(int(task.total))}" if task.total is not None else ""
            return Text(f"{write(int(task.completed))}{of}", style="progress.download")

    class Display(progress.Progress):
        """Bars of the tasks that have run for a second."""

        def get_renderables(self) -> Iterator[RenderableType]:
            shown = [task for task in self.tasks if (task.elapsed or 0) >= FIRST_SHOWN]
            if shown:
                yield self.make_tasks_table(shown)

    return Display(
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        Steps(),
        progress.TimeRemainingColumn(compact=True),
        progress.TextColumn("left {task.fields[note]}"),
        console=where.rich,
        transient=True,
        refresh_per_second=4,
        # What others print must stay on the stream it was meant for.
        redirect_stdout=False,
        redirect_stderr=False,
    )
