"""The verbs of the command `blemish`: each one's file is loaded when the verb is used, not to list them all."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, MutableMapping
from typing import Any

import typer.main
from typer.core import TyperGroup

VERBS = {
    "fit": "Learn from good parts, and write an inspector.",
    "evaluate": "Measure an inspector on test photographs.",
    "stress": "Measure an inspector on disturbed photographs.",
    "inspect": "Pass or reject photographs, and show where.",
    "decide": "Show or change where an inspector rejects.",
    "learn": "Learn from corrections, and replay that on the past.",
    "view": "Show or narrow what an inspector looks at.",
    "bench": "Measure an inspector on this machine, and choose its precision.",
    "export": "Write an inspector as one graph for other runtimes.",
    "station": "Run a station: photographs come in, verdicts go out.",
    "capture": "Collect photographs to learn from, out of a folder, a video or a camera.",
    "signals": "Show which signals wait or are set aside, and send them again.",
    "shadow": "Let a version judge beside the active one, before it takes over.",
    "drift": "Say whether light, lens or parts have changed, and since when.",
    "insight": "Say what the history tells of the process.",
    "serve": "Serve API and web page.",
    "key": "API keys of the service.",
    "audit": "Show who changed which inspector, decision or key of the service.",
    "backup": "Copy a station's home while it runs.",
    "restore": "Make a station's home of a backup.",
    "gallery": "Keep defects, to find similar ones.",
    "similar": "Show past defects similar to a photograph's.",
    "check": "Find what is wrong with a folder of images.",
    "explore": "Know the images before trusting a model.",
    "features": "Write features of whole images as a table, a row an image.",
    "detectors": "List the detectors and their parameters.",
    "distil": "Make a teacher for EfficientAD.",
    "sample": "Generate the sample line to learn with.",
    "synthesize": "Paint defects into good photographs.",
    "benchmark": "Compare detectors on the same photographs.",
    "search": "Find a detector's settings on validation images.",
    "study": "Compare the classical detectors by features and split.",
    "compare-image": "Compare inspectors on one photograph.",
    "demo": "Go the whole way once, on generated parts.",
    "data": "Get real data sets that others publish.",
}
"""Every verb with what it does in a line, in the order of the help."""


class Verbs(MutableMapping[str, Any]):
    """Commands by verb, made when asked for: of the function `VERB` in `blemish.cli.VERB`, or of its `app` of more."""

    def __init__(self) -> None:
        self._made: dict[str, Any] = {}

    def __getitem__(self, verb: str) -> Any:
        if verb not in self._made:
            self[verb] = _command(verb, VERBS[verb])
        return self._made[verb]

    def __setitem__(self, verb: str, command: Any) -> None:
        self._made[verb] = command

    def __delitem__(self, verb: str) -> None:
        del self._made[verb]

    def __iter__(self) -> Iterator[str]:
        return iter(VERBS)

    def __len__(self) -> int:
        return len(VERBS)


class VerbGroup(TyperGroup):
    """A group of all verbs whose help loads none of them: reading twenty files takes longer than the answer."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = Verbs()

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the verbs with their summaries."""
        with formatter.section("Commands"):
            formatter.write_dl(list(VERBS.items()))


def _command(verb: str, summary: str) -> Any:
    """The command of a verb."""
    name = verb.replace("-", "_")
    module = importlib.import_module(f"blemish.cli.{name}")
    group = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
    if hasattr(module, "app"):
        group.add_typer(module.app, name=verb, short_help=summary)
    else:
        group.command(verb, short_help=summary)(getattr(module, name))
    return typer.main.get_group(group).commands[verb]
