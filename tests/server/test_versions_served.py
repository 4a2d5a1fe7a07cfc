"""What each version is made of, its file, and what it says of kept photographs, over HTTP."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from server_clients import assert_problem, inspect, inspected, photographs, say

from blemish.line.artifact import read_artifact, read_manifest, write_artifact
from blemish.server.manifest_changes import changes_in_words, kind_of_change
from blemish.station.keys import Role

NOTE = "too many stops"


@pytest.fixture(scope="module")
def changed(served: Callable[..., Any]) -> Iterator[Any]:
    """A server whose `washer` was decided anew, then narrowed: three versions, the second one judges."""
    with served(keep="all") as server, server.client() as client:
        wanted = {"false_reject_rate": 0.2, "note": NOTE}
        assert client.put("/v1/inspectors/washer/decision", json=wanted).status_code == 200
        narrowed = client.post("/v1/inspectors/washer/regions", json={"ignore": ["box:0,0,40,40"]})
        assert narrowed.json()["version"] == 3, narrowed.text
        yield server


@pytest.fixture
def asking(changed: Any) -> Iterator[httpx.Client]:
    with changed.client() as client:
        yield client


def test_each_version_says_what_it_was_made_of_and_what_changed(asking: httpx.Client) -> None:
    third, second, first = asking.get("/v1/inspectors/washer/versions").json()
    assert [one["version"] for one in (third, second, first)] == [3, 2, 1]
    assert [one["active"] for one in (third, second, first)] == [False, True, False]
    assert first["changes"] is None and first["note"] is None and first["by"] == "local"
    assert first["learnt"]["detector"] == "patchcore" and first["learnt"]["n_images"] == 12
    assert first["learnt"]["parameters"]["size"] == 128 and first["bytes"] > 1000
    assert (second["changes"]["kind"], second["changes"]["against"], second["note"]) == ("decision", 1, NOTE)
    assert any(one.startswith("Rejects above ") for one in second["changes"]["sentences"])
    assert not any("Learnt from" in one for one in second["changes"]["sentences"])
    assert (third["changes"]["kind"], third["changes"]["against"], third["note"]) == ("regions", 2, None)
    assert "not in box:0,0,40,40" in third["changes"]["sentences"][0]
    assert [period["until"] is None for period in second["periods"]] == [True]
    assert [period["until"] for period in first["periods"]] == [second["periods"][0]["since"]]
    assert third["periods"] == []
    one = asking.get("/v1/inspectors/washer/versions/3", params={"against": 1}).json()
    assert one["changes"]["against"] == 1 and one["changes"]["kind"] == "regions"
    assert len(one["changes"]["sentences"]) > len(third["changes"]["sentences"])
    for path in ("washer/versions/9", "nut/versions", "washer/versions/3?against=9"):
        assert_problem(asking.get(f"/v1/inspectors/{path}"), 404)


def test_no_folder_of_where_it_was_fitted_is_given_away(asking: httpx.Client, washers: Path) -> None:
    text = asking.get("/v1/inspectors/washer/versions").text
    assert str(washers.parent) not in text and "/inspectors/washer/0" not in text


def test_versions_fare_as_the_history_says(
    changed: Any, asking: httpx.Client, good: bytes, rejected: list[Any]
) -> None:
    number = inspected(asking, next(photographs(rejected, 1)))
    say(asking, number, "good")
    assert inspect(asking, ("part.png", good)).status_code == 200
    second = asking.get("/v1/inspectors/washer/versions/2").json()["counts"]
    assert (second["n"], second["rejected"], second["corrected"], second["false_rejects"]) == (2, 1, 1, 1)
    assert asking.get("/v1/inspectors/washer/versions/1").json()["counts"]["n"] == 0

    before = asking.get("/v1/inspections").json()
    said = asking.get(f"/v1/inspections/{number}/reinspection", params={"version": 1}).json()
    known = asking.get(f"/v1/inspections/{number}").json()
    assert said["verdict"] == "reject" and said["score"] == pytest.approx(known["score"])
    assert said["threshold"] != known["threshold"], "by the decision of the version that was asked for"
    assert asking.get("/v1/inspections").json() == before, "nothing of it is logged"
    assert_problem(asking.get(f"/v1/inspections/{number}/reinspection", params={"version": 9}), 404)
    assert_problem(asking.get("/v1/inspections/999/reinspection", params={"version": 1}), 404)


def test_the_file_comes_as_it_was_added(asking: httpx.Client, fitted: Path) -> None:
    answer = asking.get("/v1/inspectors/washer/versions/1/artifact")
    assert answer.content == fitted.read_bytes()
    digest = hashlib.sha256(answer.content)
    assert answer.headers["repr-digest"] == f"sha-256=:{base64.b64encode(digest.digest()).decode()}:"
    assert answer.headers["etag"] == f'"{digest.hexdigest()}"'
    assert answer.headers["content-disposition"] == 'attachment; filename="washer-v1.blemish"'
    assert int(answer.headers["content-length"]) == len(answer.content)
    again = asking.post(
        "/v1/inspectors", files={"artifact": ("a.blemish", answer.content)}, data={"name": "copied"}
    )
    assert again.status_code == 201 and again.json()["digest"] == digest.hexdigest()


def test_a_file_that_was_swapped_is_not_given_and_says_so(served: Callable[..., Any], fitted: Path) -> None:
    with served() as server, server.client() as client:
        path = server.service.shelf.get("washer", 1).path
        path.write_bytes(b"PK" + bytes(100))
        problem = assert_problem(client.get("/v1/inspectors/washer/versions/1/artifact"), 422)
        assert str(path.parent) not in problem["detail"]
        (one,) = client.get("/v1/inspectors/washer/versions").json()
        assert one["learnt"] is None and "damaged" in one["trouble"] and str(path) not in json.dumps(one)
        path.unlink()
        assert "gone" in client.get("/v1/inspectors/washer/versions/1").json()["trouble"]
        assert_problem(client.get("/v1/inspectors/washer/versions/1/artifact"), 422)


def test_only_an_admin_takes_a_file_out(served: Callable[..., Any]) -> None:
    with served(require_keys=True, keys=("x",)) as server:
        for role, status in ((Role.VIEWER, 403), (Role.OPERATOR, 403), (Role.ADMIN, 200)):
            with server.client(server.service.keys.create(f"a-{role}", role)) as client:
                assert client.get("/v1/inspectors/washer/versions/1/artifact").status_code == status
                assert client.get("/v1/inspectors/washer/versions/1").status_code == 200


def test_a_fit_anew_tells_which_photographs_are_new(fitted: Path, tmp_path: Path) -> None:
    artifact = read_artifact(fitted)
    before, training = artifact.manifest, artifact.manifest.training
    digests = tuple(sorted([*training.digests[2:], "f" * 64, "e" * 64, "d" * 64]))
    learnt = training.model_copy(
        update={"digests": digests, "n_images": len(digests), "seed": training.seed + 1}
    )
    size = {"size": 256}
    detector = before.detector.model_copy(update={"parameters": before.detector.parameters | size})
    after = before.model_copy(update={"training": learnt, "detector": detector})
    assert kind_of_change(before, after) == "fitted"
    said = changes_in_words(before, after)
    assert "Parameter size: 256 instead of 128." in said
    assert "Learnt from 13 photographs: 3 new, 10 as before, 2 no longer." in said
    assert f"Seed {training.seed + 1} instead of {training.seed}." in said
    assert (kind_of_change(before, before), changes_in_words(before, before)) == ("same", ())
    path = tmp_path / "again.blemish"
    write_artifact(path, before, artifact.members)
    assert read_manifest(path) == read_artifact(path).manifest
