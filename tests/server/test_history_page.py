"""The area History in a browser: what stands in the address, the drawer, what a person says, by keyboard too."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from page_browser import Watched

from blemish.station.keys import Role
from blemish.station.records import InspectionFilter

pytestmark = pytest.mark.browser

HERE = "/parts/washer/history"
OURS = InspectionFilter(inspector="washer")


@pytest.fixture(scope="module")
def station(served: Callable[..., Any], good: bytes, defective: list[bytes]) -> Iterator[Any]:
    """A server with a dozen inspections, one of them a repeat."""
    with served(page=True) as server, server.client() as client:
        for number, content in enumerate([good, *defective[:9], good]):
            send(client, content, f"ring-{number:02d}.png", f"SN-{number:03d}")
        yield server


def send(client: httpx.Client, content: bytes, name: str, serial_number: str) -> None:
    form = {
        "inspector": "washer",
        "serial_number": serial_number,
        "batch": f"L{serial_number[-2]}",
        "shift": "early",
    }
    assert client.post("/v1/inspect", data=form, files={"images": (name, content)}).status_code == 200


@pytest.fixture
def watched(browser: Any, station: Any) -> Iterator[Watched]:
    watched = Watched(browser, station.address)
    yield watched
    assert watched.troubles == []
    watched.context.close()


def ids(watched: Watched) -> list[int]:
    rows = watched.page.locator("#rows tr").evaluate_all(
        "rows => rows.map(row => Number(row.dataset.number))"
    )
    return [int(one) for one in rows]


def test_filters_stand_in_the_address_and_leave_the_rate_alone(watched: Watched, station: Any) -> None:
    page = watched.go(HERE).page
    page.wait_for_selector("#numbers dd")
    numbers, everything = watched.text("#numbers"), ids(watched)
    assert len(everything) == 11 and watched.text("#matching") == "11 inspections"
    page.get_by_label("Verdict", exact=True).select_option("reject")
    page.wait_for_selector("#matching:has-text('match')")
    rejects = ids(watched)
    assert 0 < len(rejects) < 11 and "verdict=reject" in page.url
    assert watched.text("#numbers") == numbers
    assert "whatever the list below is filtered by" in watched.text("#scope")
    page.reload(wait_until="networkidle")
    assert ids(watched) == rejects
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV").click()
    rows = download.value.path().read_text().splitlines()[1:]
    assert [int(row.split(",")[0]) for row in rows] == rejects[::-1]
    page.get_by_role("button", name="Clear").click()
    page.get_by_label("Search").fill("sn-010")
    page.wait_for_selector("#matching:has-text('1 inspection matches')")
    assert "search=sn-010" in page.url and "repeat of" in watched.text("#rows")
    watched.go(f"{HERE}?search=nothing-like-it")
    assert "No inspection matches" in watched.text("#empty")


def test_a_part_leads_to_the_others_of_its_batch(watched: Watched) -> None:
    page = watched.go(HERE).page
    page.locator("#rows a.open").first.click()
    page.locator("#facts").get_by_role("link", name="L1").click()
    page.wait_for_selector("#matching:has-text('1 inspection matches')")
    assert page.url.endswith("?batch=L1") and "batch L1" in watched.text("#scope")
    page.get_by_label("Batch").fill("L0")
    page.wait_for_selector("#matching:has-text('10 inspections match')")
    assert page.locator("#known-shift option").evaluate_all("some => some.map(one => one.value)") == ["early"]


def test_an_inspection_opens_beside_the_list_by_keyboard_alone(watched: Watched) -> None:
    page = watched.go(HERE).page
    page.locator("#rows a.open").first.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_selector("#drawer:not([hidden]) #reason")
    listed = ids(watched)
    assert f"inspection={listed[1]}" in page.url and watched.text("#title") == f"Inspection {listed[1]}"
    page.keyboard.press("j")
    page.wait_for_selector(f"#title:text-is('Inspection {listed[2]}')")
    page.keyboard.press("ArrowUp")
    page.wait_for_selector(f"#title:text-is('Inspection {listed[1]}')")
    assert (
        page.locator("#viewer img").first.evaluate("image => image.decode().then(() => image.naturalWidth)")
        > 0
    )
    page.reload(wait_until="networkidle")
    assert watched.text("#title") == f"Inspection {listed[1]}"
    assert watched.violations() == []
    page.keyboard.press("Escape")
    page.wait_for_selector("#drawer", state="hidden")
    assert "inspection=" not in page.url
    assert page.evaluate("document.activeElement.closest('tr')?.dataset.number") == str(listed[1])


def test_two_inspections_stand_side_by_side_at_an_address_of_their_own(watched: Watched) -> None:
    page = watched.go(HERE).page
    first, second, third = ids(watched)[:3]
    page.locator("#rows a.open").first.focus()
    page.keyboard.press("Enter")
    page.locator("#title", has_text=f"Inspection {first}").wait_for()
    page.keyboard.press("c")
    page.locator("#compare-sides", has_text="Choose the other in the list").wait_for()
    assert f"compare={first}" in page.url and page.locator("#drawer").is_hidden()
    page.locator("#rows a.open").nth(2).focus()
    page.keyboard.press("Enter")
    page.locator(f"#compare-title:text-is('Inspections {first} and {third}')").wait_for()
    page.locator(".side .legend:visible").nth(1).wait_for()  # colours have values beside them
    page.reload(wait_until="networkidle")
    sides = page.locator(".side")
    assert sides.evaluate_all("all => all.map((one) => one.dataset.number)") == [str(first), str(third)]
    for place in (0, 1):
        side = sides.nth(place)
        assert side.locator(".verdict, .said-why:not(:empty)").count() == 2
        assert re.search(r"Version\s+1", side.inner_text())
        assert (
            side.locator(".stage img").first.evaluate("one => one.decode().then(() => one.naturalWidth)")
            == 128
        )
    assert watched.violations() == [] and watched.overflow() <= 0
    page.set_viewport_size({"width": 390, "height": 844})
    assert watched.overflow() <= 0
    sides.first.get_by_role("link").first.click()
    page.locator("#title", has_text=f"Inspection {first}").wait_for()
    page.go_back(wait_until="networkidle")
    sides.nth(1).wait_for()
    page.keyboard.press("Escape")
    assert page.locator("#compare").is_hidden() and "compare=" not in page.url
    assert second in ids(watched)


def test_what_is_said_stays_with_its_part(watched: Watched, station: Any) -> None:
    first = next(
        record for record in station.service.log.page(OURS, limit=200).records
        if record.verdict == "pass" and record.repeat_of is None
    )  # fmt: skip
    page = watched.go(f"{HERE}?inspection={first.id}").page
    page.get_by_label("Type of defect").fill("dent")
    page.get_by_label("Note").fill("seen at the lamp")
    page.get_by_role("button", name="Defective").click()
    page.wait_for_selector("#feedback-note.good")
    assert "Its photograph is kept now." in watched.text("#feedback-note")
    page.wait_for_selector("#said:has-text('dent')")
    assert "seen at the lamp" in watched.text("#said")
    record = station.service.log.get(first.id)
    assert (record.truth, record.defect_type) == ("bad", "dent")
    page.get_by_role("button", name="Next inspection").click()
    page.wait_for_selector(f"#title:not(:text-is('Inspection {first.id}'))")
    page.wait_for_load_state("networkidle")
    assert page.get_by_label("Type of defect").input_value() == ""


def test_void_with_a_reason_and_back(watched: Watched, station: Any) -> None:
    number = station.service.log.page(OURS, limit=1).records[0].id
    page = watched.go(f"{HERE}?inspection={number}").page
    page.get_by_role("button", name="Declare void").click()
    assert "say why" in watched.text("#void-form .wrong")
    page.get_by_label("Void, because").fill("a hand in the picture")
    page.get_by_role("button", name="Declare void").click()
    page.wait_for_selector("#void-note.good")
    assert station.service.log.get(number).void_reason == "a hand in the picture"
    assert "void" in watched.text(f"[data-number='{number}'] .badge")
    page.get_by_role("button", name="Let it count again").click()
    page.wait_for_selector("#void-note:has-text('counts again')")
    assert station.service.log.get(number).voided is None


def test_the_queue_says_why_and_empties(watched: Watched, station: Any) -> None:
    page = watched.go(f"{HERE}?queue=review").page
    waiting = ids(watched)
    assert waiting and re.search("nobody has said|asks for a person|found defective", watched.text("#rows"))
    page.locator("#rows a.open").first.click()
    page.wait_for_selector("#drawer:not([hidden]) #reason")
    page.keyboard.press("d")
    page.wait_for_selector("#feedback-note.good")
    page.reload(wait_until="networkidle")
    assert waiting[0] not in ids(watched)
    assert watched.violations() == []


@pytest.mark.parametrize(("width", "height", "scheme"), [(390, 844, "dark"), (820, 1180, "light")])
def test_it_fits(browser: Any, station: Any, width: int, height: int, scheme: str) -> None:
    watched = Watched(browser, station.address, color_scheme=scheme)
    page = watched.page
    page.set_viewport_size({"width": width, "height": height})
    watched.go(HERE)
    page.locator("#charts").evaluate("details => { details.open = true; }")
    page.wait_for_selector("#chart-rate svg")
    assert watched.overflow() <= 0 and watched.violations() == []
    page.locator("#rows tr").first.click()
    page.wait_for_selector("#drawer:not([hidden]) #reason")
    page.wait_for_load_state("networkidle")
    assert watched.overflow() <= 0 and watched.violations() == []
    if width < 820:
        box = page.locator("#drawer").bounding_box()
        assert box is not None and box["width"] >= width
    assert watched.troubles == []
    watched.context.close()


def test_a_viewer_sees_no_buttons_that_he_may_not_press(
    browser: Any, served: Callable[..., Any], good: bytes
) -> None:
    with served(require_keys=True, keys=("made below",), page=True) as server:
        keys = {role: server.service.keys.create(role, role) for role in (Role.VIEWER, Role.OPERATOR)}
        with server.client(keys[Role.OPERATOR]) as client:
            send(client, good, "a.png", "SN-1")
        watched = Watched(
            browser, server.address, extra_http_headers={"Authorization": f"Bearer {keys[Role.VIEWER]}"}
        )
        watched.go(f"{HERE}?inspection=1").page.wait_for_selector("#drawer:not([hidden]) #reason")
        assert watched.page.get_by_role("button", name=re.compile("Good|Defective|void", re.I)).count() == 0
        watched.context.close()


def test_what_cannot_be_compared_is_said(watched: Watched, station: Any, fitted: Path, good: bytes) -> None:
    station.service.shelf.add(fitted, "gasket")
    station.service.shelf.activate("gasket", 1)
    form = {"inspector": "gasket"}
    with station.client() as client:
        sent = client.post("/v1/inspect", data=form, files={"images": ("other.png", good)})
        number = sent.json()["inspections"][0]["id"]
    here = ids(watched.go(HERE))[0]
    watched.go(f"{HERE}?compare={here},{number}")
    assert f"Inspection {number} is of gasket" in watched.text("#compare-note")
    assert watched.page.locator(".side").count() == 1
    watched.go(f"{HERE}?compare={here},999999")
    assert "999999" in watched.text("#compare-note")
    assert all("404" in one for one in watched.troubles)
    watched.troubles.clear()
