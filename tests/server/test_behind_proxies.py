"""The service behind real proxies, run with the very configuration that docs/behind-a-proxy.md shows."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from page_browser import Watched
from server_clients import inspect

from blemish.station.keys import Role

PAGE = Path(__file__).parents[2] / "docs" / "behind-a-proxy.md"


def snippets(language: str) -> list[str]:
    return re.findall(
        rf"^```{language}\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextmanager
def proxy(program: str, arguments: list[object], port: int) -> Iterator[None]:
    """A proxy that runs until the context ends; skips where the program is absent."""
    if (found := shutil.which(program)) is None:
        pytest.skip(f"there is no {program}: install it to test what the documentation says of it")
    process = subprocess.Popen(
        [found, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    try:
        for _ in range(200):
            assert process.poll() is None, ((process.stdout and process.stdout.read()) or b"").decode()
            with socket.socket() as asked:
                if asked.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield
    finally:
        process.kill()
        process.wait(10)
        if process.stdout:
            process.stdout.close()


def certificate(folder: Path) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("there is no openssl, which makes the certificate for this test")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=plant", "-keyout", folder / "plant.key", "-out", folder / "plant.pem"],
        check=True, capture_output=True,
    )  # fmt: skip


@contextmanager
def nginx(server: str, backend: int, folder: Path) -> Iterator[int]:
    port = free_port()
    server = re.sub(r"listen \d+", f"listen 127.0.0.1:{port}", server).replace(
        "127.0.0.1:8000", f"127.0.0.1:{backend}"
    )
    if "/etc/ssl" in server:
        certificate(folder)
    places = "".join(
        f"{what}_temp_path {folder / what};\n"
        for what in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "nginx.conf").write_text(
        f"pid {folder / 'pid'};\ndaemon off;\nerror_log {folder / 'error.log'};\nevents {{}}\n"
        f"http {{\naccess_log off;\n{places}{server.replace('/etc/ssl', str(folder))}}}\n"
    )
    with proxy("nginx", ["-p", folder, "-e", folder / "error.log", "-c", folder / "nginx.conf"], port):
        yield port


@contextmanager
def caddy(site: str, backend: int, folder: Path) -> Iterator[int]:
    port = free_port()
    options = (
        f"{{\nadmin off\nskip_install_trust\nauto_https disable_redirects\nstorage file_system {folder}\n}}\n"
    )
    site = site.replace("plant.example", f"localhost:{port}").replace(":8000", f":{backend}")
    (folder / "Caddyfile").write_text(options + site.replace("{", "{\ntls internal", 1))
    with proxy("caddy", ["run", "--adapter", "caddyfile", "--config", folder / "Caddyfile"], port):
        yield port


@contextmanager
def traefik(texts: list[str], backend: int, folder: Path) -> Iterator[int]:
    port = free_port()
    static, dynamic = texts
    static = static.replace('":80"', f'"127.0.0.1:{port}"').replace("/etc/traefik", str(folder))
    (folder / "traefik.yaml").write_text(static)
    dynamic = dynamic.replace("plant.example", "localhost").replace(":8000", f":{backend}")
    (folder / "blemish.yaml").write_text(dynamic)
    with proxy("traefik", ["--configFile", folder / "traefik.yaml"], port):
        time.sleep(1)  # it listens before it has read its routes
        yield port


@pytest.fixture(scope="module")
def prefixed(served: Callable[..., Any]) -> Iterator[Any]:
    with served(
        page=True, keep="all", keys=("anna",), root_path="/blemish", trusted_proxy=("127.0.0.1",)
    ) as server:
        yield server


@pytest.fixture(scope="module")
def rooted(served: Callable[..., Any]) -> Iterator[Any]:
    with served(page=True, keep="all", keys=("anna",), trusted_proxy=("127.0.0.1",)) as server:
        yield server


@pytest.fixture
def key(request: pytest.FixtureRequest) -> Callable[[Any], str]:
    return lambda server: server.service.keys.create(f"k{time.monotonic_ns()}", Role.ADMIN)


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
        assert client.get(address.rstrip("/")).url.path == prefix + "/"


def judge_by_page(browser: Any, address: str, name: str, key: str, photograph: bytes, folder: Path) -> None:
    """What a person does: signs in, has a photograph judged; events come at once, cookies stay where they belong."""
    (folder / "part.png").write_bytes(photograph)
    watched = Watched(browser, address, ignore_https_errors=True)
    page = watched.page
    page.get_by_label("username").fill(name)
    page.get_by_label("password").fill(key)
    page.get_by_role("button", name="Login").click()
    watched.ready().upload("inspect-photograph", folder / "part.png")
    page.wait_for_selector("#inspect-verdict .bl-word")
    cookies = watched.context.cookies()
    assert cookies and {cookie["path"] for cookie in cookies} == {httpx.URL(address).path.rstrip("/") or "/"}
    assert all(cookie["httpOnly"] and cookie["sameSite"] == "Lax" for cookie in cookies)
    assert all(cookie["secure"] for cookie in cookies) or address.startswith("http:")
    sent = "; ".join(f"{cookie['name']}={cookie['value']}" for cookie in cookies)
    options: dict[str, Any] = {
        "verify": False,
        "trust_env": False,
        "headers": {"Cookie": sent},
        "timeout": 10,
    }
    with httpx.stream("GET", f"{address}/gradio_api/heartbeat/abc", **options) as stream:
        assert "ALIVE" in next(stream.iter_text())  # the next comes after 15 s
    assert [one for one in watched.troubles if "401" not in one and not one.endswith("/blemish")] == []  # before the person has signed in
    watched.context.close()


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
        judge_by_page(browser, address, name, key, good, tmp_path)
        forged = {
            "X-Forwarded-For": "203.0.113.7",
            "Forwarded": "for=203.0.113.7",
            "Authorization": "Bearer no",
        }
        with httpx.Client(verify=False, trust_env=False, headers=forged) as client:
            assert client.get(f"{address}/v1/inspectors").status_code == 401
    assert "from 127.0.0.1." in caplog.text and "203.0.113.7" not in caplog.text
