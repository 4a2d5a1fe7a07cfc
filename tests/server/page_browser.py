"""A running server and a browser in front of it, which notes what a person should never meet."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def serving(home: Path, inspectors: list[Path], *options: str) -> Iterator[str]:
    """The address of `blemish serve` in a process of its own."""
    chosen = [part for path in inspectors for part in ("--inspector", str(path))]
    command = [
        sys.executable,
        "-m",
        "blemish",
        "serve",
        "--port",
        "0",
        "--home",
        str(home),
        "--json",
        *options,
        *chosen,
    ]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
    ) as server:
        assert server.stdout is not None
        text = ""
        while True:
            line = server.stdout.readline()
            assert line, f"the server has ended: {text}"
            text += line
            try:
                address = json.loads(text)["address"]
                break
            except json.JSONDecodeError:
                continue
        try:
            yield address
        finally:
            server.terminate()
            server.wait(20)  # an open page does not hold it up


class Watched:
    """A page whose requests, console and answers are noted."""

    def __init__(self, browser: Any, address: str, **options: Any) -> None:
        self.context = browser.new_context(viewport={"width": 1280, "height": 800}, **options)
        self.page = self.context.new_page()
        self.page.set_default_timeout(20_000)
        self.address = address
        self.troubles: list[str] = []
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.troubles.append(f"error: {error}"))
        self.page.on("request", self._request)
        self.page.on("requestfailed", lambda request: self._failed(request))
        self.page.on("response", self._response)
        self.page.goto(address)

    def ready(self) -> Watched:
        """The page, once it has loaded and knows its inspectors."""
        self.page.wait_for_function("!!document.querySelector('#inspect-inspector input')?.value")
        return self

    def _console(self, message: Any) -> None:
        if message.type == "error":
            self.troubles.append(f"console: {message.text}")

    def _request(self, request: Any) -> None:
        if not request.url.startswith((self.address + "/", "data:", "blob:", "about:")):
            self.troubles.append(f"foreign: {request.url}")

    def _failed(self, request: Any) -> None:
        if "ERR_ABORTED" not in str(request.failure):  # a stream that the page itself has closed
            self.troubles.append(f"failed: {request.url} {request.failure}")

    def _response(self, response: Any) -> None:
        if response.status >= 400:
            self.troubles.append(f"{response.status}: {response.url}")

    def tab(self, name: str) -> None:
        self.page.get_by_role("tab", name=name, exact=True).click()

    def choose(self, element: str, option: str) -> None:
        self.page.locator(f"#{element} input").first.click()
        self.page.get_by_role("option", name=option, exact=True).click()

    def type(self, element: str, text: str) -> None:
        self.page.locator(f"#{element} input, #{element} textarea").first.fill(text)

    def upload(self, element: str, path: Path) -> None:
        self.page.locator(f"#{element} input[type=file]").first.set_input_files(path)

    def text(self, selector: str) -> str:
        return str(self.page.locator(selector).first.inner_text())
