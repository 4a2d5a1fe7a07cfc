"""The area Judge in Chromium: photographs in, verdicts out, as a person at the line does it."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from page_browser import Watched, serving

from blemish.line.runtime import Inspector

pytestmark = pytest.mark.browser

SIZES = ((390, 844), (820, 1180), (1280, 800), (640, 400))
"""A phone, a tablet, a desk, and a desk at 200 % zoom."""


@pytest.fixture(scope="module")
def address(fitted: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving(tmp_path_factory.mktemp("judge") / "home", [fitted], "--max-bytes", "4000000") as address:
        yield address


@pytest.fixture
def watched(browser: Any, address: str) -> Iterator[Watched]:
    watched = Watched(browser, address).go("/parts/washer")
    yield watched
    watched.context.close()


@pytest.fixture(scope="module")
def rejects(washers: Path, fitted: Path) -> list[Path]:
    """Defective parts that the small inspector rejects."""
    inspector = Inspector.load(fitted)
    found = [path for path in photographs(washers, "bad") if inspector.inspect(path).verdict == "reject"]
    assert len(found) >= 2
    return found


def photographs(washers: Path, kind: str) -> list[Path]:
    good = kind == "good"
    return sorted(path for path in washers.glob("test/*/*.png") if (path.parent.name == "good") is good)


def judge(watched: Watched, *paths: Path) -> None:
    """Choose photographs as a person does, and wait for all verdicts."""
    before = watched.page.locator("#list li").count()
    watched.page.set_input_files("#files", [str(path) for path in paths])
    everything = before + len(paths)
    watched.page.locator("#counts", has_text=f"{everything} of {everything} judged").wait_for(timeout=60_000)


def test_a_defective_part_is_rejected_shown_explained_and_corrected(
    watched: Watched, rejects: list[Path]
) -> None:
    page = watched.page
    judge(watched, rejects[0])
    assert watched.text("#word").lower() == "reject"
    assert re.search(r"Score [\d.]+ is above the threshold [\d.]+\..*region", watched.text("#reason"))
    assert page.locator(".heat:visible").count() == 1
    assert page.locator(".outlines polygon, .outlines rect").count() >= 1
    page.locator(".opacity input").fill("20")
    assert page.locator(".heat").evaluate("element => getComputedStyle(element).opacity") == "0.2"
    page.locator("#reasons img").first.wait_for()
    assert (
        page.locator("#reasons img").first.evaluate(
            "async one => { await one.decode(); return one.naturalWidth }"
        )
        > 100
    )
    page.fill("#type", "scratch")
    page.locator("#feedback .bad").click()
    page.locator("#feedback-note", has_text="Kept: defective, scratch, said by local.").wait_for()
    number = int(re.search(r"inspection (\d+)", watched.text("#facts")).group(1))  # type: ignore[union-attr]
    record = httpx.get(f"{watched.address}/v1/inspections/{number}").json()
    assert (record["truth"], record["defect_type"]) == ("bad", "scratch")
    assert watched.troubles == []


def test_the_address_names_what_is_shown_and_survives_a_reload(watched: Watched, rejects: list[Path]) -> None:
    judge(watched, rejects[1])
    word, shown = watched.text("#word"), watched.page.url
    assert re.search(r"\?inspection=\d+$", shown)
    watched.page.goto(shown, wait_until="networkidle")
    assert watched.text("#word") == word
    watched.page.locator("#reason:not(:empty)").wait_for()
    assert watched.page.locator(".stage img").first.evaluate("one => one.naturalWidth") == 128
    assert watched.troubles == []


def test_many_are_judged_with_progress_and_none_is_lost(
    watched: Watched, washers: Path, tmp_path: Path
) -> None:
    sources = photographs(washers, "good") + photographs(washers, "bad")
    many = []
    for number in range(60):
        path = tmp_path / f"part-{number:03}.png"
        path.write_bytes(sources[number % len(sources)].read_bytes())
        many.append(path)
    before = httpx.get(f"{watched.address}/v1/stats?inspector=washer").json()["summary"]["n"]
    judge(watched, *many)
    after = httpx.get(f"{watched.address}/v1/stats?inspector=washer").json()["summary"]["n"]
    assert after - before == 60
    assert watched.page.locator("#list li").count() == 60
    watched.page.select_option("#filter", "reject")
    shown = watched.page.locator("#list li:visible").count()
    assert 0 < shown < 60
    assert watched.troubles == []


def test_what_is_no_photograph_is_told_by_its_name_beside_the_others(
    watched: Watched, washers: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(photographs(washers, "good")[0].read_bytes()[:200])
    judge(watched, broken, photographs(washers, "good")[0])
    refused = watched.page.locator("#list li").first
    assert "broken.png" in refused.inner_text() and "refused" in refused.inner_text()
    assert str(tmp_path) not in watched.page.content()
    assert "pass" in watched.page.locator("#list li").nth(1).inner_text()
    answers = [trouble for trouble in watched.troubles if not trouble.startswith(("422", "415", "console"))]
    assert answers == []


def test_the_keyboard_alone_goes_on_judges_and_looks_closely(watched: Watched, washers: Path) -> None:
    page = watched.page
    judge(watched, *photographs(washers, "good")[:2], *photographs(washers, "bad")[:1])
    first = watched.text("#facts")
    page.keyboard.press("n")
    assert watched.text("#facts") != first
    page.keyboard.press("p")
    assert watched.text("#facts") == first
    before = page.locator(".stage").evaluate("one => one.getBoundingClientRect().width")
    page.keyboard.press("+")
    assert page.locator(".stage").evaluate("one => one.getBoundingClientRect().width") > 1.4 * before
    page.keyboard.press("g")
    page.locator("#feedback-note", has_text="Kept: good").wait_for()
    page.fill("#type", "dent")
    page.locator("#word").click()
    page.keyboard.press("n")
    assert page.input_value("#type") == ""  # the last part's type says nothing of this one
    assert watched.troubles == []


@pytest.mark.parametrize("look", ["light", "dark"])
def test_the_verdict_stands_above_the_fold_at_every_size(
    browser: Any, address: str, rejects: list[Path], look: str
) -> None:
    watched = Watched(browser, address, color_scheme=look).go("/parts/washer")
    assert watched.violations() == []
    judge(watched, rejects[0])
    watched.page.locator("#reasons img").first.wait_for()
    for width, height in SIZES:
        watched.page.set_viewport_size({"width": width, "height": height})
        watched.page.evaluate("scrollTo(0, 0)")
        box = watched.page.locator("#word").bounding_box()
        assert box is not None and box["y"] + box["height"] < height, (width, height)
        assert watched.overflow() <= 0, (width, height)
    assert watched.violations() == []
    assert watched.troubles == []
    watched.context.close()


def test_an_unknown_part_is_said_in_one_sentence(watched: Watched) -> None:
    watched.go("/parts/gasket")
    assert "There is no part gasket" in watched.text("main") or "gasket" in watched.text("main")
    assert watched.page.locator("a", has_text="To the parts").count() == 1


def test_the_first_view_is_light_and_quick(browser: Any, address: str) -> None:
    watched = Watched(browser, address)
    sizes: list[int] = []
    watched.page.on("response", lambda response: sizes.append(len(response.body())))
    for path in ("/", "/parts/washer"):
        sizes.clear()
        watched.go(path)
        assert sum(sizes) < 250_000, path
        ready = watched.page.evaluate(
            "performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd"
        )
        assert ready < 1000, path
    watched.context.close()


def test_the_address_survives_a_restart_of_the_server(
    browser: Any, fitted: Path, rejects: list[Path], tmp_path: Path
) -> None:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    with serving(tmp_path / "home", [fitted], "--port", str(port)) as address:
        watched = Watched(browser, address).go("/parts/washer")
        judge(watched, rejects[0])
        facts = watched.text("#facts").split(" · ")[:3]
    with serving(tmp_path / "home", [], "--port", str(port)):
        watched.page.reload(wait_until="networkidle")
        watched.page.locator("#reasons img").first.wait_for()
        assert watched.text("#facts").split(" · ")[:3] == facts
    watched.context.close()
