"""The service behind real proxies, run with the very configuration that docs/behind-a-proxy.md shows."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from page_browser import Watched
from proxy_process import caddy, nginx, snippets, traefik
from pydantic import ValidationError
from server_clients import inspect
from starlette.datastructures import URL

from blemish.server.proxies import Proxies
from blemish.server.settings import ServerSettings
from blemish.station.keys import Role


@pytest.fixture(scope="module")
def prefixed(served: Callable[..., Any]) -> Iterator[Any]:
    with served(
        page=True,
        laboratory=True,
        keep="all",
        keys=("anna",),
        root_path="/blemish",
        trusted_proxy=("127.0.0.1",),
    ) as server:
        yield server


@pytest.fixture(scope="module")
def rooted(served: Callable[..., Any]) -> Iterator[Any]:
    with served(
        page=True, laboratory=True, keep="all", keys=("anna",), trusted_proxy=("127.0.0.1",)
    ) as server:
        yield server


def port_of(server: Any) -> int:
    return int(server.address.rpartition(":")[2])


def judge_by_api(address: str, key: str, photograph: bytes) -> None:
    """What a program does: its key opens the API, and links lead where they say."""
    options: dict[str, Any] = {"verify": False, "trust_env": False, "timeout": 20}
    with httpx.Client(base_url=address, headers={"Authorization": f"Bearer {key}"}, **options) as client:
        answer = inspect(client, ("part.png", photograph))
        assert answer.status_code == 200, answer.text
        (found,) = answer.json()["inspections"]
        assert client.get(str(answer.url.join(found["image"]))).content == photograph
        document = client.get("/openapi.json").json()
        prefix = httpx.URL(address).path.rstrip("/")
        assert [one["url"] for one in document.get("servers", [])] == ([prefix] if prefix else [])
        docs = client.get("/docs")
        (link,) = re.findall(r'href="([^"#]*openapi[^"]*)"', docs.text)
        assert client.get(str(docs.url.join(link))).json() == document
    with httpx.Client(base_url=address, follow_redirects=True, **options) as client:
        assert client.get("/v1/inspectors").status_code == 401
        assert (
            client.get(address.rstrip("/"), headers={"Accept": "text/html"}).url.path == prefix + "/sign-in"
        )


def judge_by_page(browser: Any, address: str, key: str, photograph: bytes) -> None:
    """What a person does: signs in, has a photograph judged, looks round; all stays below the prefix."""
    watched = Watched(browser, address, "/", ignore_https_errors=True)
    with closing(watched.context):
        page = watched.page
        assert page.url == f"{address}/sign-in?next=%2F"
        assert_below(watched, address)
        page.get_by_label("Key", exact=True).fill(key)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url(f"{address}/")
        for path in ("/", "/parts/washer", "/settings"):
            watched.go(path)
            assert page.url == address + path
            assert_below(watched, address)
        judged = page.evaluate(
            """async ([address, bytes]) => {
                const form = new FormData();
                form.append("inspector", "washer");
                form.append("images", new Blob([new Uint8Array(bytes)]), "part.png");
                const answer = await fetch(`${address}/v1/inspect`, {method: "POST", body: form});
                return answer.status;
            }""",
            [address, list(photograph)],
        )
        assert judged == 200  # by the session alone
        cookies = watched.context.cookies()
        assert len(cookies) == 1 and cookies[0]["path"] == (httpx.URL(address).path.rstrip("/") or "/")
        assert cookies[0]["httpOnly"] and cookies[0]["sameSite"] == "Lax"
        assert cookies[0]["secure"] or address.startswith("http:")
        assert watched.troubles == []
        page.goto(f"{address}/laboratory/")  # which keeps a stream of events open, and so never rests
        page.locator(".gradio-container").first.wait_for()
        sent = f"{cookies[0]['name']}={cookies[0]['value']}"
        options: dict[str, Any] = {
            "verify": False,
            "trust_env": False,
            "headers": {"Cookie": sent},
            "timeout": 10,
        }
        with httpx.stream("GET", f"{address}/laboratory/gradio_api/heartbeat/abc", **options) as stream:
            assert "ALIVE" in next(stream.iter_text())  # the next comes after 15 s
        watched.go("/settings")
        page.locator("header").get_by_role("button", name="Sign out").click()
        page.get_by_text("You are signed out.").wait_for()
        assert page.url == f"{address}/sign-in?out=yes" and watched.context.cookies() == []
        assert watched.troubles == []


def assert_below(watched: Watched, address: str) -> None:
    """Every link, form, script, style and picture of a page is below the prefix; so is all that was asked for."""
    found = watched.page.evaluate(
        "[...document.querySelectorAll('[href], [src], [action]')]"
        ".map((e) => e.href?.baseVal || e.action || e.src || e.href)"
    )
    assert len(found) > 5
    assert [one for one in found if not one.startswith((f"{address}/", f"{address}#", "data:"))] == []
    assert [one for one in watched.troubles if one.startswith("foreign")] == []


@pytest.mark.browser
@pytest.mark.parametrize("program", ["nginx", "nginx-root", "caddy", "traefik"])
def test_a_service_works_behind_the_documented_proxy(
    program: str,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    browser: Any,
    good: bytes,
    caplog: pytest.LogCaptureFixture,
) -> None:
    server = request.getfixturevalue("rooted" if program == "nginx-root" else "prefixed")
    name = f"anna-{program}"
    key, backend = server.service.keys.create(name, Role.ADMIN), port_of(server)
    started: dict[str, Callable[[], Any]] = {
        "nginx": lambda: nginx(snippets("nginx")[1], backend, tmp_path),
        "nginx-root": lambda: nginx(snippets("nginx")[0], backend, tmp_path),
        "caddy": lambda: caddy(snippets("caddyfile")[0], backend, tmp_path),
        "traefik": lambda: traefik(snippets("yaml"), backend, tmp_path),
    }
    with started[program]() as port:
        scheme = "https" if program in ("nginx-root", "caddy") else "http"
        address = f"{scheme}://localhost:{port}" + ("" if program == "nginx-root" else "/blemish")
        judge_by_api(address, key, good)
        judge_by_page(browser, address, key, good)
        forged = {
            "X-Forwarded-For": "203.0.113.7",
            "Forwarded": "for=203.0.113.7",
            "Authorization": "Bearer no",
        }
        with httpx.Client(verify=False, trust_env=False, headers=forged) as client:
            assert client.get(f"{address}/v1/inspectors").status_code == 401
    assert "from 127.0.0.1." in caplog.text and "203.0.113.7" not in caplog.text


@contextmanager
def plain_nginx(backend: int, folder: Path) -> Iterator[int]:
    """What most people write first: nginx sends `Host: 127.0.0.1:8000` and nothing of the caller."""
    with nginx(
        "server {\nlisten 80;\nlocation / {\nproxy_pass http://127.0.0.1:8000;\n}\n}", backend, folder
    ) as port:
        yield port


def test_plain_proxy_pass_signs_in_once_the_server_knows_its_name(
    served: Callable[..., Any], tmp_path: Path
) -> None:
    def signed_in(server: Any, port: int, **headers: str) -> httpx.Response:
        key = server.service.keys.create(f"anna{len(server.service.keys.list())}", Role.ADMIN)
        address = f"http://localhost:{port}"
        return httpx.post(
            f"{address}/sign-in", data={"key": key}, headers={"Origin": address, **headers}, trust_env=False
        )

    with (
        served(page=True, require_keys=True, keys=("anna",)) as server,
        plain_nginx(port_of(server), tmp_path) as port,
    ):
        refused = signed_in(server, port)
        assert refused.status_code == 403
        assert f"run the server with --public-url http://localhost:{port}." in refused.json()["detail"]
        assert signed_in(server, port, **{"Sec-Fetch-Site": "same-origin"}).status_code == 303
        assert signed_in(server, port, Origin="https://evil.example").status_code == 403
        assert signed_in(server, port, **{"Sec-Fetch-Site": "cross-site"}).status_code == 403
        public = server.service.settings.model_copy(
            update={"public_url": f"http://localhost:{port}", "port": 0}
        )
    with served(
        **public.model_dump(exclude_unset=True) | {"keys": ("anna",), "page": True, "home": None}
    ) as server:
        (tmp_path / "again").mkdir()
        with plain_nginx(port_of(server), tmp_path / "again") as other:
            assert signed_in(server, other, Origin=f"http://localhost:{port}").status_code == 303
            assert signed_in(server, other, Origin=f"http://localhost:{other}").status_code == 403
            assert signed_in(server, port_of(server)).status_code == 303  # without the proxy too


CALLERS = [
    ({"X-Forwarded-For": "203.0.113.7"}, "203.0.113.7"),
    ({"X-Forwarded-For": "6.6.6.6, 203.0.113.7"}, "203.0.113.7"),
    ({"X-Forwarded-For": "6.6.6.6, 203.0.113.7, 10.1.2.3"}, "203.0.113.7"),
    ({"X-Forwarded-For": "10.1.2.3"}, "10.1.2.3"),
    ({"X-Forwarded-For": "[2001:db8::1]:4711"}, "2001:db8::1"),
    ({"Forwarded": 'for="[2001:db8::2]:80";proto=https, For=203.0.113.9;host="a,b"'}, "203.0.113.9"),
    ({"X-Forwarded-For": "203.0.113.7", "Forwarded": "for=6.6.6.6"}, "203.0.113.7"),
    ({}, "127.0.0.1"),
]


@pytest.mark.parametrize(("headers", "caller"), CALLERS)
@pytest.mark.parametrize("trusted", [True, False])
def test_the_caller_is_whom_a_trusted_proxy_names(
    headers: dict[str, str], caller: str, trusted: bool
) -> None:
    proxies = ("127.0.0.0/8", "10.0.0.0/8") if trusted else ("192.0.2.1",)
    seen = as_seen(ServerSettings(trusted_proxy=proxies), headers)
    assert seen["client"][0] == (caller if trusted else "127.0.0.1")


@pytest.mark.parametrize(
    ("options", "headers", "url"),
    [
        ({}, {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https"}, "http://127.0.0.1:8000/x"),
        ({"trusted_proxy": ("127.0.0.1",)}, {"X-Forwarded-Host": "plant.example"}, "http://plant.example/x"),
        (
            {"trusted_proxy": ("127.0.0.1",), "root_path": "/b/"},
            {"X-Forwarded-Host": "evil.example, plant.example:8443", "X-Forwarded-Proto": "https"},
            "https://plant.example:8443/b/x",
        ),
        ({"trusted_proxy": ("127.0.0.1",)}, {"X-Forwarded-Host": "a b\\<script>"}, "http://127.0.0.1:8000/x"),
        ({"public_url": "https://Plant.example:443/b"}, {}, "https://plant.example/b/x"),
        (
            {"public_url": "https://plant.example/b"},
            {"Origin": "http://127.0.0.1:8000"},
            "http://127.0.0.1:8000/b/x",
        ),
    ],
)
def test_the_address_is_the_one_that_people_open(options: Any, headers: dict[str, str], url: str) -> None:
    seen = as_seen(ServerSettings(**options), headers)
    assert str(URL(scope=seen)) == url
    assert not any(
        name.startswith(b"x-forwarded-h") for name, _ in seen["headers"]
    )  # Gradio would believe it


def as_seen(settings: ServerSettings, headers: dict[str, str], path: str = "/x") -> Any:
    """The scope of a request to /x as what lies behind `Proxies` gets it."""
    found: list[Any] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        found.append(scope)

    given = [
        (name.lower().encode(), value.encode())
        for name, value in {"Host": "127.0.0.1:8000", **headers}.items()
    ]
    scope = {
        "type": "http",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "headers": given,
        "query_string": b"",
    }
    scope |= {"client": ("127.0.0.1", 1), "server": ("127.0.0.1", 8000), "raw_path": path.encode()}
    with pytest.raises(
        StopIteration
    ):  # it waits for nothing; the thread of a browser's test has a loop already
        Proxies(application, settings)(scope, None, None).send(None)  # type: ignore[arg-type, attr-defined]
    return found[0]


@pytest.mark.parametrize(
    "options",
    [
        {"root_path": "blemish"},
        {"root_path": "/v1"},
        {"root_path": "/a b"},
        {"public_url": "plant.example"},
        {"public_url": "ftp://plant.example"},
        {"public_url": "https://plant.example/?x=1"},
        {"public_url": "https://anna@plant.example"},
        {"public_url": "https://plant.example/a", "root_path": "/b"},
        {"trusted_proxy": ("proxy.local",)},
        {"trusted_proxy": ("*",)},
    ],
)
def test_what_says_nothing_of_a_proxy_is_refused(options: Any) -> None:
    with pytest.raises(ValidationError):
        ServerSettings(**options)


def test_a_server_behind_a_proxy_needs_keys() -> None:
    assert not ServerSettings(root_path="/blemish").keys_required
    for options in ({"public_url": "https://plant.example"}, {"trusted_proxy": ("127.0.0.1",)}):
        assert ServerSettings(**options).keys_required  # type: ignore[arg-type]
