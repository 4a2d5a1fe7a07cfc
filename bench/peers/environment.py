"""The peer's environment: anomalib in exact versions, in a virtual environment of its own, never beside Blemish.

    python bench/peers/environment.py [FOLDER]

FOLDER is made once, and prints its interpreter; below the user's cache if absent. What is installed stands in
bench/peers/anomalib.txt.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import platformdirs

PINNED = Path(__file__).with_name("anomalib.txt")
CACHE = Path(platformdirs.user_cache_dir("blemish")) / "peers"
_MADE = ".made"
"""A file inside that holds the digest of the list that was installed: without it a folder is half-made."""


def peer_python(folder: Path = CACHE / "anomalib") -> Path:
    """The interpreter of the peer's environment, which is made first where it is absent or of other versions.

    Args:
        folder: of the environment; outside the checkout, or ignored by git.

    Raises:
        SystemExit: it cannot be installed; one sentence says why.
    """
    python = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    digest = hashlib.sha256(PINNED.read_bytes()).hexdigest()
    made = folder / _MADE
    if made.is_file() and made.read_text("utf-8") == digest and python.is_file():
        return python
    if folder.exists() and not (folder / "pyvenv.cfg").is_file():
        sys.exit(f"{folder} exists and is no virtual environment: name another folder.")
    print(
        f"Installing {PINNED.name} into {folder}: once, some minutes and 6 GB.", file=sys.stderr, flush=True
    )
    shutil.rmtree(folder, ignore_errors=True)
    try:
        venv.create(folder, with_pip=True)
    except (OSError, subprocess.CalledProcessError) as error:
        sys.exit(f"{folder} cannot be made ({error}): name another folder.")
    command = [str(python), "-m", "pip", "install", "--quiet", "--requirement", str(PINNED)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or ["pip says nothing"]
        shutil.rmtree(folder, ignore_errors=True)
        sys.exit(
            f"{PINNED.name} cannot be installed ({said[-1].removeprefix('ERROR: ')}): is PyPI within reach?"
        )
    made.write_text(digest, "utf-8")
    return python


def main() -> None:
    """Make the environment and print its interpreter."""
    parser = argparse.ArgumentParser(description="Make the peer's virtual environment.")
    parser.add_argument("folder", nargs="?", type=Path, default=CACHE / "anomalib")
    print(peer_python(parser.parse_args().folder))


if __name__ == "__main__":
    main()
