"""Who signs in at the page is known there, until the session ends; and nobody else's page may use it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import itsdangerous
import pytest
from server_clients import assert_problem

from blemish.server import authentication, sessions
from blemish.server.page.sign_in import own_path
from blemish.station.home import Home
from blemish.station.keys import Role

OWN = {"Sec-Fetch-Site": "same-origin"}


@pytest.fixture(scope="module")
def guarded(served: Any) -> Iterator[Any]:
    with served(require_keys=True, keys=("made below",), page=True, add=False) as server:
        yield server


@pytest.fixture(scope="module")
def keys(guarded: Any) -> dict[Role, str]:
    return {role: guarded.service.keys.create(f"a-{role}", role) for role in Role}


def sign_in(client: httpx.Client, key: str, following: str = "/", **headers: str) -> httpx.Response:
    form = {"key": key, "next": following}
    return client.post("/sign-in", data=form, headers=headers or {"Origin": str(client.base_url).rstrip("/")})


@pytest.fixture
def admin(guarded: Any, keys: dict[Role, str]) -> Iterator[httpx.Client]:
    """A browser in which an admin has signed in."""
    with guarded.client() as client:
        assert sign_in(client, keys[Role.ADMIN]).status_code == 303
        yield client


def test_signing_in_leads_back_to_what_was_asked_for(guarded: Any, keys: dict[Role, str]) -> None:
    with guarded.client() as client:
        asked = client.get("/parts/screw?version=2&text=a%20b", headers={"Accept": "text/html"})
        assert asked.status_code == 303
        page = client.get(asked.headers["location"])
        assert page.status_code == 200 and "blemish key create" in page.text
        assert 'value="/parts/screw?version=2&amp;text=a%20b"' in page.text
        answer = sign_in(client, f" {keys[Role.VIEWER]}\n", "/parts/screw?version=2&text=a%20b")
        assert answer.status_code == 303 and answer.headers["location"] == "/parts/screw?version=2&text=a%20b"
        (cookie,) = answer.headers.get_list("set-cookie")
        assert "HttpOnly" in cookie and "SameSite=lax" in cookie and "Path=/;" in f"{cookie};"
        assert keys[Role.VIEWER] not in cookie
        shown = client.get("/settings").text
        assert "a-viewer" in shown and "Sign out" in shown
        assert client.get("/v1/inspectors").status_code == 200
        assert client.get("/sign-in?next=/settings").headers["location"] == "/settings"


@pytest.mark.parametrize(
    "elsewhere",
    [
        "//evil.example",
        "/\\evil.example",
        "https://evil.example",
        "evil",
        "/a\r\nX: y",
        "/\t/evil",
        "",
        "/é",
        "/sign-in",
    ],
)
def test_signing_in_leads_to_no_other_server(guarded: Any, keys: dict[Role, str], elsewhere: str) -> None:
    assert own_path(elsewhere) == "/"
    with guarded.client() as client:
        assert sign_in(client, keys[Role.VIEWER], elsewhere).headers["location"] == "/"
        assert client.get("/sign-in", params={"next": elsewhere}).headers["location"] == "/"


def test_a_wrong_key_is_said_beside_its_field_and_opens_nothing(guarded: Any) -> None:
    with guarded.client() as client:
        for key, said in (("blemish_<b>wrong", "This key opens nothing"), ("  ", "Give the key.")):
            answer = sign_in(client, key, "/settings")
            assert answer.status_code in (401, 422)
            assert (
                said in answer.text
                and 'aria-invalid="true"' in answer.text
                and 'id="wrong-key"' in answer.text
            )
            assert "wrong<" not in answer.text and "set-cookie" not in answer.headers
            assert 'value="/settings"' in answer.text
        assert_problem(client.get("/v1/inspectors"), 401)


def test_wrong_keys_are_counted_by_address(served: Any) -> None:
    with (
        served(require_keys=True, keys=("x",), page=True, add=False, rate_per_minute=3) as server,
        server.client() as client,
    ):
        answers = [sign_in(client, f"blemish_{number}") for number in range(5)]
    assert [answer.status_code for answer in answers] == [401, 401, 401, 429, 429]
    assert "requests in a minute" in answers[-1].text and int(answers[-1].headers["retry-after"]) >= 1


def test_a_session_outlives_the_server_and_not_the_home(
    served: Any, keys: dict[Role, str], tmp_path: Any
) -> None:
    options: dict[str, Any] = {"require_keys": True, "keys": ("x",), "page": True, "add": False}
    with served(home=tmp_path / "a", **options) as server, server.client() as client:
        key = server.service.keys.create("anna", Role.ADMIN)
        sign_in(client, key)
        cookies = dict(client.cookies)
    secret = tmp_path / "a" / "session-secret"
    assert secret.stat().st_mode & 0o777 == 0o600
    with served(home=tmp_path / "a", **options) as server, server.client(cookies=cookies) as client:
        assert client.get("/v1/keys").status_code == 200
    secret.write_text("")  # somebody has emptied it: nothing is signed with nothing
    with served(home=tmp_path / "a", **options) as server, server.client(cookies=cookies) as client:
        assert_problem(client.get("/v1/keys"), 401)
        assert len(secret.read_text()) == 64
        empty = sessions.Sessions("")
        forged = httpx.Response(200, headers={"set-cookie": _cookie_of(empty, "anna")}).headers["set-cookie"]
        client.cookies = httpx.Cookies(
            {server.app.state.authentication.sessions.cookie: forged.split("=", 1)[1].split(";")[0]}
        )
        assert_problem(client.get("/v1/keys"), 401)


def _cookie_of(made: sessions.Sessions, name: str) -> str:
    from starlette.responses import Response

    answer = Response()
    made.begin(answer, name)
    return answer.headers["set-cookie"]


def test_servers_of_one_home_draw_one_secret(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        drawn = list(threads.map(lambda _: Home(tmp_path / "home").session_secret, range(16)))
    assert len(set(drawn)) == 1 and len(drawn[0]) == 64
    assert {path.name for path in (tmp_path / "home").iterdir() if path.is_file()} == {"session-secret"}
    assert Home(tmp_path / "other").session_secret != drawn[0]


def test_a_changed_statement_opens_nothing(guarded: Any, admin: httpx.Client) -> None:
    ((name, value),) = admin.cookies.items()
    with guarded.client() as client:
        for forged in (
            value[:-9]
            + ("A" if value[-9] != "A" else "B")
            + value[-8:],  # the last letter has bits of no meaning
            value.split(".", 1)[1],
            "",
            "x" * 5000,
            "a.b.c",
        ):
            assert_problem(client.get("/v1/keys", headers={"Cookie": f"{name}={forged}"}), 401)


def test_no_token_is_taken_for_a_session_that_was_looked_up(guarded: Any, admin: httpx.Client) -> None:
    assert admin.get("/v1/keys").status_code == 200
    for token in ("a-admin", "session a-admin"):
        with guarded.client(token) as client:
            assert_problem(client.get("/v1/keys"), 401)


def test_a_session_ends_with_its_key(guarded: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(authentication, "KEY_SECONDS", 0.0)
    with guarded.client() as client:
        sign_in(client, guarded.service.keys.create("leaver", Role.ADMIN))
        assert client.get("/v1/keys").status_code == 200
        guarded.service.keys.revoke("leaver")
        assert_problem(client.get("/v1/keys"), 401)
        assert client.get("/settings", headers={"Accept": "text/html"}).status_code == 303


def test_a_session_lasts_twelve_hours_from_its_last_use_and_thirty_days_in_all(
    admin: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    start, later = time.time(), 0.0
    monkeypatch.setattr(itsdangerous.TimestampSigner, "get_timestamp", lambda self: int(start + later))
    monkeypatch.setattr(sessions.time, "time", lambda: start + later)
    assert "set-cookie" not in admin.get("/v1/keys").headers  # it is new still
    for hours in range(11, 24 * 30, 11):
        later = hours * 3600.0
        answer = admin.get("/v1/keys")
        assert answer.status_code == 200 and answer.headers["set-cookie"].count("blemish_") == 1
    later = 24 * 30 * 3600.0 + 1
    assert_problem(admin.get("/v1/keys"), 401)
    admin.cookies.clear()


def test_an_unused_session_has_ended_after_twelve_hours(
    admin: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.time() + 12 * 3600 + 5
    monkeypatch.setattr(itsdangerous.TimestampSigner, "get_timestamp", lambda self: int(now))
    assert_problem(admin.get("/v1/keys"), 401)


def test_signing_out_ends_it_in_this_browser(admin: httpx.Client) -> None:
    assert admin.post("/sign-out").status_code == 403  # nothing says that the person has done this
    assert admin.post("/sign-out", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert admin.get("/v1/keys").status_code == 200
    answer = admin.post("/sign-out", headers=OWN)
    assert answer.status_code == 303
    assert "You are signed out." in admin.get(answer.headers["location"]).text
    assert_problem(admin.get("/v1/keys"), 401)


def test_with_a_cookie_only_the_servers_own_pages_change_anything(guarded: Any, admin: httpx.Client) -> None:
    new = {"name": "from-elsewhere", "role": "admin"}
    for headers in (
        {},
        {"Sec-Fetch-Site": "none"},
        {"Sec-Fetch-Site": "same-site", "Origin": f"{admin.base_url}".rstrip("/")},
        {"Sec-Fetch-Site": "cross-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
    ):
        assert_problem(admin.post("/v1/keys", json=new, headers=headers), 403)
        assert_problem(admin.delete("/v1/keys/a-viewer", headers=headers), 403)
    assert "from-elsewhere" not in [key.name for key in guarded.service.keys.list()]
    assert admin.post("/v1/keys", json=new, headers=OWN).status_code == 201
    own = {"Origin": f"{admin.base_url}".rstrip("/")}  # over plain http browsers send nothing else
    assert admin.delete("/v1/keys/from-elsewhere", headers=own).status_code == 204


def test_a_header_counts_before_the_cookie(admin: httpx.Client, keys: dict[Role, str]) -> None:
    viewer = {"Authorization": f"Bearer {keys[Role.VIEWER]}"}
    assert_problem(admin.get("/v1/keys", headers=viewer), 403)
    assert_problem(admin.get("/v1/keys", headers={"Authorization": "Bearer no"}), 401)


def test_signing_in_needs_a_person_at_the_page(guarded: Any, keys: dict[Role, str]) -> None:
    """Else another site could sign somebody in under a name of its own."""
    with guarded.client() as client:
        answer = sign_in(client, keys[Role.VIEWER], **{"X-Nothing": "said"})
        assert answer.status_code == 403 and "set-cookie" not in answer.headers
        assert sign_in(client, keys[Role.VIEWER], Origin="https://evil.example").status_code == 403


def test_on_this_machine_without_keys_nobody_signs_in(served: Any) -> None:
    with served(page=True, add=False) as server, server.client() as client:
        assert client.get("/sign-in?next=/settings").headers["location"] == "/settings"
        page = client.get("/settings").text
        assert "everyone at this machine may do everything" in page and "Sign out" not in page
        # What a proxy passes on is nobody at this machine: it is asked for a key, and not sent round in circles.
        passed_on = {"X-Forwarded-For": "203.0.113.7", "Accept": "text/html"}
        assert client.get("/settings", headers=passed_on).headers["location"].startswith("/sign-in")
        assert client.get("/sign-in", headers=passed_on).status_code == 200


def test_buttons_that_a_role_may_not_press_are_not_shown(guarded: Any, keys: dict[Role, str]) -> None:
    for role in Role:
        with guarded.client(keys[role]) as client:
            page = client.get("/settings").text
        for address in ("/train", "/explore", "/benchmark"):  # jobs, which are an admin's
            assert (f'href="{address}"' in page) == (role is Role.ADMIN)
        assert ('id="key-form"' in page) == ('id="retention-save"' in page) == (role is Role.ADMIN)


def test_the_laboratory_takes_the_same_session(served: Any) -> None:
    pytest.importorskip("gradio")
    with served(require_keys=True, keys=("x",), page=True, laboratory=True, add=False) as server:
        key = server.service.keys.create("anna", Role.VIEWER)
        with server.client() as client:
            assert client.get("/laboratory/config").status_code == 401
            asked = client.get("/laboratory/?view=x", headers={"Accept": "text/html"})
            assert asked.status_code == 303
            assert asked.headers["location"] == "/sign-in?next=%2Flaboratory%2F%3Fview%3Dx"
            sign_in(client, key)
            assert client.get("/laboratory/config").json()["username"] == "anna"
            assert client.get("/laboratory/").status_code == 200
        with server.client(key) as client:
            assert client.get("/laboratory/config").json()["username"] == "anna"
