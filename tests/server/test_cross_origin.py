"""Pages of other sites use the API where the administrator names them, with a key and never with a session."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from pydantic import ValidationError
from server_clients import assert_problem

from blemish.server.settings import ServerSettings
from blemish.station.keys import Role

SITE = "https://mes.plant.example"
PREFLIGHT = {
    "Access-Control-Request-Method": "PUT",
    "Access-Control-Request-Headers": "authorization,content-type",
}


@pytest.fixture(scope="module")
def named(served: Any) -> Iterator[Any]:
    with served(
        require_keys=True,
        keys=("x",),
        page=True,
        add=False,
        allow_origin=(f"{SITE}/", "http://localhost:5173"),
    ) as server:
        yield server


@pytest.fixture(scope="module")
def key(named: Any) -> str:
    return str(named.service.keys.create("mes", Role.ADMIN))


def preflight(client: httpx.Client, origin: str) -> httpx.Response:
    return client.options("/v1/settings/retention", headers={"Origin": origin, **PREFLIGHT})


def test_a_named_site_reads_and_changes_with_a_key(named: Any, key: str) -> None:
    with named.client() as client:
        asked = preflight(client, SITE)
        assert asked.status_code == 200
        assert asked.headers["access-control-allow-origin"] == SITE
        assert "PUT" in asked.headers["access-control-allow-methods"]
        assert "authorization" in asked.headers["access-control-allow-headers"].lower()
        assert "access-control-allow-credentials" not in asked.headers
        with_key = {"Origin": SITE, "Authorization": f"Bearer {key}", "Sec-Fetch-Site": "cross-site"}
        answer = client.get("/v1/inspectors", headers=with_key)
        assert answer.status_code == 200 and answer.headers["access-control-allow-origin"] == SITE
        assert "Origin" in answer.headers["vary"]
        changed = client.put(
            "/v1/settings/retention", json={"keep": "all", "days": 9, "gigabytes": None}, headers=with_key
        )
        assert changed.status_code == 200 and changed.json()["days"] == 9
        refused = client.get("/v1/inspectors", headers={"Origin": SITE})
        assert_problem(refused, 401)  # which its page can read, too
        assert refused.headers["access-control-allow-origin"] == SITE


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "http://mes.plant.example", f"{SITE}.evil.example", f"{SITE}:8443", "null"],
)
def test_no_other_site_does(named: Any, key: str, origin: str) -> None:
    with named.client(key) as client:
        assert "access-control-allow-origin" not in preflight(client, origin).headers
        assert (
            "access-control-allow-origin"
            not in client.get("/v1/inspectors", headers={"Origin": origin}).headers
        )
        new = {"name": "stranger", "role": "admin"}
        assert_problem(client.post("/v1/keys", json=new, headers={"Origin": origin}), 403)


def test_a_session_is_worth_nothing_on_a_named_site(named: Any, key: str) -> None:
    with named.client() as client:
        own = {"Origin": str(client.base_url).rstrip("/")}
        assert client.post("/sign-in", data={"key": key}, headers=own).status_code == 303
        assert client.get("/v1/keys").status_code == 200
        for origin in (SITE, "http://localhost:5173"):
            for site in ("same-site", "cross-site", None):
                headers = {"Origin": origin} | ({"Sec-Fetch-Site": site} if site else {})
                assert_problem(
                    client.post("/v1/keys", json={"name": "by-cookie", "role": "admin"}, headers=headers), 403
                )
        assert (
            "access-control-allow-credentials" not in client.get("/v1/keys", headers={"Origin": SITE}).headers
        )
        assert "by-cookie" not in client.get("/v1/keys").text


def test_without_the_option_nobody_is_named(client: httpx.Client) -> None:
    assert "access-control-allow-origin" not in preflight(client, SITE).headers
    assert "access-control-allow-origin" not in client.get("/v1/inspectors", headers={"Origin": SITE}).headers
    assert_problem(client.post("/v1/keys", json={}, headers={"Origin": SITE}), 403)


def test_origins_are_exact() -> None:
    given = ("HTTPS://MES.plant.example:443/", "http://localhost:5173")
    assert ServerSettings(allow_origin=given).allow_origin == (SITE, "http://localhost:5173")
    for wrong in (
        "*",
        "https://*.plant.example",
        "mes.plant.example",
        f"{SITE}/app",
        "null",
        "ftp://x",
        "https://a@b",
    ):
        with pytest.raises(ValidationError, match="is no origin"):
            ServerSettings(allow_origin=(wrong,))
