"""Faults: killed in the middle of writing, a full disk, two processes at once."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from blemish.core.errors import DatabaseError
from blemish.core.types import Verdict
from blemish.station.database import Database
from blemish.station.image_store import ImageStore, KeepPolicy
from blemish.station.log import InspectionLog
from blemish.station.records import NewInspection

# Logs batches for ever; prints the names of each batch once `add` has returned.
WRITER = textwrap.dedent("""
    import sys
    from conftest import make_inspection
    from blemish.station.database import Database
    from blemish.station.log import InspectionLog
    url, name, batches = sys.argv[1], sys.argv[2], int(sys.argv[3])
    log = InspectionLog(Database(url))
    for batch in range(batches):
        names = [f"{name}-{batch}-{k}" for k in range(8)]
        log.add([make_inspection(batch, file_name=name) for name in names])
        print(*names, flush=True)
""")


def start_writer(url: str, name: str, batches: int = 10**6) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, url, name, str(batches)],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])},
    )


def test_what_was_acknowledged_survives_kill_9(database_url: str) -> None:
    opened = Database(database_url)
    opened.upgrade()
    acknowledged: list[str] = []
    chance = random.Random(6)
    for attempt in range(6):
        writer = start_writer(database_url, f"writer-{attempt}")
        assert writer.stdout is not None
        first = writer.stdout.readline()
        time.sleep(chance.uniform(0, 0.2))
        writer.send_signal(signal.SIGKILL)
        lines = (first + writer.communicate()[0]).split("\n")
        acknowledged += [name for line in lines[:-1] for name in line.split()]  # the last line may be cut
    names = [record.file_name for record in InspectionLog(opened).records()]
    assert len(acknowledged) >= 48
    assert set(acknowledged) <= set(names)
    assert len(names) == len(set(names))
    assert len(names) % 8 == 0, "a batch was logged in part"
    assert len(names) - len(acknowledged) <= 6 * 16
    assert opened.check_integrity() == []
    opened.close()


def test_two_processes_write_while_a_third_reads(database_url: str) -> None:
    opened = Database(database_url)
    opened.upgrade()
    log = InspectionLog(opened)
    writers = [start_writer(database_url, f"writer-{n}", 40) for n in range(2)]
    while any(writer.poll() is None for writer in writers):
        records = list(log.records())
        assert len(records) % 8 == 0, "a batch was seen in part"
        time.sleep(0.01)
    names = [name for writer in writers for name in writer.communicate()[0].split()]
    assert [writer.returncode for writer in writers] == [0, 0]
    assert sorted(record.file_name for record in log.records()) == sorted(names)
    assert len({record.id for record in log.records()}) == 2 * 40 * 8
    opened.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 2 MB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "none", str(disk)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("a small disk can only be mounted by root")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


def test_a_full_disk_stops_the_images_and_not_the_judging(
    small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = ImageStore(small_disk / "images", KeepPolicy("all", reserve_gigabytes=0))
    kept, rest = [], []
    for number in range(8):
        content = bytes([number]) * 600_000
        (kept if store.keep(content, ".png", Verdict.PASS) else rest).append(content)
    assert len(kept) == 3
    assert store.trouble is not None
    assert "no space left on device" in store.trouble
    assert "\n" not in store.trouble
    assert store.bytes_used == 1_800_000
    assert all(not path.name.startswith(".") for path in small_disk.rglob("*") if path.is_file())
    # Space comes back, but the disk is left alone for half a minute.
    next(path for path in small_disk.rglob("*.png")).unlink()
    assert store.keep(rest[0], ".png", Verdict.PASS) is None
    later = time.monotonic() + 31
    monkeypatch.setattr(time, "monotonic", lambda: later)
    assert store.keep(rest[0], ".png", Verdict.PASS) == ".png"
    assert store.trouble is None


def test_images_leave_room_for_the_database(small_disk: Path) -> None:
    store = ImageStore(small_disk / "images", KeepPolicy("all", reserve_gigabytes=0.001))
    kept = [store.keep(bytes([n]) * 300_000, ".png", Verdict.PASS) for n in range(6)]
    assert kept == [".png"] * 3 + [None] * 3
    assert "are left to the database" in str(store.trouble)
    (small_disk / "database").write_bytes(bytes(900_000))


def test_a_full_disk_refuses_the_batch_and_harms_nothing(
    small_disk: Path, inspection: Callable[..., NewInspection]
) -> None:
    opened = Database(f"sqlite:///{small_disk / 'blemish.db'}")
    opened.upgrade()
    log = InspectionLog(opened)
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(1_200_000))
    written: list[int] = []
    with pytest.raises(DatabaseError, match=r"full \(free some space\)"):
        for batch in range(2000):
            written += log.add([inspection(batch * 8 + k) for k in range(8)])
    assert written
    assert [record.id for record in log.records()] == written
    ballast.unlink()
    written += log.add([inspection(10**6)])
    assert [record.id for record in log.records()] == written
    assert opened.check_integrity() == []
    opened.close()
