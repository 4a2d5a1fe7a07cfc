"""Webhooks against a real server that answers, refuses, stalls, breaks off, and checks the signature."""

from __future__ import annotations

import json
import logging
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from signal_makers import free_port, make_signal

from blemish.core.errors import UsageError
from blemish.server.tls import own_certificate
from blemish.station.signals.settings import WebhookSink
from blemish.station.signals.signature import sign, verify
from blemish.station.signals.sink import SinkError

pytest.importorskip("httpx")
from blemish.station.signals.webhook import Webhook

SECRET = "correct horse battery staple"


class Receiver(BaseHTTPRequestHandler):
    """Answers by the plan of its server: a status, "stall" or "break"."""

    protocol_version = "HTTP/1.1"
    server: Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests.append((dict(self.headers), body))
        answer = self.server.plan.pop(0) if self.server.plan else 204
        if answer == "break":
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
        elif answer == "stall":
            self.server.go_on.wait(20)
            self.close_connection = True
        else:
            self.send_response(int(answer))
            self.send_header("Content-Length", "0")
            self.send_header("Location", f"http://127.0.0.1:{self.server.server_port}/elsewhere")
            self.end_headers()

    def log_message(self, *arguments: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Receiver)
        self.plan: list[int | str] = []
        self.requests: list[tuple[dict[str, str], bytes]] = []
        self.go_on = threading.Event()

    @property
    def numbers(self) -> list[int]:
        return [json.loads(body)["inspection"] for _, body in self.requests]


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as opened:
        thread = threading.Thread(target=opened.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield opened
        opened.go_on.set()
        opened.shutdown()
        thread.join()


@pytest.fixture
def hook(server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Webhook]:
    monkeypatch.setenv("HOOK_SECRET", SECRET)
    monkeypatch.setenv("HOOK_KEY", "Bearer abc")
    opened = Webhook(
        WebhookSink(
            name="hook",
            url=f"http://127.0.0.1:{server.server_port}/private/path?token=hidden",
            secret_env="HOOK_SECRET",
            authorization_env="HOOK_KEY",
            seconds=0.5,
        )
    )
    opened.open()
    yield opened
    opened.close()


def test_documents_are_signed_and_told_apart(server: Server, hook: Webhook) -> None:
    signals = [make_signal(number, serial_number="Ü 1") for number in range(1, 4)]
    hook.send(signals)
    assert server.numbers == [1, 2, 3]
    for (headers, body), signal in zip(server.requests, signals, strict=True):
        assert json.loads(body) == signal.to_json() and headers["Idempotency-Key"] == signal.id
        assert headers["Content-Type"] == "application/json" and headers["Authorization"] == "Bearer abc"
        assert verify(SECRET, body, headers["Blemish-Signature"], time.time())
        assert not verify("another secret", body, headers["Blemish-Signature"], time.time())
        assert not verify(SECRET, body + b" ", headers["Blemish-Signature"], time.time())
        assert not verify(SECRET, body, headers["Blemish-Signature"], time.time() + 400)


@pytest.mark.parametrize(
    ("status", "for_good"),
    [
        (400, True),
        (413, True),
        (422, True),
        (302, False),
        (401, False),
        (404, False),
        (429, False),
        (500, False),
        (503, False),
    ],
)
def test_what_is_about_the_signal_is_refused_for_good_all_else_waits(
    server: Server, hook: Webhook, status: int, for_good: bool
) -> None:
    server.plan = [200, status]
    with pytest.raises(SinkError, match=f"status {status}") as error:
        hook.send([make_signal(1), make_signal(2), make_signal(3)])
    assert error.value.arrived == 1 and error.value.for_good is for_good
    assert server.numbers == [1, 2]  # and no redirection was followed
    hook.send([make_signal(2), make_signal(3)])
    assert server.numbers == [1, 2, 2, 3]


@pytest.mark.parametrize("trouble", ["stall", "break"])
def test_a_server_that_stalls_or_breaks_off_is_asked_again(
    server: Server, hook: Webhook, trouble: str
) -> None:
    server.plan = [204, trouble]
    started = time.monotonic()
    with pytest.raises(SinkError) as error:
        hook.send([make_signal(1), make_signal(2)])
    assert error.value.arrived == 1 and not error.value.for_good and time.monotonic() - started < 5
    hook.open()
    hook.send([make_signal(2)])
    assert server.numbers == [1, 2, 2]


def test_neither_secrets_nor_paths_are_said_or_logged(
    server: Server, hook: Webhook, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "blemish")
    server.plan = [500]
    with pytest.raises(SinkError) as error:
        hook.send([make_signal(1)])
    for word in (SECRET, "hidden", "private", "Bearer"):
        assert word not in str(error.value) and word not in caplog.text


def test_https_trusts_the_certificate_that_is_named_and_no_other(server: Server, tmp_path: Path) -> None:
    certificate = own_certificate(tmp_path, ["127.0.0.1"])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.file, certificate.private_key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    url = f"https://127.0.0.1:{server.server_port}/"
    trusting = Webhook(WebhookSink(name="hook", url=url, ca_file=certificate.file))
    trusting.open()
    trusting.send([make_signal(1)])
    trusting.close()
    wary = Webhook(WebhookSink(name="hook", url=url))
    wary.open()
    with pytest.raises(SinkError, match="certificate is not trusted"):
        wary.send([make_signal(2)])
    wary.close()
    assert server.numbers == [1]
    with pytest.raises(UsageError, match="cannot be read"):
        Webhook(WebhookSink(name="hook", url=url, ca_file=tmp_path / "none.pem"))


def test_nobody_listens(tmp_path: Path) -> None:
    hook = Webhook(WebhookSink(name="hook", url=f"http://127.0.0.1:{free_port()}/"))
    hook.open()
    with pytest.raises(SinkError, match="refused; check that it runs"):
        hook.send([make_signal(1)])
    hook.close()


def test_a_secret_that_is_not_there_is_said_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_SECRET", raising=False)
    with pytest.raises(UsageError, match="NO_SECRET, which is not set"):
        Webhook(WebhookSink(name="hook", url="http://127.0.0.1/", secret_env="NO_SECRET"))
    file = tmp_path / "secret"
    with pytest.raises(UsageError, match="cannot be read"):
        Webhook(WebhookSink(name="hook", url="http://127.0.0.1/", secret_file=file))
    file.write_text("\n")
    with pytest.raises(UsageError, match="empty"):
        Webhook(WebhookSink(name="hook", url="http://127.0.0.1/", secret_file=file))


@given(secret=st.text(min_size=1), body=st.binary(), seconds=st.integers(0, 10**11), other=st.binary())
def test_a_signature_holds_for_one_body_and_one_time(
    secret: str, body: bytes, seconds: int, other: bytes
) -> None:
    header = sign(secret, body, seconds)
    assert verify(secret, body, header, seconds + 299) and not verify(secret, body, header, seconds + 301)
    assert verify(secret, other, header, seconds) is (other == body)
    assert not verify(secret, body, header.replace(f"t={seconds}", f"t={seconds + 1}"), seconds)
    assert not verify(secret, body, header + "0", seconds)
