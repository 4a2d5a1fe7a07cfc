"""`/v1/keys`: admins say who may use the server."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from server_clients import assert_problem

from blemish.station.keys import Role


@pytest.fixture
def guarded(served: Any) -> Iterator[Any]:
    with served(require_keys=True, keys=("made below",), add=False) as server:
        yield server


@pytest.fixture
def anna(guarded: Any) -> Iterator[httpx.Client]:
    with guarded.client(guarded.service.keys.create("anna", Role.ADMIN)) as client:
        yield client


def test_a_key_is_made_shown_once_used_listed_and_revoked(guarded: Any, anna: httpx.Client) -> None:
    made = anna.post("/v1/keys", json={"name": "line-3", "role": "operator"})
    assert made.status_code == 201
    token = made.json()["key"]
    with guarded.client(token) as line:
        assert line.get("/v1/inspectors").status_code == 200
        assert_problem(line.get("/v1/keys"), 403)
        assert_problem(line.post("/v1/keys", json={"name": "more", "role": "admin"}), 403)
        assert_problem(line.delete("/v1/keys/anna"), 403)
    listed = anna.get("/v1/keys")
    assert token not in listed.text
    found = {key["name"]: key for key in listed.json()["keys"]}
    assert set(found) == {"anna", "line-3"}
    assert (
        found["line-3"]["role"] == "operator" and found["line-3"]["last_used"] and not found["line-3"]["own"]
    )
    assert found["anna"]["own"] and found["anna"]["revoked"] is None
    answer = anna.delete("/v1/keys/line-3")
    assert answer.status_code == 204 and answer.content == b""
    (revoked,) = (key for key in anna.get("/v1/keys").json()["keys"] if key["name"] == "line-3")
    assert revoked["revoked"]
    assert guarded.service.keys.find(token) is None
    noted = [
        (one["action"], one["by"], one["detail"]["key"]) for one in anna.get("/v1/audit").json()["entries"]
    ]
    assert noted[:2] == [("revoke-key", "anna", "line-3"), ("create-key", "anna", "line-3")]
    assert token not in anna.get("/v1/audit").text


def test_a_name_is_given_once(anna: httpx.Client) -> None:
    new = {"name": "line-3", "role": "viewer"}
    assert anna.post("/v1/keys", json=new).status_code == 201
    assert "choose another name" in assert_problem(anna.post("/v1/keys", json=new), 422)["detail"]
    anna.delete("/v1/keys/line-3")
    assert_problem(anna.post("/v1/keys", json=new), 422)


@pytest.mark.parametrize(
    ("new", "said"),
    [
        ({"name": "", "role": "viewer"}, "1 to 80 letters"),
        ({"name": "a b", "role": "viewer"}, "1 to 80 letters"),
        ({"name": "../x", "role": "viewer"}, "1 to 80 letters"),
        ({"name": "x", "role": "owner"}, "body.role"),
        ({"name": "x"}, "body.role"),
        ({"name": "x", "role": "viewer", "key": "blemish_mine"}, "body.key"),
    ],
)
def test_what_cannot_be_a_key_is_refused_in_a_sentence(anna: httpx.Client, new: Any, said: str) -> None:
    assert said in assert_problem(anna.post("/v1/keys", json=new), 422)["detail"]
    assert len(anna.get("/v1/keys").json()["keys"]) == 1


def test_the_last_admin_goes_only_when_that_is_said(guarded: Any, anna: httpx.Client) -> None:
    problem = assert_problem(anna.delete("/v1/keys/anna"), 409)
    assert "last key of an admin" in problem["detail"]
    anna.post("/v1/keys", json={"name": "otto", "role": "operator"})
    assert_problem(anna.delete("/v1/keys/anna"), 409)  # an operator makes no keys
    anna.post("/v1/keys", json={"name": "berta", "role": "admin"})
    assert anna.delete("/v1/keys/berta").status_code == 204
    assert anna.delete("/v1/keys/anna", params={"last_admin": True}).status_code == 204
    assert guarded.service.keys.list()[0].revoked


def test_a_key_that_is_not_there_cannot_be_revoked(anna: httpx.Client) -> None:
    assert_problem(anna.delete("/v1/keys/nobody"), 404)
