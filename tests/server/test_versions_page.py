"""The area Versions: two side by side, one is let to judge, rolled back, downloaded, added, and measured."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from page_browser import Watched

from blemish.station.keys import Role

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def shelf(served: Callable[..., Any]) -> Iterator[Any]:
    """A server with two versions of `washer` that differ by their decision; the second one judges."""
    with served(keep="all", page=True) as server, server.client() as client:
        wanted = {"false_reject_rate": 0.2, "note": "too many <b>stops</b>"}
        assert client.put("/v1/inspectors/washer/decision", json=wanted).status_code == 200
        yield server


@pytest.fixture
def watched(browser: Any, shelf: Any) -> Iterator[Watched]:
    watched = Watched(browser, shelf.address)
    yield watched
    watched.context.close()


def active(server: Any) -> int:
    return int(server.service.shelf.active("washer").version)


def test_a_version_is_let_to_judge_and_rolled_back_after_being_asked(shelf: Any, watched: Watched) -> None:
    page = watched.go("/parts/washer/versions").page
    assert "judges since" in watched.text("#version-2") and "judged until" in watched.text("#version-1")
    assert "too many <b>stops</b>" in watched.text("#version-2")
    assert "Version 1 with another decision" in watched.text("#version-2")
    button = page.get_by_role("button", name="Let version 1 judge")
    button.focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    dialog.wait_for()
    assert "Rejects above" in dialog.inner_text() and "version 2 judges no longer" in dialog.inner_text()
    page.keyboard.press("Escape")
    dialog.wait_for(state="hidden")
    assert active(shelf) == 2
    button.click()
    with page.expect_navigation():
        dialog.get_by_role("button", name="Let version 1 judge").click()
    page.locator("#version-1.judges").wait_for()
    assert active(shelf) == 1
    page.get_by_role("button", name="Roll back to version 2").click()
    with page.expect_navigation():
        page.get_by_role("dialog").get_by_role("button", name="Roll back to version 2").click()
    page.locator("#version-2.judges").wait_for()
    assert active(shelf) == 2
    page.get_by_text("Who changed what").click()
    assert "roll-back" in watched.text(".audit table")
    assert watched.troubles == []


def test_two_versions_stand_side_by_side_at_an_address_and_look_at_what_is_kept(
    shelf: Any, watched: Watched, good: bytes, defective: list[bytes]
) -> None:
    files = [("images", (f"{place}.png", one)) for place, one in enumerate([good, *defective[:3], good])]
    with shelf.client() as client:
        assert client.post("/v1/inspect", data={"inspector": "washer"}, files=files).status_code == 200
    page = watched.go("/parts/washer/versions").page
    page.get_by_role("button", name="Side by side").click()
    page.wait_for_url("**/versions?compare=1%2C2")
    page.reload()
    table = watched.text(".side-by-side table")
    assert "Version 1" in table and "Version 2 · judges" in table and "AUROC" not in table
    assert "No evaluation of either is on record." in table
    page.get_by_role("button", name="Let both look").click()
    told = page.get_by_text("4 photographs: version 1 rejects")  # the same photograph counts once
    told.wait_for()
    assert page.get_by_role("button", name="Let both look").is_enabled()
    page.goto(f"{watched.address}/parts/washer/versions?compare=2,7")
    page.get_by_text("The address asks for versions that are not there").wait_for()
    assert watched.troubles == []


def test_a_version_is_downloaded_added_and_measured(
    shelf: Any, watched: Watched, washers: Path, tmp_path: Path
) -> None:
    page = watched.go("/parts/washer/versions").page
    with page.expect_download() as begun:
        page.locator("#version-1").get_by_role("link", name="Download").click()
    assert begun.value.suggested_filename == "washer-v1.blemish"
    damaged = tmp_path / "damaged.blemish"
    damaged.write_bytes(b"no inspector")
    page.get_by_role("button", name="Add", exact=True).click()
    page.get_by_text("choose a .blemish file first").wait_for()
    page.locator("#artifact").set_input_files(damaged)
    page.get_by_role("button", name="Add", exact=True).click()
    page.get_by_text("damaged.blemish is not a Blemish inspector").wait_for()
    assert [one for one in watched.troubles if not one.startswith(("422", "console"))] == []
    watched.troubles.clear()

    page.locator("#measured").select_option("1")
    page.locator("#folder").fill(str(washers))
    with page.expect_navigation(timeout=60_000):
        page.get_by_role("button", name="Measure").click()
    assert "AUROC" in watched.text("#version-1 .facts")
    assert "no evaluation is on record" in watched.text("#version-2 .facts"), (
        "of the one that was measured alone"
    )
    assert watched.troubles == []


@pytest.mark.parametrize(
    ("look", "size"), [("light", (390, 844)), ("dark", (820, 1180))], ids=["telephone", "tablet"]
)
def test_versions_fit_and_can_be_read_by_all(
    browser: Any, shelf: Any, look: str, size: tuple[int, int]
) -> None:
    watched = Watched(browser, shelf.address, color_scheme=look)
    watched.page.set_viewport_size({"width": size[0], "height": size[1]})
    watched.go("/parts/washer/versions?compare=1,2")
    assert watched.overflow() == 0
    assert watched.violations() == []
    watched.context.close()
    assert watched.troubles == []


def test_who_may_not_change_versions_sees_no_button_for_it(served: Callable[..., Any]) -> None:
    with served(page=True, require_keys=True, keys=("x",)) as server:
        seen = {}
        for role in Role:
            with server.client(server.service.keys.create(str(role), role)) as client:
                seen[role] = client.get("/parts/washer/versions").text
        for word in ("Download", "Train again", 'id="add"', "Who changed what"):
            assert (
                word in seen[Role.ADMIN] and word not in seen[Role.OPERATOR] and word not in seen[Role.VIEWER]
            )
        assert "learnt from 12 photographs" in seen[Role.VIEWER]
