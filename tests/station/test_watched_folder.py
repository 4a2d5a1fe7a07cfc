"""A watched folder gives every photograph that others write into it, once, and whole."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from source_runs import encoded, running, write_slowly

from blemish.station.sources import folder, listing
from blemish.station.sources.folder import WatchedFolder
from blemish.station.sources.listing import WatchedTree, is_unfinished
from blemish.station.sources.settings import FolderSource


def watched(path: Path, **settings: object) -> WatchedFolder:
    return WatchedFolder(
        FolderSource.model_validate({"name": "line", "path": path, "interval": 0.02} | settings)
    )


def test_what_is_renamed_into_the_folder_counts_at_once(tmp_path: Path) -> None:
    with running(watched(tmp_path, settle_seconds=5)) as run:
        content = encoded(1)
        (tmp_path / "1.png.part").write_bytes(content)
        (tmp_path / ".2.png").write_bytes(content)
        (tmp_path / "3.png~").write_bytes(content)
        time.sleep(0.15)
        assert run.arrivals == []
        (tmp_path / "1.png.part").rename(tmp_path / "1.png")
        run.wait_for(lambda: bool(run.arrivals), seconds=2)
        [arrival] = run.arrivals
        assert arrival.photograph.content == content and arrival.photograph.file_name == "1.png"
        assert arrival.origin == tmp_path / "1.png"
        assert time.monotonic() - arrival.closed < 2


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp", ".tiff", ".webp"])
def test_a_slow_writer_is_waited_for(tmp_path: Path, suffix: str) -> None:
    content = encoded(2, suffix)
    with running(watched(tmp_path)) as run:
        write_slowly(tmp_path / f"slow{suffix}", content, pieces=6, pause=0.06)
        run.wait_for(lambda: bool(run.arrivals))
        time.sleep(0.1)
        assert [one.photograph.content for one in run.arrivals] == [content]
        assert run.source.state().refused == 0


def test_a_writer_that_was_killed_is_told_once_and_moved_aside(tmp_path: Path) -> None:
    folder, aside = tmp_path / "in", tmp_path / "in" / "aside"
    folder.mkdir()
    program = (
        "import sys, time; stream = open(sys.argv[1], 'wb'); stream.write(sys.stdin.buffer.read()); stream.flush(); "
        "print('written', flush=True); time.sleep(60)"
    )
    content = encoded(3, side=200)
    writer = subprocess.Popen(
        [sys.executable, "-c", program, folder / "cut.png"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert writer.stdin is not None and writer.stdout is not None
    with running(watched(folder, subfolders=True, aside=aside, patience_seconds=0.4)) as run:
        writer.stdin.write(content[: len(content) // 2])
        writer.stdin.close()
        assert writer.stdout.readline() == b"written\n"
        writer.kill()
        writer.wait()
        writer.stdout.close()
        run.wait_for(lambda: (aside / "cut.png").exists())
        (folder / "good.png").write_bytes(content)
        run.wait_for(lambda: bool(run.arrivals))
        time.sleep(0.5)
        assert run.names == ["good.png"]
        assert run.source.state().refused == 1


def test_the_sentence_says_what_was_wrong_until_the_next_photograph(tmp_path: Path) -> None:
    with running(watched(tmp_path, patience_seconds=0.1, settle_seconds=0.05, max_bytes=4096)) as run:
        (tmp_path / "text.png").write_text("no photograph")
        run.wait_for(lambda: run.source.state().refused == 1)
        assert "text.png was not judged: it is no photograph" in str(run.source.state().trouble)
        (tmp_path / "large.bmp").write_bytes(encoded(1, ".bmp"))
        run.wait_for(lambda: run.source.state().refused == 2)
        assert "more than the limit of 4,096" in str(run.source.state().trouble)
        (tmp_path / "notes.txt").write_text("no photograph, and does not say so")
        (tmp_path / "by-content").write_text("no photograph yet")
        (tmp_path / "good.png").write_bytes(encoded(4, side=16))
        run.wait_for(lambda: bool(run.arrivals))
        (tmp_path / "by-content").write_bytes(encoded(5, ".jpg", side=16))
        run.wait_for(lambda: len(run.arrivals) == 2)
        time.sleep(0.3)
        assert run.source.state().trouble is None and run.source.state().refused == 2


def test_a_restart_gives_only_what_was_not_judged(tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / f"{number}.png").write_bytes(encoded(number))
        os.utime(tmp_path / f"{number}.png", ns=(10**18 - number, 10**18 - number))
    with running(watched(tmp_path)) as run:
        run.wait_for(lambda: len(run.arrivals) == 3)
        assert run.names == ["2.png", "1.png", "0.png"], "the oldest first"
        keys = {str(one.key) for one in run.arrivals}
    assert len(keys) == 3
    (tmp_path / "3.png").write_bytes(encoded(3))
    (tmp_path / "1.png").write_bytes(encoded(11))
    with running(watched(tmp_path), known=keys.__contains__) as run:
        run.wait_for(lambda: len(run.arrivals) == 2)
        time.sleep(0.1)
        assert sorted(run.names) == ["1.png", "3.png"]
    with running(watched(tmp_path, existing=False)) as run:
        run.wait_for(lambda: run.source.state().connected)
        (tmp_path / "4.png").write_bytes(encoded(4))
        run.wait_for(lambda: bool(run.arrivals))
        assert run.names == ["4.png"]


def test_a_copy_whose_time_is_set_at_the_end_is_one_photograph(tmp_path: Path) -> None:
    with running(watched(tmp_path)) as run:
        (tmp_path / "copied.png").write_bytes(encoded(5))
        run.wait_for(lambda: bool(run.arrivals))
        os.utime(tmp_path / "copied.png", (10**9, 10**9))
        time.sleep(0.2)
        assert len(run.arrivals) == 1
        (tmp_path / "copied.png").write_bytes(encoded(6))
        run.wait_for(lambda: len(run.arrivals) == 2)


def test_a_share_that_goes_is_said_and_comes_back(tmp_path: Path) -> None:
    share = tmp_path / "share"
    with running(watched(share)) as run:
        run.wait_for(lambda: run.source.state().trouble is not None)
        assert not run.source.state().connected and "no such file" in str(run.source.state().trouble)
        share.mkdir()
        (share / "1.png").write_bytes(encoded(1))
        run.wait_for(lambda: len(run.arrivals) == 1)
        assert run.source.state().connected and run.source.state().trouble is None
        share.rename(tmp_path / "gone")
        run.wait_for(lambda: not run.source.state().connected)
        (tmp_path / "gone" / "2.png").write_bytes(encoded(2))
        (tmp_path / "gone").rename(share)
        run.wait_for(lambda: len(run.arrivals) == 2)
        assert run.names == ["1.png", "2.png"]


def test_a_share_that_hangs_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = threading.Event()
    answers.set()
    listed = os.listdir

    def listdir(path: str) -> list[str]:
        answers.wait(30)
        return listed(path)

    monkeypatch.setattr(listing.os, "listdir", listdir)
    monkeypatch.setattr(folder, "_HANGS_AFTER", 0.2)
    with running(watched(tmp_path)) as run:
        run.wait_for(lambda: run.source.state().connected)
        answers.clear()
        run.wait_for(lambda: "has not answered for" in str(run.source.state().trouble))
        assert not run.source.state().connected
        (tmp_path / "1.png").write_bytes(encoded(1))
        answers.set()
        run.wait_for(lambda: bool(run.arrivals))
        assert run.source.state().connected and run.source.state().trouble is None


def test_folders_that_come_and_go_are_forgotten(tmp_path: Path) -> None:
    tree = WatchedTree(tmp_path, True, lambda name: False)
    for day in range(5):
        (tmp_path / f"day-{day}" / "shift").mkdir(parents=True)
        (tmp_path / f"day-{day}" / "shift" / "1.png").write_bytes(encoded(day))
        assert [found.name for found in tree.news()] == [f"day-{day}/shift/1.png"]
        shutil.rmtree(tmp_path / f"day-{day}")
    assert tree.news() == []
    assert len(tree._folders) == 1


def test_subfolders_and_what_is_ignored(tmp_path: Path) -> None:
    (tmp_path / "day" / "one").mkdir(parents=True)
    (tmp_path / "passed").mkdir()
    (tmp_path / "loop").symlink_to(tmp_path)
    with running(watched(tmp_path, subfolders=True, ignore=("passed", "*.bak.png"))) as run:
        (tmp_path / "day" / "one" / "a.png").write_bytes(encoded(1))
        (tmp_path / "passed" / "b.png").write_bytes(encoded(2))
        (tmp_path / "c.bak.png").write_bytes(encoded(3))
        run.wait_for(lambda: bool(run.arrivals))
        (tmp_path / "night").mkdir()
        (tmp_path / "night" / "d.png").write_bytes(encoded(4))
        run.wait_for(lambda: len(run.arrivals) == 2)
        shutil.rmtree(tmp_path / "day")
        (tmp_path / "e.png").write_bytes(encoded(5))
        run.wait_for(lambda: len(run.arrivals) == 3)
        time.sleep(0.1)
        assert run.names == ["day/one/a.png", "night/d.png", "e.png"]
    with running(watched(tmp_path)) as run:
        run.wait_for(lambda: len(run.arrivals) == 2)
        assert sorted(run.names) == ["c.bak.png", "e.png"]


def test_nothing_is_lost_and_nothing_doubled_under_load(tmp_path: Path) -> None:
    """300 photographs from two writers in three ways, with half of them moved away as soon as they are given."""
    contents = [encoded(number, [".png", ".jpg", ".bmp"][number % 3], 32) for number in range(300)]
    moved = tmp_path / "moved"
    moved.mkdir()
    folder = tmp_path / "in"
    folder.mkdir()
    with running(watched(folder)) as run:
        for number, content in enumerate(contents):
            path = folder / f"{number:03d}{['.png', '.jpg', '.bmp'][number % 3]}"
            if number % 2:
                path.write_bytes(content)
            else:
                (folder / f"{number}.tmp").write_bytes(content)
                (folder / f"{number}.tmp").rename(path)
            for arrival in run.arrivals[number // 4 : number // 4 + 1]:
                if arrival.origin is not None and arrival.origin.exists():
                    arrival.origin.rename(moved / arrival.origin.name)
        run.wait_for(lambda: len(run.arrivals) >= 300)
        time.sleep(0.2)
        assert sorted(one.photograph.content for one in run.arrivals) == sorted(contents)


def test_a_look_into_many_old_photographs_costs_little(tmp_path: Path) -> None:
    content = encoded(1, side=8)
    (tmp_path / "first.png").write_bytes(content)
    for number in range(3000):
        os.link(tmp_path / "first.png", tmp_path / f"{number}.png")
    os.utime(tmp_path, (time.time() - 60, time.time() - 60))
    tree = WatchedTree(tmp_path, False, lambda name: False)
    started = time.thread_time()
    assert len(tree.news()) == 3001
    first = time.thread_time() - started
    end = time.monotonic() + 3.0  # past the coarsest clock
    while time.monotonic() < end:
        assert tree.news() == []
        time.sleep(0.05)
    looks = []
    for _ in range(40):
        started = time.thread_time()
        assert tree.news() == []
        looks.append(time.thread_time() - started)
        time.sleep(0.005)
    assert np.median(looks) < first / 5
    (tmp_path / "17.png").unlink()
    (tmp_path / "17.png").write_bytes(encoded(17, side=8))
    assert [found.name for _ in range(30) for found in tree.news()] == ["17.png"]
    (tmp_path / "new.png").write_bytes(content)
    assert [found.name for found in tree.news()] == ["new.png"]


@pytest.mark.parametrize(
    ("name", "unfinished"),
    [
        ("a.png", False),
        ("a.PNG.tmp", True),
        ("a.part", True),
        (".a.png", True),
        ("a.png~", True),
        ("~$a.png", True),
    ],
)
def test_names_of_what_is_not_finished(name: str, unfinished: bool) -> None:
    assert is_unfinished(name) is unfinished
