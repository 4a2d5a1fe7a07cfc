"""Who may do what, on every route, and what a stranger's web page may not do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from fastapi.routing import APIRoute
from server_clients import assert_problem, inspect

from blemish.core.errors import UsageError
from blemish.server.run import open_service
from blemish.server.settings import ServerSettings
from blemish.station.keys import Role

OPEN = {"/healthz", "/readyz", "/docs", "/openapi.json"}
"""Routes that need no key: they say nothing of what was inspected."""

EXPECTED = {
    ("POST", "/v1/inspect"): Role.OPERATOR,
    ("POST", "/v1/inspections/{number}/feedback"): Role.OPERATOR,
    ("POST", "/v1/inspectors"): Role.ADMIN,
    ("PUT", "/v1/inspectors/{name}/decision"): Role.OPERATOR,
    ("POST", "/v1/inspectors/{name}/decision/undo"): Role.OPERATOR,
    ("POST", "/v1/inspectors/{name}/decision/preview"): Role.VIEWER,
    ("POST", "/v1/inspectors/{name}/decision/preview/{number}"): Role.VIEWER,
    ("POST", "/v1/inspectors/{name}/drift/learn-anew"): Role.OPERATOR,
    ("GET", "/v1/audit"): Role.ADMIN,
    ("GET", "/v1/keys"): Role.ADMIN,
    ("GET", "/v1/uploads/{upload}"): Role.ADMIN,
    ("GET", "/v1/stations/{name}/settings"): Role.ADMIN,
    ("GET", "/v1/inspectors/{name}/versions/{version}/artifact"): Role.ADMIN,
    ("POST", "/v1/inspectors/{name}/view/photograph"): Role.OPERATOR,
    ("POST", "/v1/inspections/{number}/void"): Role.OPERATOR,
    ("POST", "/v1/inspections/{number}/void/undo"): Role.OPERATOR,
    ("POST", "/v1/inspectors/{name}/corrections/{number}/confirm"): Role.OPERATOR,
    ("POST", "/v1/inspectors/{name}/learn"): Role.ADMIN,
    ("POST", "/v1/inspectors/{name}/activate"): Role.ADMIN,
    ("POST", "/v1/inspectors/{name}/roll-back"): Role.ADMIN,
}
"""What is not here needs a viewer to be read, and an admin to be changed."""


@pytest.fixture(scope="module")
def guarded(served: Any) -> Iterator[Any]:
    with served(require_keys=True, keys=("made below",)) as server:
        yield server


@pytest.fixture(scope="module")
def keys(guarded: Any) -> dict[Role, str]:
    return {role: guarded.service.keys.create(f"a-{role}", role) for role in Role}


def _routes(app: Any) -> list[tuple[str, str]]:
    """Every method and path there is, mounted pages aside."""
    found = []
    waiting = list(app.routes)
    while waiting:
        route = waiting.pop()
        nested = getattr(route, "original_router", None) or getattr(route, "router", None)
        if not isinstance(route, APIRoute) and nested is not None:
            waiting += list(nested.routes)
        elif hasattr(route, "methods"):
            found += [
                (method, route.path.replace(":path}", "}"))
                for method in route.methods or ()
                if method not in ("HEAD", "OPTIONS")
            ]
    return sorted(set(found))


def test_every_route_asks_for_a_key_and_for_the_right_role(guarded: Any, keys: dict[Role, str]) -> None:
    routes = _routes(guarded.app)
    documented = guarded.app.openapi()["paths"]
    assert {path for _, path in routes} >= set(documented) | OPEN
    assert len(routes) > 15
    for method, path in routes:
        address = path.replace("{number}", "1").replace("{name}", "washer").replace("{identifier}", "1")
        with guarded.client() as client:
            nobody = client.request(method, address)
        with guarded.client("blemish_wrong") as client:
            wrong = client.request(method, address)
        if path in OPEN:
            assert nobody.status_code == wrong.status_code == 200, path
            continue
        for answer in (nobody, wrong):
            assert_problem(answer, 401)
            assert answer.headers["www-authenticate"] == "Bearer"
        needed = EXPECTED.get((method, path), Role.VIEWER if method == "GET" else Role.ADMIN)
        for role, key in keys.items():
            with guarded.client(key) as client:
                status = client.request(method, address).status_code
            assert (status == 403) == (not role.allows(needed)), (method, path, role, status)
            assert status != 401


def test_every_route_of_the_api_names_its_role_in_the_code(guarded: Any) -> None:
    for path, methods in guarded.app.openapi()["paths"].items():
        for method, operation in methods.items():
            assert (path in OPEN) == ("security" not in operation), (method, path)


def test_a_revoked_key_opens_nothing_after_two_seconds(guarded: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from blemish.server import authentication

    monkeypatch.setattr(authentication, "KEY_SECONDS", 0.0)
    token = guarded.service.keys.create("short", Role.VIEWER)
    with guarded.client(token) as client:
        assert client.get("/v1/stats").status_code == 200
        guarded.service.keys.revoke("short")
        assert_problem(client.get("/v1/stats"), 401)


def test_the_log_names_the_key_and_never_holds_it(guarded: Any, keys: dict[Role, str], good: bytes) -> None:
    with guarded.client(keys[Role.OPERATOR]) as client:
        (found,) = inspect(client, ("x.png", good)).json()["inspections"]
    assert found["by"] == "a-operator"
    for path in guarded.service.home.path.rglob("*"):
        if path.is_file():
            assert keys[Role.OPERATOR].encode() not in path.read_bytes()


def test_a_key_may_make_so_many_requests_in_a_minute(served: Any) -> None:
    with served(require_keys=True, keys=("made below",), rate_per_minute=3) as server:
        key = server.service.keys.create("busy", Role.VIEWER)
        with server.client(key) as client:
            answers = [client.get("/v1/inspectors") for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
    assert int(answers[-1].headers["retry-after"]) >= 1


def test_another_address_without_a_key_is_refused(tmp_path: Any) -> None:
    for values in ({"host": "0.0.0.0"}, {"require_keys": True}):
        with pytest.raises(UsageError, match=r"blemish key create"):
            open_service(ServerSettings(home=tmp_path, port=0, **values))


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("GET", {"Host": "evil.example"}),
        ("GET", {"Host": "evil.example:80"}),
        ("POST", {"Origin": "https://evil.example"}),
        ("POST", {"Origin": "null"}),
        ("POST", {"Sec-Fetch-Site": "cross-site"}),
    ],
)
def test_a_strangers_web_page_can_do_nothing(
    client: httpx.Client, method: str, headers: dict[str, str]
) -> None:
    path = "/v1/inspectors" if method == "GET" else "/v1/inspectors/washer/roll-back"
    assert_problem(client.request(method, path, headers=headers), 403)


def test_what_a_proxy_passes_on_needs_a_key(client: httpx.Client) -> None:
    assert_problem(client.get("/v1/inspectors", headers={"X-Forwarded-For": "203.0.113.7"}), 401)
