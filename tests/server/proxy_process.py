"""Real proxies, run with the very configuration that docs/behind-a-proxy.md shows."""

from __future__ import annotations

import re
import shutil
import socket
import ssl
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

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
def proxy(program: str, arguments: list[object], port: int, *, encrypted: bool = False) -> Iterator[None]:
    """A proxy that answers until the context ends; skips where the program is absent."""
    if (found := shutil.which(program)) is None:
        pytest.skip(f"there is no {program}: install it to test what the documentation says of it")
    with tempfile.TemporaryFile() as said:  # a pipe that nobody reads would stop it once it is full
        process = subprocess.Popen([found, *map(str, arguments)], stdout=said, stderr=subprocess.STDOUT)
        try:
            end = time.monotonic() + 60
            while not (encrypted_answer(port) if encrypted else answers(port)):
                if process.poll() is not None or time.monotonic() > end:
                    said.seek(0)
                    pytest.fail(f"{program} does not answer: {said.read().decode(errors='replace')}")
                time.sleep(0.05)
            yield
        finally:
            process.kill()
            process.wait(10)


def answers(port: int) -> bool:
    """Whether something listens at a port."""
    with socket.socket() as asked:
        return asked.connect_ex(("127.0.0.1", port)) == 0


def encrypted_answer(port: int) -> bool:
    """Whether TLS is spoken at a port: Caddy listens before it has made itself a certificate."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with (
            socket.create_connection(("127.0.0.1", port), timeout=5) as asked,
            context.wrap_socket(asked, server_hostname="localhost"),
        ):
            return True
    except OSError:
        return False


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
    with proxy(
        "caddy", ["run", "--adapter", "caddyfile", "--config", folder / "Caddyfile"], port, encrypted=True
    ):
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
