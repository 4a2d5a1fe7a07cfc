"""Storage: a file is there whole, or the old one is, whatever happens meanwhile."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blemish.core.errors import BlemishError
from blemish.core.storage import atomic_file, file_digest, write_bytes, write_json, write_text

OLD, NEW = b"the old content", b"the new content" * 1000


@pytest.fixture(params=["nothing before", "old file before"])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / "made" / "file.bin"
    if request.param == "old file before":
        path.parent.mkdir()
        path.write_bytes(OLD)
    return path


def content_of(path: Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None


def others(path: Path) -> list[str]:
    """Names of all other files beside a path."""
    return [entry.name for entry in path.parent.iterdir() if entry != path] if path.parent.exists() else []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of one megabyte."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("a small disk cannot be mounted here (that takes root)")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


@settings(max_examples=15, deadline=None)
@given(content=st.binary(max_size=5000), text=st.text())
def test_what_is_written_is_read_back(
    content: bytes, text: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("written") / "a" / "b"
    write_bytes(folder / "bytes", content)
    assert (folder / "bytes").read_bytes() == content
    assert file_digest(folder / "bytes") == hashlib.sha256(content).hexdigest()
    write_text(folder / "text", text)
    assert (folder / "text").read_bytes().decode() == text
    write_json(folder / "json", {"text": text, "numbers": [1, 2.5, None]})
    assert json.loads((folder / "json").read_text()) == {"text": text, "numbers": [1, 2.5, None]}
    assert sorted(path.name for path in folder.iterdir()) == ["bytes", "json", "text"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_an_error_half_way_leaves_what_was_there(target: Path, error: type[BaseException]) -> None:
    before = content_of(target)
    with pytest.raises(error), atomic_file(target) as stream:
        stream.write(NEW[:100])
        stream.flush()
        assert content_of(target) == before, "nothing is seen before it is whole"
        raise error
    assert content_of(target) == before
    assert not others(target)


def test_a_killed_process_leaves_what_was_there(target: Path) -> None:
    before = content_of(target)
    writing = (
        "import sys, time; from pathlib import Path; from blemish.core.storage import atomic_file\n"
        "with atomic_file(Path(sys.argv[1])) as stream:\n"
        "    stream.write(b'half'); stream.flush(); print('writing', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", writing, str(target)], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None and child.stdout.readline() == b"writing\n"
        assert len(others(target)) == 1
        child.send_signal(signal.SIGKILL)
        assert child.wait() == -signal.SIGKILL
    assert content_of(target) == before
    write_bytes(target, NEW)
    assert content_of(target) == NEW


def test_a_full_disk_is_said_and_leaves_the_old_file(small_disk: Path) -> None:
    path = small_disk / "file.bin"
    write_bytes(path, OLD)
    with pytest.raises(BlemishError, match=r"file\.bin was not written because the disk is full: free some"):
        write_bytes(path, bytes(2**21))
    assert path.read_bytes() == OLD and not others(path)
    write_bytes(path, NEW)
    assert path.read_bytes() == NEW


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "file" / "below", tmp_path / "folder", tmp_path / ("n" * 300)):
        with pytest.raises(
            BlemishError, match=r"cannot be written .*: choose another place with --out"
        ) as refused:
            write_bytes(path, NEW)
        assert str(path) in str(refused.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]


def test_numbers_that_json_has_no_word_for_are_refused(target: Path) -> None:
    before = content_of(target)
    for number in (float("nan"), float("inf")):
        with pytest.raises(ValueError, match="JSON"):
            write_json(target, {"score": number})
    assert content_of(target) == before


def test_permissions_are_those_of_any_new_file(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_bytes(tmp_path / "file", NEW)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o640


def test_the_folder_is_synced_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced, sync = [], os.fsync

    def note(descriptor: int) -> None:
        synced.append(stat.S_ISDIR(os.fstat(descriptor).st_mode))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    write_bytes(tmp_path / "file", NEW)
    assert synced == [False, True]
