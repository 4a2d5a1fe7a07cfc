"""The page's way to learn from corrections: how many wait, begun by a person, what it says, and who else is asked."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from page_browser import Watched
from server_clients import inspect, say

pytest.importorskip("torch", reason="the extra [train] is not installed")
pytestmark = pytest.mark.browser

SHOTS = os.environ.get("BLEMISH_TEST_SHOTS")
"""Folder for pictures of what the test sees, for a person who looks."""


@pytest.fixture(scope="module")
def corrected(served: Callable[..., Any], good: bytes, defective: list[bytes]) -> Iterator[Any]:
    """A server on which people have corrected four verdicts, one of them a defect that somebody calls good."""
    with served(keep="all", page=True) as server, server.client() as client:
        for content, word in zip((good, *defective[:3]), ("good", "scratch", "scratch", "good"), strict=True):
            say(client, inspect(client, ("part.png", content)).json()["inspections"][0]["id"], word)
        yield server


def test_a_person_lets_it_learn_and_is_told_what_it_would_have_said(corrected: Any, browser: Any) -> None:
    watched = Watched(browser, corrected.address)
    page = watched.go("/parts/washer/versions").page
    assert "4 of 4 corrections wait" in watched.text("#corrections").replace("\n", " ")
    _shot(page, "before")
    page.get_by_role("button", name="Learn from corrections").click()
    page.locator("#version-2").wait_for(timeout=120_000)
    page.locator("#learn-result li").first.wait_for()
    told = watched.text("#corrections")
    assert "Of 2 parts found good" in told and "known defects are remembered" in told
    assert "Version 1 with corrections learnt" in watched.text("#version-2")
    _shot(page, "after")
    if corrected.service.shelf.active("washer").version == 1:
        assert "does not judge" in told
    watched.context.close()


def _shot(page: Any, name: str) -> None:
    if SHOTS is None:
        return
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        for width in (390, 1280):
            page.set_viewport_size({"width": width, "height": 900})
            page.screenshot(path=Path(SHOTS) / f"{name}-{scheme}-{width}.png")
    page.set_viewport_size({"width": 1280, "height": 900})
