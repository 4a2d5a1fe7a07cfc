"""A running server and a browser in front of it, which notes what a person should never meet."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from server_process import start_server


@contextmanager
def serving(home: Path, inspectors: list[Path], *options: str, laboratory: bool = False) -> Iterator[str]:
    """The address of `blemish serve` in a process of its own; with the laboratory it starts seconds later."""
    chosen = [part for path in inspectors for part in ("--inspector", path)]
    chosen.append("--laboratory" if laboratory else "--no-laboratory")
    server, address = start_server(home, *options, *chosen, page=True)
    with server:
        try:
            yield address
        finally:
            server.terminate()
            server.wait(20)  # an open page does not hold it up


class Watched:
    """A page whose requests, console and answers are noted."""

    def __init__(self, browser: Any, address: str, path: str = "", **options: Any) -> None:
        # A button on its way from one colour to another has too little contrast for a moment.
        options = {"viewport": {"width": 1280, "height": 800}, "reduced_motion": "reduce", **options}
        self.context = browser.new_context(**options)
        self.page = self.context.new_page()
        self.page.set_default_timeout(20_000)
        self.address = address
        self.troubles: list[str] = []
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.troubles.append(f"error: {error}"))
        self.page.on("request", self._request)
        self.page.on("requestfailed", lambda request: self._failed(request))
        self.page.on("response", self._response)
        self.page.goto(address + path)

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

    def go(self, path: str) -> Watched:
        """Open an address of the server, and wait until it has all that it loads."""
        self.page.goto(self.address + path, wait_until="networkidle")
        return self

    def violations(self) -> list[str]:
        """What axe-core finds on the page as it is, serious or worse: the rule, and the first place."""
        found = Axe().run(self.page).response["violations"]
        return [
            f"{one['id']}: {one['nodes'][0]['html'][:200]}"
            for one in found
            if one["impact"] in ("serious", "critical")
        ]

    def overflow(self) -> int:
        """Pixels by which the page is wider than its window; a person would have to scroll sideways."""
        return int(self.page.evaluate("document.documentElement.scrollWidth - window.innerWidth"))

    def text(self, selector: str) -> str:
        """What a person reads there."""
        return str(self.page.locator(selector).first.inner_text())


class WatchedLaboratory(Watched):
    """The laboratory, in which Gradio's elements are found by their names."""

    def __init__(self, browser: Any, address: str, search: str = "", **options: Any) -> None:
        super().__init__(browser, address, f"/laboratory/{search}", **options)

    def ready(self) -> WatchedLaboratory:
        """The page, once it has loaded and answered."""
        self.page.wait_for_selector("#catalog-said .bl-note, #catalog-said p", state="attached")
        return self

    def tab(self, name: str) -> None:
        self.page.get_by_role("tab", name=name, exact=True).click()

    def choose(self, element: str, option: str) -> None:
        self.page.locator(f"#{element} input").first.click()
        self.page.get_by_role("option", name=option, exact=True).click()

    def type(self, element: str, text: str) -> None:
        self.page.locator(f"#{element} input, #{element} textarea").first.fill(text)

    def upload(self, element: str, path: Path) -> None:
        self.page.locator(f"#{element} input[type=file]").first.set_input_files(path)
