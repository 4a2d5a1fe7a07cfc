"""Photographs of passes are held for a while, so that a missed defect can be kept."""

from __future__ import annotations

import hashlib
import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from blemish.core.errors import NotFoundError, UsageError
from blemish.core.types import Verdict
from blemish.station.bounded_files import BoundedFiles
from blemish.station.image_store import ImageStore, KeepPolicy

POLICY = KeepPolicy(buffer_megabytes=0.003, reserve_gigabytes=0)


def opened(home: Path, policy: KeepPolicy = POLICY, gone: list[str] | None = None) -> ImageStore:
    gone = [] if gone is None else gone
    return ImageStore(home / "images", policy, home / "buffer", gone.append)


def hold(store: ImageStore, content: bytes) -> str:
    assert store.keep(content, ".png", Verdict.PASS) is None
    return hashlib.sha256(content).hexdigest()


def test_a_pass_is_held_and_kept_once_it_is_found_defective(tmp_path: Path) -> None:
    store, content = opened(tmp_path), os.urandom(1000)
    digest = hold(store, content)
    assert store.where(digest, None) == "buffered" and store.read(digest, None) == content
    assert (store.bytes_used, store.bytes_buffered) == (0, 1000)
    assert store.keep_held(digest) == ".png"
    assert store.read(digest, ".png") == content and store.where(digest, None) is None
    assert (store.bytes_used, store.bytes_buffered) == (1000, 0)
    for _ in range(5):
        hold(store, os.urandom(1000))
    assert store.read(digest, ".png") == content
    assert store.keep_held(digest) == ".png"  # as after an end between the file and the log


def test_the_oldest_make_room_also_after_a_restart(tmp_path: Path) -> None:
    gone: list[str] = []
    store = opened(tmp_path, gone=gone)
    digests = [hold(store, bytes([n]) * 1000) for n in range(5)]
    assert [store.where(one, None) for one in digests] == [None, None, "buffered", "buffered", "buffered"]
    assert gone == digests[:2]
    with pytest.raises(NotFoundError, match="no longer held"):
        store.read(digests[0], None)
    assert store.keep_held(digests[0]) is None
    hold(store, bytes([2]) * 1000)  # seen again: it is the newest now
    again = opened(tmp_path, gone=gone)
    assert again.bytes_buffered == 3000
    newest = hold(again, bytes([9]) * 1000)
    assert [again.where(one, None) for one in digests] == [None, None, "buffered", None, "buffered"]
    assert again.read(newest, None) == bytes([9]) * 1000
    smaller = opened(tmp_path, KeepPolicy(buffer_megabytes=0.001, reserve_gigabytes=0), gone)
    assert smaller.bytes_buffered == 1000 and smaller.where(newest, None) == "buffered"


@pytest.mark.parametrize("policy", [KeepPolicy("none"), KeepPolicy("rejects", buffer_megabytes=0)])
def test_none_means_none(tmp_path: Path, policy: KeepPolicy) -> None:
    held = hold(opened(tmp_path), b"held by an earlier policy")
    store = opened(tmp_path, policy)
    digest = hold(store, b"pass")
    for one in (held, digest):
        assert store.where(one, None) is None and store.keep_held(one) is None
        with pytest.raises(NotFoundError, match="--keep"):
            store.read(one, None)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_days_hold_for_passes_too(tmp_path: Path) -> None:
    gone: list[str] = []
    store = opened(tmp_path, KeepPolicy(days=1, buffer_megabytes=1, reserve_gigabytes=0), gone)
    old, new = hold(store, b"old"), hold(store, b"new")
    yesterday = (datetime.now(UTC) - timedelta(days=1.1)).timestamp()
    os.utime(tmp_path / "buffer" / old[:2] / f"{old}.png", (yesterday, yesterday))
    assert store.prune(datetime.now(UTC)) == []
    assert (store.where(old, None), store.where(new, None), gone) == (None, "buffered", [old])


def test_what_a_power_failure_has_cut_short_is_not_shown(tmp_path: Path) -> None:
    store = opened(tmp_path)
    digest = hold(store, b"whole")
    (tmp_path / "buffer" / digest[:2] / f"{digest}.png").write_bytes(b"who")
    with pytest.raises(NotFoundError):
        store.read(digest, None)
    assert store.keep_held(digest) is None


def test_a_full_disk_stops_the_holding_alone(tmp_path: Path) -> None:
    store = opened(tmp_path, KeepPolicy(reserve_gigabytes=1e9))
    digest = hold(store, b"pass")
    assert store.where(digest, None) is None and store.trouble is not None


def test_a_negative_buffer_is_refused() -> None:
    with pytest.raises(UsageError, match="buffer_megabytes"):
        KeepPolicy(buffer_megabytes=-1)


WRITER = textwrap.dedent("""
    import os, sys
    from pathlib import Path
    from blemish.core.types import Verdict
    from blemish.station.image_store import ImageStore, KeepPolicy
    home = Path(sys.argv[1])
    store = ImageStore(home / "images", KeepPolicy(buffer_megabytes=1, reserve_gigabytes=0), home / "buffer")
    while True:
        store.keep(os.urandom(20_000), ".png", Verdict.PASS)
        print("held", flush=True)
""")


def test_kill_9_leaves_whole_files_within_the_bound(tmp_path: Path) -> None:
    chance = random.Random(3)
    for _ in range(3):
        command = [sys.executable, "-c", WRITER, str(tmp_path)]
        writer = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert writer.stdout is not None and writer.stdout.readline()
        time.sleep(chance.uniform(0, 0.15))
        writer.send_signal(signal.SIGKILL)
        writer.communicate()
    held = BoundedFiles(tmp_path / "buffer", 1_000_000)
    paths = [path for path in (tmp_path / "buffer").rglob("*.png") if not path.name.startswith(".")]
    assert len(held) == len(paths) > 0 and held.bytes_used <= 1_000_000
    for path in paths:
        assert hashlib.sha256(path.read_bytes()).hexdigest() == path.stem
