"""A home is copied while a server writes it, and restored elsewhere: whole, or not at all."""

from __future__ import annotations

import json
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from server_clients import inspect, photographs, say, wait_for_gallery

from blemish.core.types import ByteArray
from blemish.station.keys import Role

Blemish = Callable[..., Any]


@pytest.fixture(scope="module")
def used(served: Callable[..., Any], rejected: list[ByteArray]) -> Iterator[Any]:
    """A server with a history: rejects with their photographs in the gallery, a correction, a decision, a key."""
    with served() as server, server.client() as client:
        for number, content in enumerate(photographs(rejected, 3)):
            inspect(client, (f"{number}.png", content))
        say(client, 1, "scratch")
        client.put("/v1/inspectors/washer/decision", json={"false_reject_rate": 0.2, "note": "stops"})
        server.service.keys.create("panel", Role.OPERATOR)
        wait_for_gallery(client)
        yield server


@pytest.fixture(scope="module")
def saved(used: Any, blemish: Blemish, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backup with its photographs, made while the server runs."""
    path = tmp_path_factory.mktemp("backups") / "line.zip"
    made = blemish("backup", "--home", used.service.home.path, "--out", path, "--photographs", "--json")
    assert made.status == 0, made.stderr
    return path


def test_a_restored_home_holds_all_that_the_first_one_held(
    used: Any, saved: Path, served: Callable[..., Any], blemish: Blemish, tmp_path: Path
) -> None:
    assert saved.stat().st_mode & 0o777 == 0o600
    home = tmp_path / "new"
    restored = blemish("restore", saved, "--home", home, "--json")
    assert restored.status == 0, restored.stderr
    assert restored.document["inspections"] == 3 and restored.document["photographs_forgotten"] == 0
    names = {path.name for path in home.rglob("*")}
    assert not names & {"session-secret", "tls", "thumbnails", "buffer"}
    with used.client() as before, served(home=home, add=False) as server, server.client() as after:
        for path in ("/v1/inspections", "/v1/inspectors", "/v1/inspectors/washer/versions", "/v1/keys"):
            assert after.get(path).json() == before.get(path).json(), path
        for number in (1, 2, 3):
            path = f"/v1/inspections/{number}/image"
            assert after.get(path).content == before.get(path).content
        wait_for_gallery(after)
        asked = [one.get("/v1/inspections/1/similar").json()["neighbours"] for one in (before, after)]
        similar = [[one | {"distance": round(one["distance"], 6)} for one in found] for found in asked]
        assert len(similar[0]) == 2 and similar[0] == similar[1]
        assert after.get("/v1/audit").json() == before.get("/v1/audit").json()
        assert server.service.home.station == used.service.home.station
        assert server.service.database.check_integrity() == []


def test_without_its_photographs_the_history_says_that_they_are_not_kept(
    used: Any, served: Callable[..., Any], blemish: Blemish, tmp_path: Path
) -> None:
    folder, home = tmp_path / "line", tmp_path / "new"
    assert blemish("backup", "--home", used.service.home.path, "--out", folder).status == 0
    assert not (folder / "images").exists()
    home.mkdir()
    restored = blemish("restore", folder, "--home", home)
    assert restored.status == 0 and "3 photographs are not in the backup" in restored.stdout
    with served(home=home, add=False) as server, server.client() as client:
        assert [one["image"] for one in client.get("/v1/inspections").json()["inspections"]] == [None] * 3


def test_a_copy_made_while_others_write_is_of_one_moment(
    served: Callable[..., Any], rejected: list[ByteArray], blemish: Blemish, tmp_path: Path
) -> None:
    with served(keep="all") as server, server.client() as client:
        ended, sent = threading.Event(), 0

        def write() -> None:
            nonlocal sent
            for content in photographs(rejected, 10_000):
                if ended.is_set():
                    return
                with server.client() as other:
                    sent += inspect(other, ("part.png", content)).status_code == 200

        writer = threading.Thread(target=write)
        writer.start()
        try:
            for number in range(2):
                before = client.get("/v1/stats").json()["summary"]["n"]
                out = tmp_path / f"{number}.zip"
                made = blemish("backup", "--home", server.service.home.path, "--out", out, "--json")
                assert made.status == 0, made.stderr
                after = client.get("/v1/stats").json()["summary"]["n"]
                assert before <= made.document["inspections"] <= after
        finally:
            ended.set()
            writer.join(60)
        assert sent > 2, "nothing was written meanwhile"
        wait_for_gallery(client)
    for number in range(2):
        home = tmp_path / str(number)
        assert blemish("restore", tmp_path / f"{number}.zip", "--home", home).status == 0
        with closing(sqlite3.connect(home / "blemish.db")) as connection:
            digests = {row[0] for row in connection.execute("SELECT image_digest FROM inspections")}
            noted = {
                row[0]
                for row in connection.execute(
                    "SELECT image_digest FROM gallery_changes JOIN inspections ON inspections.id = inspection_id"
                )
            }
        assert digests == held_by_gallery(home) & digests | noted, (
            "a defect is neither in the gallery nor noted"
        )


def held_by_gallery(home: Path) -> set[str]:
    """Digests of the photographs of which a home's gallery holds defects."""
    from blemish.gallery.gallery import Gallery

    with Gallery(home / "gallery") as gallery:
        return {defect.image_digest for group in gallery.groups(None) for defect in group.defects}


def test_a_damaged_inspector_is_left_out_and_said(saved: Path, blemish: Blemish, tmp_path: Path) -> None:
    home = tmp_path / "home"
    assert blemish("restore", saved, "--home", home).status == 0
    shelf = sorted((home / "inspectors" / "washer").glob("*.blemish"))
    shelf[0].write_bytes(b"no inspector")
    shelf[1].unlink()
    made = blemish("backup", "--home", home, "--out", tmp_path / "line.zip", "--json")
    assert made.status == 1
    assert [one.split(" is ")[1] for one in made.document["left_out"]] == [
        "damaged: add it again.",
        "gone: add it again.",
    ]
    assert blemish("restore", tmp_path / "line.zip", "--home", tmp_path / "new").status == 0


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-2000])


def _change(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def _lead_out(path: Path) -> None:
    _listed(path, "../outside")


def _listed(path: Path, name: str, format_: int = 1) -> None:
    """Write a backup anew whose list names another file."""
    with zipfile.ZipFile(path) as archive:
        members = {one: archive.read(one) for one in archive.namelist()}
    contents = json.loads(members["backup.json"])
    contents["files"] |= {name: contents["files"]["station"]}
    contents["format"] = format_
    members |= {"backup.json": json.dumps(contents, indent=1).encode(), name: members["station"]}
    with zipfile.ZipFile(path, "w") as archive:
        for one, content in members.items():
            archive.writestr(one, content)


def _newer(path: Path) -> None:
    _listed(path, "jobs/1/new.json", 2)


def _packed(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("backup.json", b"0" * 10**6)


@pytest.mark.parametrize(
    "harm", [_cut, _change, _lead_out, _newer, _packed], ids=lambda one: one.__name__[1:]
)
def test_what_is_damaged_restores_nothing(
    saved: Path, blemish: Blemish, tmp_path: Path, harm: Callable[[Path], None]
) -> None:
    path = tmp_path / "line.zip"
    shutil.copy(saved, path)
    harm(path)
    refused = blemish("restore", path, "--home", tmp_path / "deep" / "new")
    assert refused.status == 2 and str(path) in refused.stderr and refused.stderr.count("\n") == 1, (
        refused.stderr
    )
    assert [one for one in tmp_path.rglob("*") if one.is_file() and one != path] == []
    assert not (tmp_path / "deep" / "new").exists()


def test_nothing_is_overwritten_and_a_wrong_home_is_not_made(
    used: Any, saved: Path, blemish: Blemish, tmp_path: Path
) -> None:
    there = tmp_path / "there"
    there.mkdir()
    (there / "mine.txt").write_text("mine")
    assert "is there already" in blemish("restore", saved, "--home", there).stderr
    assert "is there already" in blemish("backup", "--home", used.service.home.path, "--out", there).stderr
    inside = used.service.home.path / "line.zip"
    assert (
        "lies in the home itself"
        in blemish("backup", "--home", used.service.home.path, "--out", inside).stderr
    )
    nowhere = tmp_path / "nowhere"
    assert blemish("backup", "--home", nowhere, "--out", tmp_path / "line.zip").status == 2
    assert not nowhere.exists() and (there / "mine.txt").read_text() == "mine"


def test_a_history_in_postgresql_is_left_to_its_own_tools(
    used: Any, blemish: Blemish, tmp_path: Path
) -> None:
    pytest.importorskip("pg8000")
    elsewhere = ("--database", "postgresql://line:secret@localhost:1/history")
    told = blemish("backup", "--home", used.service.home.path, "--out", tmp_path / "line.zip", *elsewhere)
    assert told.status == 2 and "pg_dump" in told.stderr and "secret" not in told.stderr
    rest = blemish(
        "backup", "--home", used.service.home.path, "--out", tmp_path / "line.zip", *elsewhere, "--no-history"
    )
    assert rest.status == 0, rest.stderr
    restored = blemish("restore", tmp_path / "line.zip", "--home", tmp_path / "new")
    assert restored.status == 0 and "pg_restore" in restored.stdout


def test_killed_in_the_middle_leaves_nothing_half(used: Any, saved: Path, tmp_path: Path) -> None:
    """Killed at moments spread over a whole run; then a run that is let through succeeds, and clears what was left."""
    home = tmp_path / "homes" / "new"
    out = tmp_path / "backups" / "line.zip"
    commands = {
        out: ("backup", "--home", used.service.home.path, "--out", out, "--photographs"),
        home: ("restore", saved, "--home", home),
    }
    for target, command in commands.items():
        whole = [sys.executable, "-m", "blemish", *map(str, command)]
        seen_working = 0
        for attempt in range(3):
            process = subprocess.Popen(whole, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            end = time.monotonic() + 60
            while not working(target) and process.poll() is None and time.monotonic() < end:
                time.sleep(0.001)
            time.sleep(0.01 * attempt)
            process.send_signal(signal.SIGKILL)
            process.wait(20)
            seen_working += bool(working(target))
            assert not target.exists() or process.returncode == 0
            if target.exists():
                shutil.rmtree(target) if target.is_dir() else target.unlink()
        assert seen_working, "never killed in the middle"
        subprocess.run(whole, check=True, capture_output=True)
        assert target.exists() and working(target) == []


def working(target: Path) -> list[Path]:
    return list(target.parent.glob(".blemish-*")) if target.parent.is_dir() else []
