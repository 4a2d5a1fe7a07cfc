"""Jobs: real trainings in real processes, stopped, refused, broken off and found again."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import TypeAdapter, ValidationError

from blemish.core.errors import BlemishError, NotFoundError, UsageError
from blemish.core.storage import file_digest
from blemish.line.runtime import Inspector
from blemish.server.job import Job, JobState
from blemish.server.job_requests import (
    EvaluateRequest,
    ExploreRequest,
    JobRequest,
    StressRequest,
    TrainRequest,
    workflow,
)
from blemish.server.jobs import Jobs
from blemish.server.laboratory.training_summary import training_summary
from blemish.server.uploads import UploadError
from blemish.station.shelf import InspectorVersion

FEW_SECONDS = 90.0


@pytest.fixture
def jobs(tmp_path: Path) -> Iterator[Jobs]:
    jobs = Jobs(tmp_path / "jobs")
    yield jobs
    jobs.close()


@pytest.fixture(scope="module")
def washers_zip(washers: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    archive = tmp_path_factory.mktemp("zip") / "washers.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        for path in sorted(washers.rglob("*.png")):
            packed.write(path, path.relative_to(washers.parent).as_posix())
    return archive


def test_a_zip_becomes_an_inspector_with_a_report(jobs: Jobs, washers_zip: Path, tmp_path: Path) -> None:
    request = TrainRequest(name="ring", folder="uploaded", quick=True)
    begun = jobs.start_training(request, washers_zip, by="anna")
    assert begun.state in (JobState.WAITING, JobState.RUNNING) and begun.photographs and begun.by == "anna"
    job = jobs.wait(begun.id, FEW_SECONDS)
    assert job.state is JobState.DONE, (job.says, jobs.log(job.id))
    assert job.result and job.result["n_train"] == 12
    assert job.result["category"] == "ring", "the name that was given, not a folder's"
    assert "inspection report" in jobs.report(job.id).read_text("utf-8"), "the evaluation's is the last"
    assert Inspector.load(jobs.inspector(job.id)).manifest.detector.name == "patchcore"
    jobs.close()
    assert Jobs(tmp_path / "jobs").get(job.id) == job


@pytest.mark.parametrize(
    ("folder", "photographs"),
    [("good", ""), ("GUT", ""), ("X", "X"), ("part/ok", "part"), ("part/train/good", "part"), ("bad", "")],
)
def test_folders_of_a_zip_name_classes_and_the_training_names_the_category(
    jobs: Jobs, washers: Path, tmp_path: Path, folder: str, photographs: str
) -> None:
    with zipfile.ZipFile(tmp_path / "part.zip", "w") as packed:
        for path in sorted((washers / "train" / "good").glob("*.png"))[:3]:
            packed.write(path, f"{folder}/{path.name}")
    job = jobs.start_training(TrainRequest(name="ring", folder="uploaded"), tmp_path / "part.zip")
    assert isinstance(job.request, TrainRequest) and job.request.category == "ring"
    assert Path(job.request.folder) == tmp_path / "jobs" / job.id / "photographs" / photographs
    if folder == "bad":
        job = jobs.wait(job.id, FEW_SECONDS)
        assert job.state is JobState.FAILED and "good parts" in job.says, "they are not learnt as good"
    jobs.stop(job.id)


@pytest.mark.parametrize("tested", [False, True])
def test_good_parts_alone_give_a_report_and_a_failed_evaluation_leaves_it(
    jobs: Jobs, washers: Path, tmp_path: Path, tested: bool
) -> None:
    shutil.copytree(washers / "train", tmp_path / "washer" / "train")
    if tested:
        (tmp_path / "washer" / "test" / "bad").mkdir(parents=True)
        (tmp_path / "washer" / "test" / "bad" / "cut.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    request = TrainRequest(name="washer", folder=str(tmp_path / "washer"), quick=True)
    job = jobs.wait(jobs.start(request).id, FEW_SECONDS)
    assert job.state is JobState.DONE and job.result, (job.says, jobs.log(job.id))
    assert "training report" in jobs.report(job.id).read_text("utf-8")
    assert job.result["n_test"] == int(tested) and "evaluation" not in job.result
    said = training_summary(job)
    assert ("cut.png" in said) == tested, said
    assert ("how many defects it finds is not known" in said) != tested


def test_a_failed_job_says_why_in_one_sentence(jobs: Jobs, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    job = jobs.wait(jobs.start(ExploreRequest(folder=str(tmp_path / "empty"))).id, FEW_SECONDS)
    assert job.state is JobState.FAILED and "empty" in job.says and "Traceback" not in job.says
    assert jobs.log(job.id).splitlines()[-1] == job.says, "a log is for people"
    with pytest.raises(NotFoundError):
        jobs.report(job.id)
    with pytest.raises(NotFoundError):
        jobs.inspector(job.id)
    jobs.remove(job.id)
    with pytest.raises(NotFoundError):
        jobs.get(job.id)


def test_one_runs_and_the_others_wait_and_both_can_be_stopped(jobs: Jobs, washers: Path) -> None:
    request = TrainRequest(name="washer", folder=str(washers), detector="cae", size=256)
    first, second = jobs.start(request), jobs.start(request)
    while jobs.get(first.id).state is JobState.WAITING:
        time.sleep(0.01)
    assert jobs.get(second.id).state is JobState.WAITING
    with pytest.raises(BlemishError):
        jobs.remove(first.id)
    assert jobs.stop(second.id).state is JobState.STOPPED
    jobs.stop(first.id)
    assert jobs.wait(first.id, 30).state is JobState.STOPPED


def test_a_zip_with_annotations_is_not_taken_for_good_parts(
    jobs: Jobs, washers: Path, tmp_path: Path
) -> None:
    for folder in ("train", "good"):
        with zipfile.ZipFile(tmp_path / f"{folder}.zip", "w") as packed:
            for path in sorted((washers / "train" / "good").glob("*.png"))[:3]:
                packed.write(path, f"{folder}/{path.name}")
            packed.writestr(f"{folder}/_annotations.coco.json", "{}")
    request = TrainRequest(name="washer", folder="uploaded")
    with pytest.raises(UploadError, match=r"_annotations\.coco\.json"):
        jobs.start_training(request, tmp_path / "train.zip")
    assert jobs.all() == []
    jobs.stop(jobs.start_training(request, tmp_path / "good.zip").id)


def test_what_is_refused_leaves_no_job(jobs: Jobs, fitted: Path, tmp_path: Path) -> None:
    for folder in ("relative", "/no/such/folder", "--out=/tmp/x"):
        with pytest.raises(UsageError):
            jobs.start(ExploreRequest(folder=folder))
    with pytest.raises(UsageError):
        jobs.start(EvaluateRequest(folder=str(tmp_path), inspector="washer"))
    with pytest.raises(UploadError):
        jobs.start_training(TrainRequest(name="washer", folder="uploaded"), fitted)
    assert jobs.all() == [] and list((tmp_path / "jobs").iterdir()) == []


def test_an_evaluation_is_of_the_version_that_is_meant(
    jobs: Jobs, fitted: Path, washers: Path, tmp_path: Path
) -> None:
    shutil.copy(fitted, tmp_path / "0003-d604acebc718.blemish")
    moment = datetime.now(UTC)
    version = InspectorVersion(
        name="ring",
        version=3,
        digest=file_digest(fitted),
        path=tmp_path / "0003-d604acebc718.blemish",
        detector="patchcore",
        category="washer",
        created=moment,
        added=moment,
        active=True,
    )
    request = EvaluateRequest(folder=str(washers), inspector="ring")
    job = jobs.wait(jobs.start(request, inspector=version).id, FEW_SECONDS)
    assert job.state is JobState.DONE and job.says == "Done.", (job.says, jobs.log(job.id))
    assert "<h1>ring, version 3: evaluation</h1>" in jobs.report(job.id).read_text("utf-8")
    few = StressRequest(folder=str(washers), inspector="ring", of=("blur",), steps=1, limit=4)
    stressed = jobs.wait(jobs.start(few, inspector=version).id, FEW_SECONDS)
    assert stressed.state is JobState.DONE and stressed.title == "Stress ring on washer", stressed.says
    assert stressed.result and [one["disturbance"] for one in stressed.result["disturbances"]] == ["blur"]
    assert "<h1>ring, version 3: stress</h1>" in jobs.report(stressed.id).read_text("utf-8")
    version.path.write_bytes(fitted.read_bytes() + b"x")
    refused = jobs.wait(jobs.start(request, inspector=version).id, FEW_SECONDS)
    assert refused.state is JobState.FAILED and "0003-d604acebc718.blemish" in refused.says


@pytest.mark.parametrize(
    "document",
    [
        {"kind": "train", "name": "../x", "folder": "/data"},
        {"kind": "train", "name": "x", "folder": "/data", "detector": "--debug"},
        {"kind": "train", "name": "x", "folder": "/data", "size": 10**9},
        {"kind": "train", "name": "x", "folder": "/da\x00ta"},
        {"kind": "shell", "folder": "/data"},
        {"kind": "explore", "folder": "/data", "out": "/etc"},
        {"kind": "benchmark", "folder": "/data", "detectors": []},
        {"kind": "stress", "folder": "/data", "inspector": "x", "of": ["../x"]},
        {"kind": "stress", "folder": "/data", "inspector": "x", "steps": 0},
    ],
)
def test_requests_are_checked_field_by_field(document: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter[JobRequest](JobRequest).validate_python(document)


def test_a_job_ends_with_a_killed_server_and_is_found_interrupted(washers: Path, tmp_path: Path) -> None:
    program = f"""
import time
from pathlib import Path
from blemish.server.job_requests import TrainRequest
from blemish.server.jobs import Jobs
from blemish.server.laboratory.training_summary import training_summary
jobs = Jobs(Path({str(tmp_path / "jobs")!r}))
job = jobs.start(TrainRequest(name="washer", folder={str(washers)!r}, detector="cae", size=256))
while jobs._process is None:
    time.sleep(0.01)
print(job.id, jobs._process.pid, flush=True)
time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        identity, process = server.stdout.readline().split()
        time.sleep(1)
        server.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 20
    while alive(int(process)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not alive(int(process))
    jobs = Jobs(tmp_path / "jobs")
    found: Job = jobs.get(identity)
    jobs.close()
    assert found.state is JobState.INTERRUPTED and found.ended


def alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{process}/stat")
    return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] != "Z"


def test_a_training_is_asked_for_copies(tmp_path: Path) -> None:
    asked = TrainRequest(name="part", folder=str(tmp_path), copies="turn8,shift")
    name, request = workflow(asked, tmp_path)
    assert name == "train" and request.copies == "turn8,shift"
    with pytest.raises(ValidationError):
        TrainRequest(name="part", folder=str(tmp_path), copies="turn8; shift")


def test_a_training_is_asked_to_augment(tmp_path: Path) -> None:
    asked = TrainRequest(name="part", folder=str(tmp_path), augment="flips,turns")
    name, request = workflow(asked, tmp_path)
    assert name == "train" and request.augment == "flips,turns"
    with pytest.raises(ValidationError):
        TrainRequest(name="part", folder=str(tmp_path), augment="flips; turns")
