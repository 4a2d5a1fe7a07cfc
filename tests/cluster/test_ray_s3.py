"""Photographs in a store that speaks S3, judged by the workers of a cluster: against moto's server."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from blemish.cluster.object_store import ObjectStore
from blemish.cluster.session import cluster
from blemish.core.errors import ImageError, UsageError
from blemish.line.parquet_results import FOLDER
from blemish.workflows.fields import Executor
from blemish.workflows.inspect import InspectRequest, Save, inspect
from blemish.workflows.inspect_on_cluster import inspect_on_cluster

pytest.importorskip("ray", reason="Ray is not installed: pip install -e '.[scale]'")
pq = pytest.importorskip("pyarrow.parquet")

SERVER = shutil.which("moto_server", path=str(Path(sys.executable).parent)) or shutil.which("moto_server")


@pytest.fixture(scope="module")
def store() -> Iterator[str]:
    """The address of a server of S3 that is empty."""
    if SERVER is None:
        pytest.skip("moto's server is not installed: pip install 'moto[server]'")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [SERVER, "-H", "127.0.0.1", "-p", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        for _ in range(600):
            with socket.socket() as asking:
                if asking.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.kill()
        server.wait()


def put(store: str, place: str, content: bytes) -> None:
    """Make a bucket, or put an object into one."""
    asked = urllib.request.Request(f"{store}/{place}", data=content, method="PUT")
    asked.add_header("Content-Type", "application/octet-stream")
    with urllib.request.urlopen(asked, timeout=30) as answer:
        assert answer.status == 200


@pytest.fixture(scope="module")
def archive(store: str, washers: Path) -> Iterator[None]:
    """A bucket with four photographs and a text, on a machine that is told of it by its environment."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ENDPOINT_URL", store)
        environment.setenv("AWS_ACCESS_KEY_ID", "nobody")
        environment.setenv("AWS_SECRET_ACCESS_KEY", "nothing")
        environment.setenv("AWS_REGION", "us-east-1")
        environment.setenv("AWS_EC2_METADATA_DISABLED", "true")
        put(store, "parts", b"")
        for number, file in enumerate(sorted((washers / "test").rglob("*.png"))[:4]):
            put(store, f"parts/2041/{number}.png", file.read_bytes())
        put(store, "parts/2041/notes.txt", b"of the shift")
        yield


def test_objects_are_listed_and_read_within_limits(archive: None) -> None:
    here = ObjectStore.of_environment()
    found = list(here.objects("s3://parts/2041/"))
    assert [one.address for one in found] == [
        f"s3://parts/2041/{name}" for name in ("0.png", "1.png", "2.png", "3.png", "notes.txt")
    ]
    assert [one.address for one in here.objects("s3://parts/2041/1.png")] == ["s3://parts/2041/1.png"]
    content = here.read("s3://parts/2041/notes.txt", 100)
    assert content == b"of the shift" and found[-1].size == len(content)
    with pytest.raises(ImageError, match="at most 5 are read") as refused:
        here.read("s3://parts/2041/notes.txt", 5)
    assert refused.value.kind == "too-large"
    with pytest.raises(ImageError, match="no such object"):
        here.read("s3://parts/2041/none.png", 5)
    for nothing in ("s3://parts/2042", "s3://no-such-bucket"):
        with pytest.raises(UsageError, match=nothing):
            list(here.objects(nothing))


def test_objects_are_judged_as_files_are(archive: None, fitted: Path, washers: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    request = InspectRequest(
        inspector=fitted, paths=(Path("s3://parts/2041"),), out=out, executor=Executor.RAY, save=Save.REJECTS
    )
    with cluster(workers=1):
        found = inspect_on_cluster(request)
        again = inspect_on_cluster(request.model_copy(update={"resume": True}))
    results = {one["path"]: one for one in map(json.loads, pq.read_table(out / FOLDER)["result"].to_pylist())}
    assert found.total == len(results) == 5 and found.earlier == 0
    assert again.earlier == 4  # the text has failed, and is tried again
    assert results["s3://parts/2041/notes.txt"]["kind"] == "not-an-image"
    files = sorted((washers / "test").rglob("*.png"))[:4]
    local = inspect(InspectRequest(inspector=fitted, paths=tuple(files))).to_json()
    for number, one in enumerate(local):
        stored = results[f"s3://parts/2041/{number}.png"]
        assert stored["verdict"] == one["verdict"] and stored["score"] == pytest.approx(
            one["score"], rel=1e-5
        )
        if one["verdict"] != "pass":
            assert (out / "2041" / f"{number}.jpg").is_file()
