"""Photographs that programs send to the station's own address."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any

import httpx
import pytest
from source_runs import Running, encoded, running

from blemish.core.errors import OverloadedError, UsageError
from blemish.station.inspection_queue import Refused
from blemish.station.sources.http_push import PhotographServer
from blemish.station.sources.settings import HttpSource

PHOTOGRAPH = encoded(1)


def server(**settings: Any) -> PhotographServer:
    return PhotographServer(HttpSource.model_validate({"name": "push", "port": 0} | settings))


def address(run: Running) -> str:
    source = run.source
    assert isinstance(source, PhotographServer)
    run.wait_for(lambda: source.address is not None)
    return str(source.address)


@pytest.fixture
def run() -> Iterator[Running]:
    with running(server(max_bytes=20_000, metadata={"camera": "left", "batch": "0"})) as one:
        yield one


def test_a_photograph_with_what_is_known_of_the_part(run: Running) -> None:
    answer = httpx.post(
        address(run),
        content=PHOTOGRAPH,
        params={"serial_number": "A-1", "batch": "7", "file_name": "a.png", "key": "line-1"},
    )
    assert answer.status_code == 202 and answer.json() == {"key": "line-1"}
    run.wait_for(lambda: bool(run.arrivals))
    [arrival] = run.arrivals
    assert arrival.photograph.content == PHOTOGRAPH and arrival.photograph.file_name == "a.png"
    part = arrival.photograph.metadata
    assert (part.serial_number, part.batch, part.camera) == ("A-1", "7", "left")
    assert arrival.key == "line-1"
    assert httpx.post(address(run), content=PHOTOGRAPH).json()["key"] not in ("", "line-1")


def test_a_key_that_was_judged_is_answered_and_not_given_again() -> None:
    with running(server(), known={"old"}.__contains__) as run:
        answer = httpx.post(address(run), content=PHOTOGRAPH, headers={"Idempotency-Key": "old"})
        assert answer.status_code == 200 and answer.json() == {"key": "old", "known": True}
        httpx.post(address(run), content=PHOTOGRAPH, params={"key": "new"})
        run.wait_for(lambda: bool(run.arrivals))
        assert [one.key for one in run.arrivals] == ["new"]


def test_a_key_sent_twice_is_one_photograph_until_it_has_failed(run: Running) -> None:
    def post() -> httpx.Response:
        return httpx.post(address(run), content=PHOTOGRAPH, params={"key": "line-1"})

    assert post().status_code == 202
    run.wait_for(lambda: bool(run.arrivals))
    assert post().json() == {"key": "line-1", "known": True}
    told = run.arrivals[0].answered
    assert told is not None
    answer: Future[Any] = Future()
    answer.add_done_callback(told)
    answer.set_exception(OverloadedError("There is no room.", 1))
    run.wait_for(lambda: post().status_code == 202)
    run.wait_for(lambda: len(run.arrivals) == 2)


@pytest.mark.parametrize(
    ("content", "more", "status", "sentence"),
    [
        (b"", {}, 400, "no body"),
        (b"no photograph", {}, 415, "no photograph that can be read"),
        (bytes(20_001), {}, 413, "more than 20,000 bytes"),
        (PHOTOGRAPH, {"params": {"batch": "a\nb"}}, 422, "one line"),
        (PHOTOGRAPH, {"params": {"key": "x" * 81}}, 422, "one line"),
        (
            PHOTOGRAPH,
            {"headers": {"Origin": "https://elsewhere.example"}},
            403,
            "only programs of this machine",
        ),
        (PHOTOGRAPH, {"headers": {"Host": "elsewhere.example"}}, 403, "only programs of this machine"),
        (PHOTOGRAPH, {"headers": {"Content-Type": "multipart/form-data; boundary=x"}}, 415, "the body"),
    ],
)
def test_what_is_refused_is_said(
    run: Running, content: bytes, more: dict[str, Any], status: int, sentence: str
) -> None:
    answer = httpx.post(address(run), content=content, **more)
    assert answer.status_code == status and sentence in answer.json()["detail"]
    assert answer.headers["content-type"] == "application/problem+json"
    assert run.arrivals == []


def test_a_body_that_does_not_say_its_length_is_counted(run: Running) -> None:
    def pieces() -> Iterator[bytes]:
        for _ in range(100):
            yield bytes(1000)

    with contextlib.suppress(httpx.WriteError):  # the connection may be closed while it is still sending
        assert httpx.post(address(run), content=pieces()).status_code == 413
    run.wait_for(lambda: run.source.state().refused == 1)


def test_what_there_is_no_room_for_is_not_taken() -> None:
    release = threading.Event()

    class Slow(Running):
        def _run(self) -> None:
            for arrival in self.source.arrivals(self.stop, lambda key: False):
                self.arrivals.append(arrival)
                release.wait(20)

    run = Slow(server(waiting=2), lambda key: False)
    run.thread.start()
    try:
        statuses = [httpx.post(address(run), content=PHOTOGRAPH).status_code for _ in range(6)]
        assert statuses.count(503) >= 3 and statuses[0] == 202
        refused = httpx.post(address(run), content=PHOTOGRAPH)
        assert refused.headers["retry-after"] == "1"
        release.set()
        run.wait_for(lambda: len(run.arrivals) == statuses.count(202))
    finally:
        release.set()
        run.stop.set()
        run.thread.join(3)


def test_who_waits_is_told_the_verdict_or_why_there_is_none(run: Running) -> None:
    def post(results: list[httpx.Response]) -> None:
        results.append(httpx.post(address(run), content=PHOTOGRAPH, params={"wait": "true"}, timeout=20))

    results: list[httpx.Response] = []
    sender = threading.Thread(target=post, args=(results,))
    sender.start()
    run.wait_for(lambda: bool(run.arrivals))
    told = run.arrivals[0].answered
    assert told is not None
    answer: Future[Any] = Future()
    answer.add_done_callback(told)
    answer.set_result(Refused("a.png", "too-small", "it is too small"))
    sender.join(10)
    assert results[0].status_code == 422 and results[0].json()["detail"] == "it is too small"


def test_who_waits_too_long_is_told_so() -> None:
    with running(server(wait_seconds=0.1)) as run:
        answer = httpx.post(address(run), content=PHOTOGRAPH, params={"wait": "1"})
        assert answer.status_code == 202 and "takes longer" in answer.json()["detail"]
        told = run.arrivals[0].answered
        assert told is not None
        told(Future())  # too late, and nobody minds


def test_a_token_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STATION_TOKEN", "0123456789abcdef")
    with running(server(host="0.0.0.0", token_env="STATION_TOKEN")) as run:
        url = address(run).replace("0.0.0.0", "127.0.0.1")
        for shown in (None, "Bearer wrong", "Bearer 0123456789abcde", "Bearer é"):
            headers = {} if shown is None else {"Authorization": shown.encode()}
            assert httpx.post(url, content=PHOTOGRAPH, headers=headers).status_code == 401
        right = {"Authorization": "Bearer 0123456789abcdef"}
        assert httpx.post(url, content=PHOTOGRAPH, headers=right).status_code == 202


def test_what_anybody_could_reach_needs_a_token(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="anybody could send"):
        server(host="0.0.0.0")
    monkeypatch.setenv("STATION_TOKEN", "short")
    with pytest.raises(UsageError, match="16 characters"):
        server(token_env="STATION_TOKEN")


def test_a_port_that_is_taken_is_said_and_taken_when_it_is_free() -> None:
    other = socket.create_server(("127.0.0.1", 0))
    source = server(port=other.getsockname()[1])
    with running(source) as run:
        run.wait_for(lambda: "cannot be listened on" in str(source.state().trouble))
        other.close()
        run.wait_for(lambda: source.state().connected)
        end = time.monotonic() + 60
        while httpx.post(address(run), content=PHOTOGRAPH).status_code != 202:
            assert time.monotonic() < end
