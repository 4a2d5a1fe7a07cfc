"""A version is let to judge beside the line in the page, followed, and let to take over."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from page_browser import Watched
from server_clients import inspect, photographs
from test_shadow_served import add_lenient, taken_up

from blemish.core.types import ByteArray

pytestmark = pytest.mark.browser


def test_a_version_is_begun_followed_and_let_to_judge(
    browser: Any, served: Callable[..., Any], rejected: list[ByteArray]
) -> None:
    with served(page=True) as server, server.client() as client:
        add_lenient(server)
        watched = Watched(browser, server.address)
        page = watched.go("/parts/washer/versions").page
        form = page.locator("#shadow-begin")
        form.locator("[name=parts]").fill("0")
        form.get_by_role("button", name="Begin").click()
        form.locator("p.wrong").wait_for()
        assert [one for one in watched.troubles if not one.startswith(("422", "console"))] == []
        watched.troubles.clear()
        form.locator("[name=parts]").fill("4")
        with page.expect_navigation():
            form.get_by_role("button", name="Begin").click()
        page.get_by_text("has judged 0 of 4 parts").wait_for()
        taken_up(server)
        sent = list(photographs(rejected, 4))
        for number in (0, 1):
            inspect(client, (f"{number}.png", sent[number]))
        page.get_by_text("has judged 2 of 4 parts; 2 of 2 verdicts differ").wait_for()
        page.locator("#shadow .turned li").nth(1).wait_for()
        for number in (2, 3):
            inspect(client, (f"{number}.png", sent[number]))
        page.get_by_text("A person decides whether it takes over.").wait_for()
        page.locator("#shadow .turned img").first.wait_for()
        assert "reject → pass" in watched.text("#shadow .turned li").replace("\n", " ")
        for size, look in (((390, 844), "dark"), ((1280, 800), "light")):
            page.set_viewport_size({"width": size[0], "height": size[1]})
            page.emulate_media(color_scheme=look)
            assert watched.overflow() == 0
            assert watched.violations() == []
        page.locator("#shadow").get_by_role("button", name="Let version 2 judge").click()
        with page.expect_navigation():
            page.get_by_role("dialog").get_by_role("button", name="Let version 2 judge").click()
        page.locator("#version-2.judges").wait_for()
        assert server.service.shelf.active("washer").version == 2
        watched.context.close()
        assert watched.troubles == []
