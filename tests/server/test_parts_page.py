"""The home: a card for each part, kept up to date, found by name, and those first that need a person."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from page_browser import Watched

from blemish.core.types import Verdict
from blemish.station.keys import Role
from blemish.station.records import NewInspection

pytestmark = pytest.mark.browser

NAMES = ["bolt", "cap", "disc", "gear", "key", "nut", "pin", "rivet"]


@pytest.fixture(scope="module")
def home(served: Callable[..., Any], fitted: Path) -> Iterator[Any]:
    """A server with nine parts; nothing judges `rivet`."""
    with served(keep="all", page=True) as server:
        for name in NAMES:
            server.service.inspectors.add(fitted, name)
            if name != "rivet":
                server.service.shelf.activate(name, 1)
        yield server


@pytest.fixture
def watched(browser: Any, home: Any) -> Iterator[Watched]:
    watched = Watched(browser, home.address)
    yield watched
    watched.context.close()


def log(server: Any, verdict: Verdict, name: str) -> None:
    """Log one inspection of a part."""
    server.service.log.add(
        [
            NewInspection(
                time=datetime.now(UTC), inspector=name, version=1, verdict=verdict, score=1.0, threshold=2.0,
                p_value=0.5, percentile=50.0, regions=(), width=10, height=10, image_digest="0" * 64,
                image_suffix=None, file_name="part.png",
            )
        ]
    )  # fmt: skip


def test_cards_say_what_was_judged_and_follow_it_without_a_reload(
    home: Any, watched: Watched, good: bytes
) -> None:
    with home.client() as client:
        sent = client.post("/v1/inspect", data={"inspector": "washer"}, files={"images": ("a.png", good)})
        assert sent.status_code == 200
    page = watched.go("/").page
    cards = page.locator(".part-card")
    assert cards.first.get_attribute("data-part") == "rivet"
    assert "No version judges" in cards.first.inner_text()
    card = page.locator("[data-part=washer]")
    assert card.locator("img").evaluate("image => image.complete && image.naturalWidth") == 128
    assert "version 1" in card.inner_text() and "1 pass" in card.inner_text()
    page.evaluate("window.mark = 'kept'")
    log(home, Verdict.REJECT, "washer")
    log(home, Verdict.REVIEW, "washer")
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    card.get_by_text("1 part with the verdict review waits for a person.").wait_for()
    assert "1 reject" in card.inner_text() and "33 %" in card.inner_text()
    assert float(card.locator("[data-bar=rejected]").get_attribute("width")) == pytest.approx(33.333)
    assert page.evaluate("window.mark") == "kept", "the page was not loaded anew"
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.evaluate("Object.defineProperty(document, 'hidden', {get: () => true, configurable: true})")
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    page.wait_for_timeout(300)
    assert asked == [], "nobody looks"
    card.get_by_role("link", name="washer", exact=True).click()
    page.wait_for_url("**/parts/washer")
    assert watched.troubles == []


def test_a_part_is_found_by_its_name_and_the_address_says_so(watched: Watched) -> None:
    page = watched.go("/").page
    page.get_by_label("Find a part").fill("nu")
    shown = page.locator(".part-card:visible")
    assert [shown.nth(place).get_attribute("data-part") for place in range(shown.count())] == ["nut"]
    assert page.url.endswith("/?search=nu")
    page.reload()
    assert shown.count() == 1 and page.get_by_label("Find a part").input_value() == "nu"
    page.get_by_label("Find a part").fill("nothing")
    assert shown.count() == 0 and page.locator("#none-found").is_visible()
    assert watched.troubles == []


@pytest.mark.parametrize(
    ("look", "size"),
    [("light", (390, 844)), ("dark", (820, 1180)), ("light", (640, 400))],
    ids=["telephone", "tablet", "desk at 200 %"],
)
def test_the_home_fits_and_can_be_read_by_all(
    browser: Any, home: Any, look: str, size: tuple[int, int]
) -> None:
    watched = Watched(browser, home.address, color_scheme=look)
    watched.page.set_viewport_size({"width": size[0], "height": size[1]})
    watched.go("/")
    assert watched.overflow() == 0
    assert watched.violations() == []
    watched.context.close()
    assert watched.troubles == []


def test_the_first_view_is_light_and_comes_from_the_server(home: Any) -> None:
    with home.client() as client:
        page = client.get("/")
        assert page.elapsed.total_seconds() < 1
        assert page.text.count('class="card part-card') == 9 and "No version judges" in page.text
        sent = len(page.content)
        for one in links(page.text):
            sent += len(client.get(one).content)
        assert sent < 250_000


def links(text: str) -> list[str]:
    """Addresses of styles, scripts and pictures in a page."""
    return re.findall(r'(?:src|href)="(/(?:static|v1/inspectors)/[^"]+)"', text.replace("&amp;", "&"))


def test_without_parts_the_home_says_what_to_do_and_who_can(served: Callable[..., Any]) -> None:
    with served(page=True, add=False, require_keys=True, keys=("x",)) as server:
        said = {}
        for role in (Role.ADMIN, Role.VIEWER):
            with server.client(server.service.keys.create(str(role), role)) as client:
                said[role] = client.get("/").text
        assert 'href="/train"' in said[Role.ADMIN] and "Learn the first part" in said[Role.ADMIN]
        assert 'href="/train"' not in said[Role.VIEWER] and "An admin can learn one" in said[Role.VIEWER]


def test_a_name_that_is_not_possible_is_no_server_error(home: Any) -> None:
    with home.client() as client:
        answer: httpx.Response = client.get("/", params={"search": "<script>" * 9})
        assert answer.status_code == 200 and "<script>&" not in answer.text
        assert client.get("/", params={"search": "x" * 81}).status_code == 422
