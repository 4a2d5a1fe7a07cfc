"""A PostgreSQL of one's own for a measurement, from Debian's binaries, in a folder that may be kept."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SETTINGS = {"shared_buffers": "1GB", "maintenance_work_mem": "512MB", "max_wal_size": "4GB"}
"""Other than as it comes; what is committed is on the disk, as it comes."""


@contextmanager
def postgresql(folder: Path) -> Iterator[str]:
    """Run a server on `folder`, which is made if it holds none; the URL of its database, on the loopback.

    Raises:
        SystemExit: PostgreSQL is not installed.
    """
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        sys.exit("PostgreSQL is not installed: apt-get install postgresql.")
    programs, data = found[-1].parent, folder / "data"
    as_user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []  # it refuses to run as root
    folder.mkdir(parents=True, exist_ok=True)
    if as_user:
        shutil.chown(folder, "postgres")

    def run(*arguments: object) -> None:
        command = [*as_user, *map(str, arguments)]
        subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True)

    if not data.exists():
        run(programs / "initdb", "-D", data, "-U", "blemish", "-A", "trust", "-E", "UTF8")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    set_so = " ".join(f"-c {name}={value}" for name, value in SETTINGS.items())
    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 {set_so}"
    run(programs / "pg_ctl", "-D", data, "-l", folder / "log.txt", "-w", "-t", 120, "-o", options, "start")
    try:
        yield f"postgresql://blemish@127.0.0.1:{port}/postgres"
    finally:
        run(programs / "pg_ctl", "-D", data, "-m", "fast", "-w", "stop")
