"""A running `blemish serve`, and many clients of it."""

from __future__ import annotations

import http.client
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

_BOUNDARY = "blemish-measuring"


@dataclass(frozen=True)
class Answer:
    """An answer: status (0: none came), seconds, Retry-After, number of the record, name of the photograph, and the
    milliseconds of each step that the server says."""

    status: int
    seconds: float
    retry_after: str | None
    number: int | None
    name: str
    steps: Mapping[str, float] = field(default_factory=dict)


class ServerProcess:
    """`blemish serve` in a process of its own; a context that ends it.

    Args:
        home: its folder.
        inspector: that it serves; None for those that the home has.
        options: further ones.
        page: whether with the page.
        source: folder `src` of another checkout, whose Blemish serves; this one's when None.
    """

    def __init__(
        self,
        home: Path,
        inspector: Path | None,
        *options: str,
        page: bool = False,
        source: Path | None = None,
    ) -> None:
        command = [sys.executable, "-m", "blemish", "serve", "--json", "--port", "0", "--home", str(home)]
        command += [
            "--page" if page else "--no-page",
            *options,
            *(["--inspector", str(inspector)] if inspector else []),
        ]
        environment = os.environ | ({"PYTHONPATH": str(source)} if source else {})
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
        assert self.process.stdout is not None
        lines = []
        while (line := self.process.stdout.readline()) and line.rstrip() != "}":
            lines.append(line)
        if not line:
            sys.exit("blemish serve did not start.")
        self.address = json.loads("".join(lines) + "}")["address"]

    def __enter__(self) -> ServerProcess:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)
        assert self.process.stdout is not None
        self.process.stdout.close()

    def kill(self) -> None:
        """End it as a power cut would: kill -9."""
        self.process.kill()
        self.process.wait()

    def wait_until_idle(self) -> None:
        """Return once nothing waits to enter the gallery."""
        while True:
            with urllib.request.urlopen(f"{self.address}/metrics") as response:
                if b"blemish_gallery_waiting 0.0" in response.read():
                    return
            time.sleep(0.2)

    @property
    def resident_mib(self) -> float:
        """Its resident memory."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text("utf-8").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


class Client:
    """Sends photographs over one connection for each thread."""

    def __init__(self, address: str, inspector: str) -> None:
        self._place = urlsplit(address).netloc
        self._start = (
            f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="inspector"\r\n\r\n{inspector}\r\n'
            f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="images"; filename="'
        )
        self._threads = threading.local()

    def send(self, content: bytes, name: str) -> Answer:
        """Send one photograph and wait for the answer."""
        body = f'{self._start}{name}"\r\n\r\n'.encode() + content + f"\r\n--{_BOUNDARY}--\r\n".encode()
        started = time.perf_counter()
        connection = self._connection()
        try:
            kind = {"Content-Type": f"multipart/form-data; boundary={_BOUNDARY}"}
            connection.request("POST", "/v1/inspect", body, kind)
            response = connection.getresponse()
            text = response.read()
        except (OSError, http.client.HTTPException):
            connection.close()
            return Answer(0, time.perf_counter() - started, None, None, name)
        seconds = time.perf_counter() - started
        said = json.loads(text)["inspections"][0] if response.status == 200 else {}
        retry_after, steps = response.getheader("Retry-After"), said.get("milliseconds", {})
        return Answer(response.status, seconds, retry_after, said.get("id"), name, steps)

    def connect(self) -> None:
        """Begin a connection anew: a server ends one on which nothing was asked for a while."""
        self._connection().close()
        self.ask("/healthz")

    def _connection(self) -> http.client.HTTPConnection:
        found = getattr(self._threads, "connection", None)
        if found is None:
            found = self._threads.connection = http.client.HTTPConnection(self._place, timeout=120)
        return found

    def ask(self, path: str) -> float:
        """Seconds until a question without a body is answered, on the same connection."""
        connection = self._connection()
        started = time.perf_counter()
        connection.request("GET", path)
        connection.getresponse().read()
        return time.perf_counter() - started


def send_all(client: Client, contents: Sequence[bytes], count: int, clients: int) -> list[Answer]:
    """Send `count` photographs, `clients` at a time, as fast as they are answered."""
    with ThreadPoolExecutor(clients) as pool:
        return list(
            pool.map(
                lambda number: client.send(contents[number % len(contents)], f"{number}.png"), range(count)
            )
        )


def send_at_rate(
    client: Client,
    contents: Sequence[bytes],
    rate: float,
    seconds: float,
    at_random: bool,
    clients: int = 256,
) -> list[Answer]:
    """Send photographs at a rate, whatever the answers: regularly, or with random (exponential) pauses.

    The time of an answer counts from the moment at which the photograph was due.
    """
    draw = random.Random(0)
    due, at = [], 0.0
    while at < seconds:
        due.append(at)
        at += draw.expovariate(rate) if at_random else 1 / rate
    start = time.perf_counter() + 0.1

    def send(number: int) -> Answer:
        answer = client.send(contents[number % len(contents)], f"{number}.png")
        late = time.perf_counter() - start - due[number]
        return Answer(answer.status, late, answer.retry_after, answer.number, answer.name)

    with ThreadPoolExecutor(clients) as pool:
        waiting = []
        for number, moment in enumerate(due):
            pause = start + moment - time.perf_counter()
            if pause > 0:
                time.sleep(pause)
            waiting.append(pool.submit(send, number))
        return [one.result() for one in waiting]


def send_until(
    stopped: Callable[[], bool], client: Client, contents: Sequence[bytes], prefix: str
) -> list[Answer]:
    """Send photographs, each with a name of its own, until told to stop or nobody answers."""
    answers: list[Answer] = []
    while not stopped():
        number = len(answers)
        answers.append(client.send(contents[number % len(contents)], f"{prefix}-{number}.png"))
        if answers[-1].status == 0:
            break
    return answers
