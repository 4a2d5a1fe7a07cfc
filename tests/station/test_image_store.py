"""Kept images: the policy, names that could lead elsewhere, and what is removed."""

from __future__ import annotations

import hashlib
import os
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from blemish.core.errors import NotFoundError, UsageError
from blemish.core.types import Verdict
from blemish.station.image_store import ImageStore, KeepPolicy

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)


def keep(store: ImageStore, content: bytes, days_ago: float = 0) -> str:
    digest = hashlib.sha256(content).hexdigest()
    assert store.keep(content, ".png", Verdict.REJECT) == ".png"
    path = store.path(digest, ".png")
    assert path is not None
    moment = (NOW - timedelta(days=days_ago)).timestamp()
    os.utime(path, (moment, moment))
    return digest


@pytest.mark.parametrize(
    ("policy", "kept"),
    [("all", list(Verdict)), ("rejects", [Verdict.REVIEW, Verdict.REJECT, Verdict.NOT_JUDGED]), ("none", [])],
)
def test_the_policy_says_what_is_kept(tmp_path: Path, policy: str, kept: list[Verdict]) -> None:
    store = ImageStore(tmp_path, KeepPolicy(policy))
    assert [verdict for verdict in Verdict if store.keep(verdict.encode(), ".jpg", verdict)] == kept
    assert store.trouble is None


def test_an_image_is_kept_once_under_its_digest_and_read_back(tmp_path: Path) -> None:
    store, content = ImageStore(tmp_path), os.urandom(5000)
    digest = keep(store, content)
    keep(store, content)
    assert store.path(digest, ".png") == tmp_path / digest[:2] / f"{digest}.png"
    assert [path.name for path in tmp_path.rglob("*.*")] == [f"{digest}.png"]
    assert store.read(digest, ".png") == content
    assert store.bytes_used == ImageStore(tmp_path).bytes_used == 5000


@pytest.mark.parametrize("digest", ["", "../../etc/passwd", "0" * 63, "A" * 64, "0" * 64 + "\n", "0" * 64])
@pytest.mark.parametrize("suffix", [".png", "", "/../x", ".py"])
def test_nothing_else_can_be_read(tmp_path: Path, digest: str, suffix: str) -> None:
    store = ImageStore(tmp_path)
    assert store.path(digest, suffix) is None
    with pytest.raises(NotFoundError, match="not kept"):
        store.read(digest, suffix)


@pytest.mark.parametrize("suffix", ["", ".svg", "/../../x.png", ".PNG", ".png\0"])
def test_only_suffixes_of_images_are_written(tmp_path: Path, suffix: str) -> None:
    with pytest.raises(UsageError, match="suffix"):
        ImageStore(tmp_path).keep(b"x", suffix, Verdict.REJECT)
    assert list(tmp_path.rglob("*")) == []


def test_old_images_go(tmp_path: Path) -> None:
    store = ImageStore(tmp_path, KeepPolicy("all", days=10))
    old, new = keep(store, b"old", days_ago=10.1), keep(store, b"new", days_ago=9.9)
    assert store.prune(NOW) == [old]
    assert store.path(old, ".png") is None
    assert store.read(new, ".png") == b"new"
    assert store.bytes_used == 3
    assert store.prune(NOW) == []


def test_the_oldest_go_until_the_rest_fits(tmp_path: Path) -> None:
    store = ImageStore(tmp_path, KeepPolicy("all", gigabytes=2500e-9))
    digests = [keep(store, bytes([n]) * 1000, days_ago=10 - n) for n in range(5)]
    assert store.prune(NOW) == digests[:3]
    assert store.bytes_used == 2000


def test_an_image_seen_again_counts_as_new(tmp_path: Path) -> None:
    store = ImageStore(tmp_path, KeepPolicy("all", days=10))
    digest = keep(store, b"again", days_ago=20)
    assert store.keep(b"again", ".png", Verdict.PASS) == ".png"
    assert store.prune(datetime.now(UTC)) == []
    assert store.read(digest, ".png") == b"again"


def test_strange_files_are_left_alone_and_interrupted_ones_removed(tmp_path: Path) -> None:
    store = ImageStore(tmp_path, KeepPolicy("all", days=1))
    digest = keep(store, b"x", days_ago=0)
    folder = tmp_path / digest[:2]
    (folder / "notes.txt").write_text("mine")
    (tmp_path / "readme").write_text("mine")
    interrupted = folder / f".{digest}.png.abc.part"
    interrupted.write_bytes(b"half")
    os.utime(interrupted, (0, 0))
    os.utime(folder / "notes.txt", (0, 0))
    assert store.prune(NOW) == []
    assert sorted(path.name for path in folder.iterdir()) == sorted([f"{digest}.png", "notes.txt"])


def test_a_place_that_cannot_be_written_is_trouble_and_no_error(tmp_path: Path) -> None:
    (tmp_path / "images").write_text("a file where the folder should be")
    store = ImageStore(tmp_path / "images", KeepPolicy("all"))
    assert store.keep(b"x", ".png", Verdict.REJECT) is None
    assert "Images are not kept in" in str(store.trouble)


def test_many_threads_may_keep_the_same_image(tmp_path: Path) -> None:
    store, content, answers = ImageStore(tmp_path), os.urandom(10_000), []

    def work() -> None:
        answers.append(store.keep(content, ".png", Verdict.REJECT))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [".png"] * 8
    assert store.read(hashlib.sha256(content).hexdigest(), ".png") == content
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == 1


@pytest.mark.parametrize(
    "changes", [{"keep": "some"}, {"days": 0}, {"gigabytes": -1}, {"days": float("nan")}]
)
def test_policies_that_cannot_be_meant_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        KeepPolicy(**changes)
