"""The audit log: every change leaves one row with who and when, in the same transaction, and no row is lost."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from alembic import command
from sqlalchemy import insert, select

from blemish.core.conformal import Calibration
from blemish.core.errors import ConflictError, NotFoundError, UsageError
from blemish.line.artifact import array_content, read_artifact, write_artifact
from blemish.line.decision import by_rates
from blemish.line.manifest import CalibrationRecord, DetectorRecord, Manifest, ParityRecord, TrainingRecord
from blemish.line.pixel_decision import PixelDecision
from blemish.station.audit import Action, AuditLog, Change
from blemish.station.database import Database
from blemish.station.home import Home
from blemish.station.keys import KeyStore, Role
from blemish.station.schema import InspectorVersionRow
from blemish.station.scoring import scored_alike
from blemish.station.shelf import InspectorShelf, InspectorVersion
from blemish.view.preprocessing import Preprocessing

SCORES = np.sort(np.random.default_rng(0).gamma(4, 1, 320)).astype(np.float32)


def write_decided(path: Path, rate: float = 0.01, seed: int = 0) -> Path:
    """An artifact that rejects so many good parts; sound but for its network, which nobody runs here."""
    manifest = Manifest(
        name="screw",
        detector=DetectorRecord(name="patchcore"),
        preprocessing=Preprocessing(height=64, width=64, mean=(127, 127, 127), std=(128, 128, 128)),
        calibration=CalibrationRecord(map_low=0.7, map_high=4.3, n_scores=320, method="k-fold", folds=5),
        decisions=(by_rates(Calibration(SCORES), PixelDecision(threshold=2.5), rate),),
        training=TrainingRecord(
            category="screw", n_images=1, digests=("0" * 64,), seed=seed,
            created=datetime(2026, 1, 2, tzinfo=UTC), seconds=1.0,
        ),
        libraries={},
        parity=ParityRecord(n_images=1, max_relative_error=0),
    )  # fmt: skip
    write_artifact(path, manifest, {"model.onnx": b"no network", "normal_scores.npy": array_content(SCORES)})
    return path


@pytest.fixture
def shelf(database: Database, tmp_path: Path) -> InspectorShelf:
    return InspectorShelf(Home(tmp_path / "home"), database)


@pytest.fixture
def audit(database: Database) -> AuditLog:
    return AuditLog(database)


def _change(before: int, by: str = "anna") -> Change:
    return Change(action=Action.DECIDE, by=by, version_before=before, detail={"note": "é\0"})


def _said(audit: AuditLog, inspector: str | None = None) -> list[tuple[Any, ...]]:
    """Action, name and versions of all entries, oldest first."""
    entries = audit.page(inspector, 1000).entries[::-1]
    return [(one.action, one.by, one.version_before, one.version_after) for one in entries]


def test_each_change_of_a_shelf_is_noted_once(
    shelf: InspectorShelf, audit: AuditLog, database: Database, tmp_path: Path
) -> None:
    began = datetime.now(UTC)
    paths = [write_decided(tmp_path / f"{seed}.blemish", seed=seed) for seed in range(2)]
    for path in (*paths, paths[0]):  # the same file again is the same version
        shelf.add(path, by="anna")
    for version in (1, 2, 2):  # activating what is active changes nothing
        shelf.activate("screw", version, "bert")
    shelf.roll_back("screw", "carla")
    with pytest.raises(NotFoundError):
        shelf.roll_back("screw", "carla")
    with pytest.raises(NotFoundError):
        shelf.activate("screw", 9, "carla")
    assert _said(audit) == [
        ("add", "anna", None, 1), ("add", "anna", None, 2), ("activate", "bert", None, 1),
        ("activate", "bert", 1, 2), ("roll-back", "carla", 2, 1),
    ]  # fmt: skip
    entries = audit.page().entries
    assert all(began <= one.time <= datetime.now(UTC) and one.inspector == "screw" for one in entries)
    assert entries[-1].detail == {"digest": shelf.get("screw", 1).digest}
    database.close()  # as by a restart
    assert audit.page().entries == entries


def test_keys_that_come_and_go_are_noted_without_their_token(database: Database, audit: AuditLog) -> None:
    keys = KeyStore(database)
    token = keys.create("line-3", Role.OPERATOR)
    with pytest.raises(UsageError):
        keys.create("line-3", Role.ADMIN)
    for _ in range(2):
        keys.revoke("line-3", "anna")
    found = [(one.action, one.by, one.inspector, one.detail) for one in audit.page().entries]
    assert found == [
        ("revoke-key", "anna", None, {"key": "line-3"}),
        ("create-key", "local", None, {"key": "line-3", "role": "operator"}),
    ]
    assert token not in str(audit.page())


def test_pages_are_newest_first_and_whole(database: Database, audit: AuditLog) -> None:
    keys = KeyStore(database)
    for number in range(7):
        keys.create(f"key-{number}", Role.VIEWER)
    found, cursor = [], None
    while True:
        page = audit.page(limit=3, cursor=cursor)
        found += [one.detail["key"] for one in page.entries]
        if (cursor := page.next_cursor) is None:
            break
    assert found == [f"key-{number}" for number in range(6, -1, -1)]
    assert audit.page("screw").entries == ()


@pytest.mark.parametrize("cursor", ["", "x", "-1", "1.5", "٣", "9" * 30, str(2**63)])
def test_a_cursor_that_no_page_gave_is_refused(audit: AuditLog, cursor: str) -> None:
    with pytest.raises(UsageError, match="begin again without it"):
        audit.page(cursor=cursor)


@pytest.mark.parametrize("limit", [0, 1001])
def test_a_page_of_another_length_is_refused(audit: AuditLog, limit: int) -> None:
    with pytest.raises(UsageError, match="1 to 1000"):
        audit.page(limit=limit)


def test_a_version_supersedes_only_the_one_it_was_made_of(
    shelf: InspectorShelf, audit: AuditLog, tmp_path: Path
) -> None:
    first, second, third = (write_decided(tmp_path / f"{rate}.blemish", rate) for rate in (0.01, 0.02, 0.05))
    shelf.add(first)
    shelf.activate("screw", 1)
    assert shelf.supersede(second, "screw", _change(1)).active
    with pytest.raises(ConflictError, match=r"version 2 is active now, not version 1"):
        shelf.supersede(third, "screw", _change(1, "bert"))
    assert [(one.version, one.active) for one in shelf.versions("screw")] == [(1, False), (2, True)]
    assert not list((tmp_path / "home").rglob("*.waiting"))
    assert _said(audit)[2:] == [("decide", "anna", 1, 2)]
    back = shelf.supersede(first, "screw", _change(2))  # the same file is the same version
    assert (back.version, back.active) == (1, True)
    assert _said(audit)[3:] == [("decide", "anna", 2, 1)]
    assert shelf.roll_back("screw").version == 2


def test_of_many_at_once_one_supersedes(shelf: InspectorShelf, audit: AuditLog, tmp_path: Path) -> None:
    shelf.add(write_decided(tmp_path / "first.blemish"))
    shelf.activate("screw", 1)
    paths = [write_decided(tmp_path / f"{n}.blemish", 0.02 + n / 100) for n in range(8)]
    ended: list[InspectorVersion | ConflictError] = []

    def supersede(path: Path) -> None:
        try:
            ended.append(shelf.supersede(path, "screw", _change(1)))
        except ConflictError as error:
            ended.append(error)

    threads = [threading.Thread(target=supersede, args=(path,)) for path in paths]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ended) == len(paths)
    (won,) = [one for one in ended if isinstance(one, InspectorVersion)]
    assert shelf.active("screw") == won and len(shelf.versions("screw")) == 2
    assert _said(audit)[2:] == [("decide", "anna", 1, 2)]


def test_versions_that_differ_by_the_decision_alone_score_alike(
    shelf: InspectorShelf, database: Database, tmp_path: Path
) -> None:
    for rate, seed in ((0.01, 0), (0.05, 0), (0.01, 1)):
        shelf.add(write_decided(tmp_path / "one.blemish", rate, seed))
    assert [scored_alike(database, shelf, one) for one in shelf.versions("screw")] == [(1, 2), (1, 2), (3,)]
    artifact = read_artifact(shelf.get("screw", 1).path)
    assert (
        artifact.manifest.scoring_digest == read_artifact(shelf.get("screw", 2).path).manifest.scoring_digest
    )


def test_a_history_of_before_has_an_empty_audit_log_and_learns_what_scores_alike(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    upgrade = command.upgrade
    opened = Database(database_url)
    with monkeypatch.context() as patched:
        patched.setattr(command, "upgrade", lambda config, revision: upgrade(config, "0004"))
        opened.upgrade()
    home = Home(tmp_path / "home")
    (home.inspectors / "screw").mkdir()
    new = Database(f"sqlite:///{tmp_path / 'new.db'}")
    new.upgrade()
    shelf = InspectorShelf(home, new)
    for rate in (0.01, 0.05):
        shelf.add(write_decided(tmp_path / "one.blemish", rate))
    with (
        new.session() as session,
        opened.transaction() as older,
    ):  # the rows as the earlier Blemish wrote them
        for row in session.scalars(select(InspectorVersionRow)):
            known = {
                column.name: getattr(row, column.name)
                for column in InspectorVersionRow.__table__.columns
                if column.name != "scoring_digest"
            }
            older.execute(insert(InspectorVersionRow.__table__).values(known))  # type: ignore[arg-type]
    new.close()
    opened.upgrade()
    shelf = InspectorShelf(home, opened)
    assert AuditLog(opened).page().entries == ()
    shelf.get("screw", 2).path.write_bytes(b"damaged")
    assert scored_alike(opened, shelf, shelf.get("screw", 1)) == (1,)
    write = write_decided(tmp_path / "one.blemish", 0.1)
    added: Callable[..., InspectorVersion] = shelf.add
    assert scored_alike(opened, shelf, added(write)) == (1, 3)
    assert [one.action for one in AuditLog(opened).page().entries] == ["add"]
    assert opened.check_integrity() == []
    opened.close()
