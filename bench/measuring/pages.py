"""Figures as Markdown, and their places in the pages that show them."""

from __future__ import annotations

import os
import platform
import re
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from blemish import __version__
from blemish.core.storage import write_text

ROOT = Path(__file__).resolve().parents[2]
MEASUREMENTS = ROOT / "docs" / "measurements.md"
PERFORMANCE = ROOT / "docs" / "performance.md"
README = ROOT / "README.md"


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; the first column is text, the others stand to the right."""
    rule = ["---", *["---:"] * (len(header) - 1)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (header, rule, *rows))


def origin() -> str:
    """One sentence: the command that is running, when, on which machine, and how busy that is."""
    given = [argument for argument in sys.argv[1:] if argument != "--write"]
    # Where somebody keeps his files is nobody's business.
    shown = [Path(a).name if Path(a).is_absolute() else a for a in given]
    command = " ".join(["python", Path(sys.argv[0]).resolve().relative_to(ROOT).as_posix(), *shown])
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    load = f", load average {os.getloadavg()[0]:.1f} at the end" if hasattr(os, "getloadavg") else ""
    return f"`{command}` on {datetime.now(UTC):%Y-%m-%d}, Blemish {__version__}, {processor()}, {cores} cores{load}."


def processor() -> str:
    """The CPU's name."""
    try:
        described = Path("/proc/cpuinfo").read_text("utf-8")
    except OSError:
        return platform.processor() or platform.machine()
    found = re.search(r"model name\s*:\s*(.+)", described)
    return found[1].strip() if found else platform.machine()


def write_block(page: Path, name: str, text: str) -> None:
    """Replace what stands between `<!-- figures: NAME -->` and `<!-- end -->` in a page.

    Raises:
        SystemExit: the page has no such place.
    """
    before = page.read_text("utf-8")
    pattern = re.compile(rf"(<!-- figures: {re.escape(name)} -->\n).*?(<!-- end -->)", re.DOTALL)
    after, count = pattern.subn(lambda place: f"{place[1]}{text.strip()}\n{place[2]}", before)
    if count != 1:
        sys.exit(f"{page} has {count} places marked <!-- figures: {name} -->: it needs one.")
    write_text(page, after)
