"""The shelf: versions, activation and roll-back, and files that are not what they were."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from blemish.core.conformal import Calibration
from blemish.core.errors import ArtifactError, BlemishError, NotFoundError, UsageError
from blemish.core.execution import Execution
from blemish.core.storage import file_digest
from blemish.line.artifact import array_content, write_artifact
from blemish.line.decision import by_rates
from blemish.line.manifest import (
    CalibrationRecord,
    DetectorRecord,
    Manifest,
    ParityRecord,
    TrainingRecord,
    training_digests,
)
from blemish.line.pixel_decision import PixelDecision
from blemish.station.compiled import CompiledInspectors
from blemish.station.database import Database
from blemish.station.home import Home
from blemish.station.shelf import InspectorShelf
from blemish.view.preprocessing import Preprocessing

SCORES = np.sort(np.random.default_rng(0).gamma(4, 1, 320)).astype(np.float32)
DECISION = by_rates(Calibration(SCORES), PixelDecision(threshold=2.5))


def write_inspector(path: Path, name: str = "screw", seed: int = 0) -> Path:
    """An artifact that is sound but for its network, which nobody runs here."""
    manifest = Manifest(
        name=name,
        detector=DetectorRecord(name="patchcore"),
        preprocessing=Preprocessing(height=64, width=64, mean=(127, 127, 127), std=(128, 128, 128)),
        calibration=CalibrationRecord(
            map_low=0.7, map_high=4.3, n_scores=320, method="k-fold", folds=5,
        ),
        decisions=(DECISION,),
        training=TrainingRecord(
            category="screw", n_images=1, digests=training_digests(["0" * 64]), seed=seed,
            created=datetime(2026, 1, 2, tzinfo=UTC), seconds=1.0,
        ),
        libraries={},
        parity=ParityRecord(n_images=1, max_relative_error=0),
    )  # fmt: skip
    members = {"model.onnx": b"no network", "normal_scores.npy": array_content(SCORES)}
    write_artifact(path, manifest, members)
    return path


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


@pytest.fixture
def shelf(home: Home, database: Database) -> InspectorShelf:
    return InspectorShelf(home, database)


def test_an_inspector_gets_versions_and_is_active_when_told(
    shelf: InspectorShelf, home: Home, tmp_path: Path
) -> None:
    paths = [write_inspector(tmp_path / f"{n}.blemish", seed=n) for n in range(3)]
    added = [shelf.add(path, by="anna") for path in paths]
    assert [(found.name, found.version, found.active) for found in added] == [
        ("screw", n, False) for n in (1, 2, 3)
    ]
    assert [found.path.read_bytes() for found in added] == [path.read_bytes() for path in paths]
    digest = file_digest(paths[2])
    assert added[2].path == home.inspectors / "screw" / f"0003-{digest[:12]}.blemish"
    assert (added[2].digest, added[2].detector, added[2].category) == (digest, "patchcore", "screw")
    assert added[2].created == datetime(2026, 1, 2, tzinfo=UTC)
    with pytest.raises(NotFoundError, match="no active inspector"):
        shelf.active("screw")
    assert shelf.activate("screw", 2).active
    assert shelf.active("screw") == shelf.get("screw", 2) == shelf.versions("screw")[1]
    assert [found.active for found in shelf.versions("screw")] == [False, True, False]
    assert shelf.active_all() == [shelf.active("screw")]
    assert sorted(path.name for path in home.inspectors.rglob("*.waiting")) == []


def test_the_same_file_is_the_same_version(shelf: InspectorShelf, tmp_path: Path) -> None:
    path = write_inspector(tmp_path / "a.blemish")
    first = shelf.add(path)
    first.path.unlink()  # an accident, which adding again repairs
    assert shelf.add(path) == first
    assert first.path.exists()
    other = shelf.add(path, name="nut")
    assert (other.name, other.version) == ("nut", 1)
    assert shelf.names() == ["nut", "screw"]


def test_rolling_back_goes_the_way_that_activations_went(shelf: InspectorShelf, tmp_path: Path) -> None:
    for n in range(3):
        shelf.add(write_inspector(tmp_path / f"{n}.blemish", seed=n))
    for version in (1, 3, 3, 2):  # activating what is active is no step
        shelf.activate("screw", version)
    assert [shelf.roll_back("screw").version for _ in range(2)] == [3, 1]
    with pytest.raises(NotFoundError, match="was active before"):
        shelf.roll_back("screw")
    assert shelf.active("screw").version == 1
    shelf.activate("screw", 2)
    assert shelf.roll_back("screw").version == 1


@pytest.mark.parametrize(
    ("name", "version"), [("screw", 2), ("screw", 0), ("screw", 2**70), ("nut", 1), ("a\0", 1)]
)
def test_what_is_not_there_is_said(shelf: InspectorShelf, tmp_path: Path, name: str, version: int) -> None:
    shelf.add(write_inspector(tmp_path / "a.blemish"))
    for ask in (shelf.get, shelf.activate):
        with pytest.raises(NotFoundError, match="check both"):
            ask(name, version)
    with pytest.raises(NotFoundError):
        shelf.roll_back(name)
    if name != "screw":
        with pytest.raises(NotFoundError):
            shelf.versions(name)


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/b", "a\0", "é", "-a", "x" * 81, "a\n", "C:"])
def test_names_that_could_lead_elsewhere_are_refused(
    shelf: InspectorShelf, home: Home, tmp_path: Path, name: str
) -> None:
    with pytest.raises(UsageError, match="An inspector cannot be named"):
        shelf.add(write_inspector(tmp_path / "a.blemish"), name=name)
    assert list(home.inspectors.iterdir()) == []


def test_damaged_files_are_refused_and_leave_nothing(
    shelf: InspectorShelf, home: Home, tmp_path: Path
) -> None:
    path = write_inspector(tmp_path / "a.blemish")
    content = path.read_bytes()
    for damaged in (
        content[:-1],
        content.replace(b"no network", b"My network"),
        b"",
        b"PK\x03\x04" + bytes(1000),
    ):
        path.write_bytes(damaged)
        with pytest.raises(ArtifactError):
            shelf.add(path)
    assert list(home.inspectors.iterdir()) == []
    assert shelf.names() == []


def test_many_threads_add_and_activate_at_once(shelf: InspectorShelf, tmp_path: Path) -> None:
    paths = [write_inspector(tmp_path / f"{n}.blemish", seed=n // 2) for n in range(8)]
    failed: list[BaseException] = []

    def work(path: Path) -> None:
        try:
            found = shelf.add(path)
            shelf.activate("screw", found.version)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=(path,)) for path in paths]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    versions = shelf.versions("screw")
    assert [found.version for found in versions] == [1, 2, 3, 4]
    assert {found.digest for found in versions} == {file_digest(path) for path in paths}
    assert all(file_digest(found.path) == found.digest for found in versions)
    assert sum(found.active for found in versions) == 1


def test_a_version_is_loaded_only_if_it_is_what_was_added(
    shelf: InspectorShelf, fitted: Path, tmp_path: Path
) -> None:
    found = shelf.add(fitted, name="washer")
    image = np.zeros((128, 128, 3), np.uint8)
    assert np.isfinite(CompiledInspectors(Execution(threads=1)).get(found).inspect(image).score)
    shutil.copy(write_inspector(tmp_path / "other.blemish"), found.path)
    with pytest.raises(ArtifactError, match="is not the file that was added"):
        CompiledInspectors(Execution(threads=1)).get(found)
    found.path.unlink()
    with pytest.raises(ArtifactError, match="does not exist"):
        CompiledInspectors(Execution(threads=1)).get(found)


def test_a_folder_that_cannot_be_written_leaves_no_version(
    shelf: InspectorShelf, home: Home, tmp_path: Path, inspection: Callable[..., object]
) -> None:
    (home.inspectors / "screw").write_text("a file where the folder should be")
    with pytest.raises(BlemishError):
        shelf.add(write_inspector(tmp_path / "a.blemish"))
    assert shelf.names() == []
    (home.inspectors / "screw").unlink()
    assert shelf.add(write_inspector(tmp_path / "a.blemish")).version == 1
