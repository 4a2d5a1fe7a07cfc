"""Check that every command line shown in the pages is one that exists: verbs, options, scripts, make targets.

Command lines are the lines of fenced `console` or `sh` blocks (after `$ ` where outputs stand too). They are
parsed, not run.
"""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from blemish.cli.main import app

ROOT = Path(__file__).resolve().parents[1]
BLOCK = re.compile(r"^```(console|sh)\n(.*?)^```", re.DOTALL | re.MULTILINE)


def command_lines() -> Iterator[tuple[Path, str]]:
    """Page and text of every command line shown."""
    for page in [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]:
        for kind, block in BLOCK.findall(page.read_text("utf-8")):
            for line in block.replace("\\\n", " ").splitlines():
                if kind == "console" and not line.startswith("$ "):
                    continue
                text = line.removeprefix("$ ").split("  #")[0].split(" > ")[0].strip()
                yield from ((page, part) for part in text.split(" && ") if part)


def problem(text: str) -> str | None:
    """What is wrong with a command line; None if nothing is, or it is not one of ours."""
    program, *arguments = shlex.split(text, comments=True) or ["#"]
    program = program.removeprefix(".venv/bin/")
    if program == "blemish":
        return _parse(typer.main.get_command(app), arguments)
    if program == "make":
        targets = re.findall(r"^([a-z ]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
        known = {name for line in targets for name in line.split()}
        wanted = [argument for argument in arguments if "=" not in argument]
        return next((f"there is no make target {name}" for name in wanted if name not in known), None)
    if program == "python" and arguments and not (ROOT / arguments[0]).is_file():
        return f"there is no script {arguments[0]}"
    return None


def _parse(command: Any, arguments: list[str], parent: Any = None) -> str | None:
    """Parse arguments as a verb would, down to the last sub-command, without running it."""
    if {"--help", "-h", "--version"} & set(arguments):
        return None
    try:
        context = command.make_context(command.name or "blemish", list(arguments), parent=parent)
        if not hasattr(command, "resolve_command"):
            return None
        # Click keeps what belongs to the verb apart from what is left for it.
        rest = [*getattr(context, "_protected_args", []), *context.args]
        if not rest:
            return None
        _, verb, left = command.resolve_command(context, rest)
        return _parse(verb, left, context)
    except Exception as error:  # of Typer's own classes, which have moved between its versions
        return str(error.format_message() if hasattr(error, "format_message") else repr(error))


def main() -> None:
    """Check all command lines; exit status 1 if one would be refused."""
    lines = list(command_lines())
    wrong = [
        f"{page.relative_to(ROOT)}: {text}: {trouble}" for page, text in lines if (trouble := problem(text))
    ]
    print("\n".join(wrong) or f"{len(lines)} command lines, all known.")
    sys.exit(1 if wrong or not lines else 0)


if __name__ == "__main__":
    main()
