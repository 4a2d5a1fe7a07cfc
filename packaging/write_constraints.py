"""Write the versions of all that is installed beside this Python into constraints.txt.

    .venv/bin/python packaging/write_constraints.py

Run by `make constraints`; commit what it writes when `make check test` has passed with these versions.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

CONSTRAINTS = Path(__file__).resolve().parents[1] / "constraints.txt"
HEAD = f"""\
# The set of versions that was tested, on Python {sys.version_info.major}.{sys.version_info.minor} and {sys.platform}: \
`make setup` installs these, `make constraints` renews them.
# Where one of them has no wheel for your Python or system: make CONSTRAINTS= setup
"""


def installed() -> list[str]:
    """A line `NAME==VERSION` for every package from a registry, sorted."""
    command = [
        sys.executable,
        "-m",
        "pip",
        "freeze",
        "--all",
        "--exclude-editable",
        "--disable-pip-version-check",
    ]
    freeze = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    # `torch==2.6.0+cpu` is a build that the registry does not have.
    pins = [line.partition("+")[0] for line in freeze.splitlines() if "==" in line and line[0] != "#"]
    return sorted((pin for pin in pins if pin.partition("==")[0] not in ("blemish", "pip")), key=str.lower)


def main() -> None:
    """Write the file, and say how many there are."""
    pins = installed()
    CONSTRAINTS.write_text(HEAD + "\n".join(pins) + "\n", "utf-8")
    print(f"{CONSTRAINTS.name}: {len(pins)} versions")


if __name__ == "__main__":
    main()
