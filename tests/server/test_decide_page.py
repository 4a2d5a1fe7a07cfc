"""The area Decide in Chromium: what is dragged, typed and painted there, and what the API says of it afterwards."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from page_browser import Watched
from server_clients import inspect, photographs, say

from blemish.core.types import ByteArray
from blemish.server import app
from blemish.station.keys import Role

pytestmark = pytest.mark.browser

PATH, DECISION = "/parts/washer/decide", "/v1/inspectors/washer/decision"


@pytest.fixture
def deciding(
    served: Callable[..., Any],
    fitted: Path,
    good: bytes,
    rejected: list[ByteArray],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Any]:
    """A server with pages that asks for keys, and knows six defects and a good part; without the laboratory."""
    monkeypatch.setattr(app, "laboratory_installed", lambda: False)
    with served(page=True, require_keys=True, keys=("made below",), keep="all") as server:
        with server.client(server.service.keys.create("operator", Role.OPERATOR)) as client:
            files = [(f"{place}.png", one) for place, one in enumerate([good, *photographs(rejected, 6)])]
            for record in inspect(client, *files).json()["inspections"]:
                say(client, record["id"], "good" if record["file_name"] == "0.png" else "scratch")
        server.service.shelf.add(fitted, "idle")
        yield server


@pytest.fixture
def looking(browser: Any, deciding: Any) -> Iterator[Callable[..., tuple[Watched, httpx.Client]]]:
    """A page, and a client of the API, of somebody with a role: `looking(Role.ADMIN)`."""
    opened: list[Any] = []

    def look(role: Role, **options: Any) -> tuple[Watched, httpx.Client]:
        key = deciding.service.keys.create(f"{role.value}-{len(opened)}", role)
        headers = {"Authorization": f"Bearer {key}"}
        watched = Watched(browser, deciding.address, extra_http_headers=headers, **options)
        opened.extend([watched.context, client := deciding.client(key)])
        watched.troubles.clear()
        return watched, client

    yield look
    for one in opened:
        one.close()


def _settled(watched: Watched) -> str:
    """What the page says once the API has answered."""
    watched.page.locator("#sentences[aria-busy=false]").wait_for()
    return watched.text("#sentences")


def _active(client: httpx.Client) -> int:
    """The version that judges."""
    return int({one["name"]: one["active"] for one in client.get("/v1/inspectors").json()}["washer"])


def test_thresholds_are_moved_tried_saved_kept_and_undone(looking: Any) -> None:
    watched, client = looking(Role.OPERATOR)
    page = watched.go(PATH).page
    before = client.get(DECISION).json()
    assert "Catches 6 of your 6 known defects" in (first := _settled(watched))
    assert "Would have changed none of the last 7 verdicts." in first
    assert (
        page.locator("#histogram .bar.defect").count() and page.locator("#histogram .found-good").count() == 1
    )
    threshold = page.get_by_role("slider", name="Threshold: rejected above")
    assert float(threshold.get_attribute("aria-valuenow")) == before["decision"]["threshold"]
    threshold.focus()
    page.keyboard.press("End")
    page.keyboard.press("ArrowLeft")
    assert "Catches 0 of your 6 known defects" in (moved := _settled(watched)) and moved != first
    assert "Would have changed 6 of the last 7 verdicts: 6 from reject to" in moved
    value = float(threshold.get_attribute("aria-valuenow"))
    assert value > before["decision"]["threshold"] and f"threshold={value}" in page.url
    assert page.input_value("#threshold") == str(value)
    page.locator("#changed a").first.wait_for()
    links = page.locator("#changed a").evaluate_all("links => links.map((one) => one.getAttribute('href'))")
    wanted = client.post(f"{DECISION}/preview", json={"threshold": value}).json()["changed_ids"]
    assert links == [f"/parts/washer/history?inspection={number}" for number in wanted]

    page.reload(wait_until="networkidle")  # and what was considered is there still
    assert _settled(watched) == moved
    review = page.get_by_role("slider", name="Review threshold")
    box = review.locator(".grip").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 5)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2 + 20, box["y"] + 5, steps=3)
    page.mouse.up()
    _settled(watched)
    page.locator("#details summary").click()
    page.fill("#smallest_region", "4px")
    page.locator("#sentences p", has_text="parts that show regions").wait_for()
    assert client.get(DECISION).json() == before  # nobody has saved anything
    page.fill("#note", "fewer false rejects")
    page.click("#save")
    page.locator("#saved", has_text="Version 2 judges from now on").wait_for()
    after = client.get(DECISION).json()
    assert (after["version"], after["decision"]["note"]) == (2, "fewer false rejects")
    assert after["decision"]["threshold"] == value and after["decision"]["pixels"]["smallest_side"] == 4
    assert before["decision"]["review_threshold"] < after["decision"]["review_threshold"] < value
    assert "version 2" in watched.text(".part-head p") and "threshold" not in page.url
    assert "fewer false rejects" in watched.text("#decisions tr.current")
    assert watched.text("#decisions tr.current td") == str(float(f"{value:.4g}"))
    page.click("#undo")
    page.locator("#undone", has_text="Version 3 judges").wait_for()
    assert client.get(DECISION).json()["decision"]["threshold"] == before["decision"]["threshold"]
    assert watched.troubles == []


def test_what_cannot_be_promised_is_said_beside_its_field(looking: Any) -> None:
    watched, client = looking(Role.OPERATOR)
    page = watched.go(PATH).page
    _settled(watched)
    page.fill("#false_reject_rate", "1")
    said = page.locator(".field:has(#false_reject_rate) .wrong")
    said.wait_for()
    refused = client.post(f"{DECISION}/preview", json={"false_reject_rate": 0.01}).json()["detail"]
    assert said.inner_text() == refused and re.search(r"or \d+ more", refused)
    assert page.locator("#save").is_disabled() and page.locator("#tail").is_visible()
    page.locator("#tail").check()
    page.locator("#tail-offer .wrong", has_text="too few to extrapolate").wait_for()
    page.fill("#false_reject_rate", "20")
    page.keyboard.press("Enter")  # which saves nothing
    page.locator("#tail").uncheck()
    said.wait_for(state="detached")
    page.select_option("#by", "recall")
    page.fill("#recall", "100")
    page.wait_for_url(re.compile("recall=1"))
    assert "Catches 6 of your 6 known defects" in _settled(watched)
    assert client.get(DECISION).json()["version"] == 1
    client.put(DECISION, json={"threshold": 40.0, "note": "somebody else"})
    page.click("#save")
    page.locator("#saved", has_text="version 2 is active now, not version 1").wait_for()
    assert "somebody else" in watched.text("#decisions tr.current") and "recall=1" in page.url
    page.click("#save")
    page.locator("#saved", has_text="Version 3 judges").wait_for()
    assert client.get(DECISION).json()["decision"]["rule"] == "recall"
    assert all("422" in one or "409" in one for one in watched.troubles)


def test_defects_that_a_job_scores_count_beside_those_that_people_found(
    looking: Any, washers: Path, deciding: Any
) -> None:
    watched, client = looking(Role.ADMIN)
    page = watched.go(PATH).page
    assert "of your 6 known defects" in _settled(watched)
    page.locator("#more-defects summary").click()
    page.click("#score-defects")
    page.locator("#scored-note.bad", has_text="There are no photographs yet").wait_for()
    more = [str(path) for path in sorted(washers.glob("test/[!g]*/*.png"))]
    page.set_input_files("#defects-files", more)
    page.locator("#defects-sent", has_text=f"{len(more)} photographs can be used").wait_for()
    assert watched.violations() == [] and watched.overflow() <= 0
    page.click("#score-defects")
    page.locator("#scored-note.good", has_text="They are scored").wait_for(timeout=90_000)
    told = _settled(watched)
    n = int(re.search(r"of your (\d+) known defects", told).group(1))  # type: ignore[union-attr]
    assert 6 < n <= 6 + len(more) and f"there are {n} known defects" in watched.text("#of-job")
    page.reload(wait_until="networkidle")
    assert _settled(watched) == told
    page.select_option("#by", "recall")
    page.fill("#recall", "90")
    page.wait_for_url(re.compile("recall=0.9"))
    _settled(watched)
    page.click("#save")
    page.locator("#saved", has_text="Version 2 judges").wait_for()
    decision = client.get(DECISION).json()["decision"]
    assert (decision["rule"], decision["seen"]["n"]) == ("recall", n)
    page.get_by_role("button", name="Leave these out").click()
    assert "of your 6 known defects" in _settled(watched) and "defects=" not in page.url
    assert watched.troubles == []


def test_kept_photographs_are_judged_anew_where_the_log_does_not_tell_their_regions(looking: Any) -> None:
    watched, client = looking(Role.VIEWER)
    page = watched.go(f"{PATH}?hysteresis=0.5").page
    assert "need their photographs" in _settled(watched)
    page.get_by_role("button", name=re.compile(r"Judge the \d+ kept photographs anew")).click()
    page.locator("#rejudged-note", has_text="judged anew").wait_for()
    body = {"regions": {"hysteresis": 0.5}}
    numbers = client.post(f"{DECISION}/preview", json=body).json()["regions"]["photographs"]
    found = [client.post(f"{DECISION}/preview/{number}", json=body).json() for number in numbers]
    before, after = (sum(one["regions_before"] for one in found), sum(len(one["regions"]) for one in found))
    assert len(found) == 6 and f"{before} regions before, {after} after" in watched.text("#rejudged-note")
    assert watched.violations() == [] and watched.troubles == []
    page.fill("#threshold", "40")
    page.locator("#rejudged-note").wait_for(state="hidden")  # it was of what was considered before


def test_what_is_painted_is_ignored_by_a_version_that_an_admin_activates(looking: Any) -> None:
    watched, client = looking(Role.ADMIN)
    page = watched.go(PATH).page
    _settled(watched)
    drawing = page.locator("#paint svg")
    drawing.scroll_into_view_if_needed()
    page.locator("#strip img").first.wait_for()
    box = drawing.bounding_box()
    page.mouse.move(box["x"] + 1, box["y"] + 1)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.1, box["y"] + box["height"] * 0.05, steps=3)
    page.mouse.up()
    page.get_by_role("button", name="Add a box by numbers").press("Enter")
    for name, value in (("x", "100"), ("y", "110"), ("width", "20"), ("height", "8")):
        page.get_by_label(f"Box 2, {name}", exact=True).fill(value)
    page.get_by_role("button", name="Take back").click()
    page.get_by_label("Box 2, height", exact=True).fill("8")
    page.reload(wait_until="networkidle")
    shown = [
        page.get_by_label(f"Box 2, {name}", exact=True).input_value()
        for name in ("x", "y", "width", "height")
    ]
    assert shown == ["100", "110", "20", "8"]
    drawing.scroll_into_view_if_needed()
    page.locator("#paint img").first.wait_for()
    assert watched.violations() == []
    page.get_by_label("Box 2, x", exact=True).fill("120")
    page.locator("#paint-problem", has_text="reaches to 140, 118").wait_for()
    page.get_by_label("Box 2, x", exact=True).fill("108")
    page.click("#narrow")
    page.locator("#narrowed", has_text="It does not judge yet").wait_for()
    made = client.get("/v1/inspectors/washer/view", params={"version": 2}).json()
    assert made["ignored_later"][1] == "box:108,110,20,8" and made["ignored_later"][0].startswith("box:0,0,")
    assert _active(client) == 1
    with page.expect_navigation():
        page.get_by_role("button", name="Let version 2 judge").click()
    page.locator("#looks-at", has_text="Version 2 looks at").wait_for()
    assert _active(client) == 2 and "version 2" in watched.text(".part-head p")
    assert all("422" in one for one in watched.troubles)


def test_a_viewer_reads_all_of_it_at_any_size_in_both_themes(looking: Any) -> None:
    # Colours that are still on their way to the other theme have any contrast.
    watched, _ = looking(Role.VIEWER, reduced_motion="reduce")
    page = watched.go(f"{PATH}?threshold=40&shown=near&ignore=box:2,2,12,9").page
    _settled(watched)
    page.locator("#changed a").first.wait_for()
    assert page.locator("#save, #undo, #narrow, #photograph").count() == 0
    assert "needs the role operator" in watched.text("#proposal")
    page.locator("#details summary").click()
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme)
        for width, height in ((390, 844), (820, 1180), (1280, 800)):
            page.set_viewport_size({"width": width, "height": height})
            page.wait_for_timeout(50)
            assert watched.overflow() == 0, width
            assert watched.violations() == [], (theme, width)
    page.set_viewport_size({"width": 640, "height": 400})  # 1280 x 800 at 200 %
    assert watched.overflow() == 0
    assert "No version of idle judges" in watched.go("/parts/idle/decide").text("main .note")
    assert watched.troubles == []
