"""The command `blemish`: one place where every error becomes one sentence and an exit status.

Exit status: 0 all went well; 1 something was rejected or failed; 2 the command itself was wrong; 130 stopped
with Ctrl-C. With `--json` an error is one document too, `{"error": sentence, "exit_status": number}` on
stdout, so a program that calls Blemish always has something to parse; the sentence is on stderr in any case.

Nothing heavy may be imported here or at the top of a verb's file.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Sequence
from typing import Annotated

import typer

from blemish import __version__
from blemish.cli.output import emit
from blemish.cli.verbs import VerbGroup
from blemish.core.explanation import explained
from blemish.core.own_process import collect_seldom

# Plain help: Rich would draw boxes, and take as long again to load.
app = typer.Typer(
    name="blemish",
    cls=VerbGroup,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"blemish {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def blemish(
    context: typer.Context,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and end."),
    ] = False,
) -> None:
    """Visual defect inspection that learns from photographs of good parts, on a plain CPU.

    \b
    blemish fit photographs/ --out part.blemish        learn from good parts
    blemish evaluate part.blemish photographs/         measure, on good and bad parts
    blemish inspect part.blemish new/ --out verdicts/  pass or reject, and where

    Exit status: 0 all is well, 1 something was rejected or failed, 2 the command was wrong.
    """
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one verb and end the process with its exit status."""
    collect_seldom()
    given = list(sys.argv[1:] if arguments is None else arguments)
    options = given[: given.index("--")] if "--" in given else given
    debug, json_output = "--debug" in options, "--json" in options
    # Taken out, so that it may stand anywhere: people add it to the end of the line that failed.
    rest = [option for option in options if option != "--debug"] + given[len(options) :]
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # file names are bytes, and need not be text
    try:
        status = app(rest, prog_name="blemish", standalone_mode=False)
    except BaseException as error:
        if isinstance(error, SystemExit):
            raise
        if debug:
            traceback.print_exception(error)
        status, sentence = _explained(error, given)
        _report(sentence, status, json_output)
    else:
        if status == 130:  # Typer has caught Ctrl-C
            _report("Stopped by Ctrl-C.", 130, json_output)
    sys.exit(status if isinstance(status, int) else 0)


def _explained(error: BaseException, arguments: Sequence[str]) -> tuple[int, str]:
    """Exit status and sentence for an error."""
    if isinstance(error, typer.Abort):
        return explained(KeyboardInterrupt(), "")
    if hasattr(error, "format_message"):  # Typer's own, of a class that moved between its versions
        return 2, _usage_sentence(error)
    verb = next((word for word in arguments if not word.startswith("-")), "This")
    return explained(error, f"blemish {verb}")


def _usage_sentence(error: BaseException) -> str:
    """What was wrong with the command, and where it is explained."""
    message = str(error.format_message())  # type: ignore[attr-defined]
    context = getattr(error, "ctx", None)
    if context is None or "Usage:" in message:
        return message
    if message.endswith("?"):  # it asks whether another verb was meant
        return f"{message} See {context.command_path} --help."
    return f"{message.rstrip('.')}: see {context.command_path} --help."


def _report(sentence: str, status: int, json_output: bool) -> None:
    """Say what went wrong: on stderr, and as a document where one was asked for."""
    sys.stderr.write(sentence + "\n")
    if json_output:
        emit({"error": sentence, "exit_status": status})
