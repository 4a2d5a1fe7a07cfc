"""Nothing in a folder is passed over unseen: a file is judged, named with its error, left out and said, or litter."""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import pytest

from blemish.core.errors import ImageError
from blemish.core.image_files import list_folder
from blemish.core.images import decode_image

Call = Callable[..., Any]

PHOTOGRAPHS = {
    "a.jfif": "JPEG", "b.jpe": "JPEG", "c.jpg.1": "JPEG", "d": "JPEG", "e.JPG_original": "JPEG", "f.pjpeg": "JPEG",
    "g.dib": "BMP", "h.tiff.bak": "TIFF", "i.png~": "PNG", "j.webp_": "WEBP", "k.2026-11-28": "PNG", "l.txt": "JPEG",
    "m.GIF": "GIF", "n.jp2": "JPEG2000", "o.pgm": "PPM", "p": "GIF",
}  # fmt: skip
FOREIGN = {
    "film.mp4": b"\0\0\0\x18ftypmp42" + bytes(400),
    "notes.txt": b"shift 2: the lamp was changed",
    "table.csv": b"name,label\na.png,good\n",
    "report.pdf": b"%PDF-1.7 ...",
    "all.zip": b"PK\x03\x04" + bytes(60),
    "array.npy": b"\x93NUMPY" + bytes(60),
}
UNREAD = {
    "phone.heic": b"\0\0\0\x18ftypheic" + bytes(400),
    "raw.CR3": b"\0\0\0\x18ftypcrx " + bytes(400),
    "nothing": b"",
}
LITTER = (
    "._part.png", ".DS_Store", "Thumbs.db", "desktop.ini", "ehthumbs.db", "@eaDir/part.png/SYNOPHOTO_THUMB_M.jpg",
    "#recycle/old.png", "$RECYCLE.BIN/x.png", "System Volume Information/x.png", "lost+found/x.png",
    ".ipynb_checkpoints/x.png", "__MACOSX/._x.png", "~$table.xlsx", ".Trash-1000/x.png", ".snapshot/x.png",
    "@Recycle/x.png", "@Recently-Snapshot/x.png", ".hidden.png", "part.blemish",
)  # fmt: skip


def put(folder: Path, name: str, content: bytes) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)


@pytest.fixture
def encoded(washers: Path) -> Callable[[str], bytes]:
    """A photograph of a part in a format."""
    import io

    from PIL import Image

    def make(kind: str) -> bytes:
        stream = io.BytesIO()
        Image.open(washers / "test" / "good" / "000.png").convert("RGB").save(stream, kind)
        return stream.getvalue()

    return make


def test_every_file_is_judged_or_named(
    blemish: Call, fitted: Path, encoded: Callable[[str], bytes], tmp_path: Path
) -> None:
    folder = tmp_path / "new"
    for name, kind in PHOTOGRAPHS.items():
        put(folder, name, encoded(kind))
    for name, content in (FOREIGN | UNREAD).items():
        put(folder, f"deeper/{name}", content)
    for name in LITTER:
        put(folder, name, encoded("PNG"))
    outcome = blemish("inspect", fitted, folder, "--out", tmp_path / "out", "--json")
    entries = {Path(entry["path"]).name: entry for entry in outcome.document}
    assert outcome.status == 1
    assert set(entries) == {*PHOTOGRAPHS, *FOREIGN, *UNREAD}
    assert {name for name, entry in entries.items() if entry.get("kind") == "left-out"} == set(FOREIGN)
    assert all("--ignore" in entries[name]["error"] for name in FOREIGN)
    assert entries["nothing"]["kind"] == "empty"
    for name in UNREAD:
        assert "verdict" not in entries[name]
    for name, kind in PHOTOGRAPHS.items():
        try:
            decode_image(encoded(kind), name)
        except ImageError as error:
            assert entries[name]["kind"] == error.kind, name
        else:
            assert "verdict" in entries[name], name
    with (tmp_path / "out" / "results.csv").open(newline="") as table:
        assert {Path(row["path"]).name: row["kind"] for row in csv.DictReader(table)} == {
            name: entry.get("kind", "") for name, entry in entries.items()
        }
    (said,) = [line for line in outcome.stderr.splitlines() if "Thumbs.db" in line]
    assert all(name in said for name in ("@eaDir", "#recycle", "lost+found", "hidden files"))
    text = blemish("inspect", fitted, folder)
    (summary,) = [line for line in text.stdout.splitlines() if " photographs: " in line]
    assert f"{len(FOREIGN)} left out" in summary and all(name in summary for name in FOREIGN)


def test_what_is_ignored_is_no_fault(
    blemish: Call, fitted: Path, washers: Path, encoded: Callable[[str], bytes], tmp_path: Path
) -> None:
    folder = tmp_path / "new"
    for name, content in FOREIGN.items():
        put(folder, name, content)
    put(folder, "old/notes.md", b"# old")
    put(folder, "line 2/old/notes.md", b"# old")
    passing = next(
        entry["path"]
        for entry in blemish("inspect", fitted, washers / "train", "--json").document
        if entry["verdict"] == "pass"
    )
    shutil.copy(passing, folder / "part.png")
    patterns = ("*.txt", "*.csv", "*.pdf", "*.zip", "*.npy", "old", "film.*")
    ignore = [word for pattern in patterns for word in ("--ignore", pattern)]
    outcome = blemish("inspect", fitted, folder, *ignore, "--json")
    assert [Path(entry["path"]).name for entry in outcome.document] == ["part.png"]
    assert outcome.status == 0
    assert blemish("inspect", fitted, folder, *ignore[2:]).status == 1
    named = blemish("inspect", fitted, folder / "part.png", folder / "notes.txt", *ignore, "--json")
    assert len(named.document) == 1
    globbed = blemish("inspect", fitted, folder / "part.png", folder / "Thumbs.db", "--json")
    assert len(globbed.document) == 1 and "Thumbs.db" in globbed.stderr


def test_overlays_are_never_judged_nor_learnt(
    blemish: Call, washers: Path, fitted: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(washers / "test" / "good", tmp_path / "new")
    photographs = sorted(folder.rglob("*.png"))
    (folder / "deep").mkdir()
    shutil.copy(photographs[0], folder / "deep" / "photo.jpg.png")
    assert cv2.imwrite(str(folder / "deep" / "camera.jpg"), cv2.imread(str(photographs[0])))
    count = len(photographs) + 2
    for out in (folder / "monday", folder / "deep" / "tuesday"):
        outcome = blemish("inspect", fitted, folder, "--out", out, "--json")
        assert len(outcome.document) == count
    # Beside photographs, too, and where the results have gone.
    blemish("inspect", fitted, *photographs, "--out", folder)
    (folder / "monday" / "results.json").unlink()
    (folder / "monday" / ".results.jsonl").unlink()
    outcome = blemish("inspect", fitted, folder, "--out", tmp_path / "elsewhere", "--json")
    assert len(outcome.document) == count
    assert "results of blemish inspect" in outcome.stderr
    assert len(list_folder(folder).images) == count and not list_folder(folder).others
    assert f"{count} " in blemish("check", folder).stdout


def test_a_folder_of_foreign_files_alone_says_which(blemish: Call, fitted: Path, tmp_path: Path) -> None:
    put(tmp_path, "new/film.mp4", FOREIGN["film.mp4"])
    put(tmp_path, "new/notes.txt", FOREIGN["notes.txt"])
    (entry,) = blemish("inspect", fitted, tmp_path / "new", "--json").document
    assert entry["kind"] == "empty" and "film.mp4" in entry["error"] and "notes.txt" in entry["error"]


@pytest.fixture
def as_a_user() -> Iterator[None]:
    """Root may list everything."""
    if os.geteuid():
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_one_bad_entry_never_ends_a_batch(
    blemish: Call, washers: Path, fitted: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    folder = shutil.copytree(washers / "test" / "good", tmp_path / "new")
    (folder / "closed").mkdir()
    (folder / "denied.png").write_bytes(b"x")
    (folder / "broken link").symlink_to("nowhere")
    (folder / "broken.png").symlink_to("nowhere")
    (folder / "round.png").symlink_to("round.png")
    os.mkfifo(folder / "pipe")
    (folder / "full.png").symlink_to("/proc/self/mem")  # reading it is an input/output error
    for path in (tmp_path, *tmp_path.parents):
        if path.owner() == "root" and str(path) != "/" and path != Path("/tmp"):
            path.chmod(path.stat().st_mode | 0o055)
    out = tmp_path / "out"
    out.mkdir()
    out.chmod(0o777)
    inspector = shutil.copy(fitted, tmp_path / "x.blemish")
    Path(inspector).chmod(0o644)
    (folder / "closed").chmod(0)
    (folder / "denied.png").chmod(0)
    request.getfixturevalue("as_a_user")
    outcome = blemish("inspect", inspector, folder, "--out", out, "--json")
    kinds = {Path(entry["path"]).name: entry["kind"] for entry in outcome.document if "error" in entry}
    assert outcome.status == 1
    assert set(kinds) == {
        "closed",
        "denied.png",
        "broken link",
        "broken.png",
        "round.png",
        "pipe",
        "full.png",
    }
    assert kinds["closed"] == kinds["denied.png"] == "unreadable"
    assert sum("verdict" in entry for entry in outcome.document) == 6
    assert (out / "results.csv").read_text().count("\n") == 14


def test_an_overlay_that_cannot_be_written_keeps_its_verdict(
    blemish: Call, washers: Path, fitted: Path, tmp_path: Path
) -> None:
    (tmp_path / "out" / "001.jpg").mkdir(parents=True)
    outcome = blemish("inspect", fitted, washers / "test" / "good", "--out", tmp_path / "out", "--json")
    assert outcome.status == 1 and len(outcome.document) == 6
    (wrong,) = [entry for entry in outcome.document if "error" in entry]
    assert wrong["kind"] == "no-overlay" and wrong["verdict"] and wrong["path"].endswith("001.png")
    assert (tmp_path / "out" / "results.json").exists()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 96 KiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=96k", "none", str(disk)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("a small disk can only be mounted by root")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


@pytest.mark.parametrize("already", [0, 96])
def test_a_full_disk_keeps_no_verdict_back(
    blemish: Call, washers: Path, fitted: Path, small_disk: Path, already: int
) -> None:
    (small_disk / "filled").write_bytes(bytes(already * 1024))
    outcome = blemish("inspect", fitted, washers / "test", "--out", small_disk / "out", "--json")
    assert outcome.status == 1
    assert sum("verdict" in entry for entry in outcome.document) == 18
    assert any("disk is full" in entry.get("error", "") for entry in outcome.document)
    assert "disk is full" in outcome.stderr and "Traceback" not in outcome.stderr
    (small_disk / "filled").unlink()
    subprocess.run(["mount", "-o", "remount,size=8m", str(small_disk)], check=True)
    again = blemish("inspect", fitted, washers / "test", "--out", small_disk / "out", "--resume", "--json")
    assert all("error" not in entry for entry in again.document) and len(again.document) == 18
