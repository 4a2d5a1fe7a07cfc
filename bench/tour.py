"""Run README's tour and put what the commands print under them.

    python bench/tour.py [--write]

The tour is README's `console` blocks: their `$ ` lines are run one after the other in one empty folder, and what
they print on stdout replaces what stood below them. Progress, on stderr, is left out.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from measuring.pages import README

from blemish.core.storage import write_text

BLOCK = re.compile(r"(?<=^```console\n).*?(?=^```$)", re.DOTALL | re.MULTILINE)
WIDTH = "110"


def run(line: str, folder: Path) -> str:
    """What a command line prints on stdout; it may end with 1, as something may be rejected."""
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    own = {"PATH": programs, "COLUMNS": WIDTH, "BLEMISH_CACHE": str(folder / ".cache")}
    done = subprocess.run(
        line, shell=True, cwd=folder, env={**os.environ, **own}, stdout=subprocess.PIPE, text=True
    )
    if done.returncode > 1:
        sys.exit(f"README's command ended with status {done.returncode}: {line}")
    return "\n".join(text.rstrip() for text in done.stdout.splitlines())


def main() -> None:
    """Run the tour, print the page's blocks anew, and with --write put them into README."""
    parser = argparse.ArgumentParser(description="Run README's tour.")
    parser.add_argument("--write", action="store_true", help="write the outputs into README.md")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:

        def rerun(block: re.Match[str]) -> str:
            lines = [line for line in block[0].splitlines() if line.startswith("$ ")]
            shown = [f"{line}\n{run(line[2:], Path(folder))}".rstrip() + "\n" for line in lines]
            print("\n".join(shown), flush=True)
            return "\n".join(shown)

        page = BLOCK.sub(rerun, README.read_text("utf-8"))
    if options.write:
        write_text(README, page)


if __name__ == "__main__":
    main()
