"""The web page in Chromium: what a person at the line does, on a server of its own."""

from __future__ import annotations

import hashlib
import re
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import httpx
import numpy as np
import pytest
from page_browser import Watched, serving

from blemish.core.images import read_image
from blemish.line.runtime import Inspector

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def second(washers: Path, blemish: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("second") / "washer-padim.blemish"
    outcome = blemish("fit", washers, "--out", out, "--detector", "padim", "--size", 128)
    assert outcome.status == 0, outcome.stderr
    return out


@pytest.fixture(scope="module")
def address(fitted: Path, second: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving(tmp_path_factory.mktemp("home") / "blemish", [fitted, second]) as address:
        yield address


@pytest.fixture(scope="module")
def rejected(washers: Path, fitted: Path) -> list[Path]:
    """Defective parts that the small inspector rejects."""
    inspector = Inspector.load(fitted)
    paths = sorted(path for path in washers.glob("test/*/*.png") if path.parent.name != "good")
    found = [path for path in paths if inspector.inspect(path).verdict == "reject"]
    assert len(found) >= 3
    return found


@pytest.fixture
def watched(browser: Any, address: str) -> Iterator[Watched]:
    watched = Watched(browser, address).ready()
    yield watched
    watched.context.close()


def inspect(watched: Watched, path: Path) -> None:
    watched.ready().choose("inspect-inspector", "washer")
    watched.upload("inspect-photograph", path)
    watched.page.wait_for_selector("#inspect-verdict .bl-word")


def test_a_defective_part_is_rejected_shown_corrected_found_and_filtered(
    watched: Watched, rejected: list[Path]
) -> None:
    page = watched.page
    inspect(watched, rejected[0])
    assert watched.text("#inspect-verdict .bl-word") == "REJECT"
    reason = watched.text("#inspect-verdict .bl-reason")
    assert re.search(r"Score [\d.]+ is above the threshold [\d.]+\..*good parts.*region", reason)
    heat = page.locator("#inspect-pictures .bl-heat:visible")
    assert heat.count() == 1
    page.locator("#inspect-pictures input[type=range]:visible").fill("20")
    assert heat.evaluate("element => getComputedStyle(element).opacity") == "0.2"
    assert page.locator("#inspect-pictures .bl-boxes rect").count() >= 1
    assert page.locator("#inspect-pictures figure:visible").count() == 3

    page.locator("#inspect-defect-type input").fill("flash")
    page.keyboard.press("Enter")
    page.locator("#inspect-bad").click()
    page.wait_for_selector("#inspect-said .bl-note")
    number = re.search(r"inspection (\d+) is really defective \(flash\)", watched.text("#inspect-said"))
    assert number

    watched.tab("History")
    row = page.locator("#history-table tbody tr", has=page.locator(f"button[data-number='{number[1]}']"))
    row.wait_for()
    assert "REJECT" in row.inner_text() and "really defective (flash)" in row.inner_text()
    assert row.locator("img").count() == 1
    row.get_by_role("button", name=f"Inspection {number[1]} is really good").click()
    page.wait_for_selector("#history-message .bl-note")
    row.locator("td", has_text="really good").wait_for()
    watched.choose("history-truth", "Really defective")
    page.wait_for_selector("#history-table .bl-note")
    assert page.locator("#history-table tbody tr").count() == 0
    watched.choose("history-truth", "Really good")
    row.wait_for()
    assert page.locator("#history-charts svg").count() == 2
    row.get_by_role("button", name=f"Open inspection {number[1]}").click()
    page.wait_for_selector("#history-detail .bl-reject")
    assert watched.troubles == []


def test_a_tiff_is_shown_and_judged_as_it_was_sent(
    watched: Watched, rejected: list[Path], tmp_path: Path
) -> None:
    path = tmp_path / "part.tif"
    pixels = read_image(rejected[0])
    assert cv2.imwrite(str(path), pixels[..., ::-1].astype(np.uint16) * 257)  # 16 bits, as from a camera
    inspect(watched, path)
    page = watched.page
    page.wait_for_function("document.querySelector('#inspect-photograph img')?.naturalWidth > 0")
    page.locator("#inspect-verdict .bl-reject").wait_for()
    page.locator("#inspect-button").click()
    page.wait_for_timeout(500)
    page.locator("#inspect-verdict .bl-reject").wait_for()
    records = httpx.get(f"{watched.address}/v1/inspections").json()["inspections"][:2]
    assert [record["file_name"] for record in records] == ["part.tif", "part.tif"]
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert [record["image_digest"] for record in records] == [digest, digest]
    assert watched.troubles == []


def test_detectors_are_compared_on_the_photograph(watched: Watched, rejected: list[Path]) -> None:
    inspect(watched, rejected[1])
    page = watched.page
    page.get_by_text("Comparison of the detectors").wait_for()
    labels = page.locator("#inspect-pictures .bl-tabs > label")
    assert labels.count() == 2
    page.locator("#bl-detector-0").focus()
    page.keyboard.press("ArrowRight")
    assert page.locator("#bl-pane-1").is_visible() and not page.locator("#bl-pane-0").is_visible()
    table = watched.text("#inspect-pictures table:has-text('On its own scale')")
    assert "patchcore" in table and "padim" in table
    words = watched.text("#inspect-pictures table:has-text('Metric')")
    assert "distance to the nearest good patch" in words and "Mahalanobis distance" in words
    assert "Most sensitive: " in words and " from 97.5 or where it rejects" in words
    assert watched.troubles == []


def test_similar_defects_are_one_click_away(
    browser: Any, address: str, watched: Watched, rejected: list[Path]
) -> None:
    # In a page of its own: one that is left in the middle of a request says so on its console.
    before = Watched(browser, address)
    inspect(before, rejected[1])
    before.context.close()
    inspect(watched, rejected[2])
    watched.page.wait_for_timeout(1500)  # the gallery takes parts in while nothing is judged
    watched.page.locator("#inspect-similar").click()
    watched.page.wait_for_selector("#similar-found .bl-card")
    assert "distance" in watched.text("#similar-found .bl-card")
    assert watched.troubles == []


def test_an_inspector_is_trained_from_a_zip_and_activated(
    watched: Watched, washers: Path, tmp_path: Path
) -> None:
    archive = tmp_path / "parts.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        for path in sorted(washers.rglob("*.png")):
            packed.write(path, path.relative_to(washers).as_posix())
    page = watched.page
    watched.tab("Train")
    watched.type("train-name", "washer-new")
    watched.upload("train-zip", archive)
    page.locator("#train-zip .file-preview").wait_for()
    page.locator("#train-quick input").check()
    page.locator("#train-button").click()
    page.wait_for_selector("#train-status [data-state=done]", timeout=120_000)
    frame = page.frame_locator("#train-report iframe")
    frame.locator("h1").first.wait_for()
    assert "12 photographs of good parts" in watched.text("#train-status")
    page.locator("#train-activate").click()
    page.get_by_text("washer-new, version 1, is active").wait_for()
    watched.tab("Inspect")
    watched.choose("inspect-inspector", "washer-new")
    watched.upload("inspect-photograph", next(iter(sorted(washers.glob("test/good/*.png")))))
    page.get_by_text("inspector washer-new, version 1").wait_for()
    assert watched.troubles == []


def test_a_hostile_zip_is_refused_in_words(watched: Watched, tmp_path: Path) -> None:
    archive = tmp_path / "evil.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("../../evil.png", b"\x89PNG\r\n\x1a\n")
    watched.tab("Train")
    watched.type("train-name", "evil")
    watched.upload("train-zip", archive)
    watched.page.locator("#train-zip .file-preview").wait_for()
    watched.page.locator("#train-button").click()
    watched.page.get_by_text("wants to write outside its folder").first.wait_for()


def test_what_is_no_photograph_is_not_judged(watched: Watched, tmp_path: Path) -> None:
    path = tmp_path / "broken.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(50))
    watched.upload("inspect-photograph", path)
    watched.page.get_by_text(re.compile("NOT JUDGED|cannot|not a valid|Not done", re.I)).first.wait_for()


@pytest.mark.parametrize(
    ("look", "size"), [("light", (1280, 800)), ("dark", (820, 1180))], ids=["desk", "tablet"]
)
def test_every_tab_fits_and_its_controls_have_names(
    browser: Any, address: str, look: str, size: tuple[int, int]
) -> None:
    watched = Watched(browser, address, color_scheme=look).ready()
    page = watched.page
    page.set_viewport_size({"width": size[0], "height": size[1]})
    for tab in ("Train", "Explore", "Benchmark", "History", "Similar", "Inspect"):
        watched.tab(tab)
        page.wait_for_timeout(400)
        assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
        unnamed = page.evaluate(
            """() => [...document.querySelectorAll('button, input:not([type=file]), textarea')]
            .filter(e => e.checkVisibility({visibilityProperty: true}) && e.getBoundingClientRect().width > 0)
            .filter(e => !(e.innerText || e.ariaLabel || e.title || e.closest('label')?.innerText
                || (e.id && document.querySelector(`label[for="${e.id}"]`)) || e.labels?.length
                || e.getAttribute('aria-labelledby')))
            .map(e => e.outerHTML.slice(0, 120))"""
        )
        assert unnamed == []
    dark = page.evaluate("document.body.classList.contains('dark')")
    assert dark == (look == "dark")
    watched.context.close()
    assert watched.troubles == []


def test_with_keys_a_person_signs_in_and_the_role_decides(
    browser: Any, fitted: Path, blemish: Callable[..., Any], tmp_path: Path
) -> None:
    home = tmp_path / "home"
    made = blemish("key", "create", "vera", "--role", "viewer", "--home", home, "--json")
    assert made.status == 0, made.stderr
    with serving(home, [fitted], "--require-keys") as address:
        watched = Watched(browser, address)
        page = watched.page
        page.locator("input[type=password]").wait_for()
        assert page.locator("#inspect-inspector").count() == 0
        page.locator("input[type=password]").fill("blemish_wrong")
        page.locator("input:not([type=password])").first.fill("vera")
        page.locator("button").first.click()
        page.get_by_text(re.compile("incorrect|invalid|not valid", re.I)).first.wait_for()
        page.locator("input[type=password]").fill(made.document["key"])
        page.locator("input:not([type=password])").first.fill("vera")
        page.locator("button").first.click()
        watched.ready()
        watched.upload("inspect-photograph", _photograph(tmp_path))
        page.get_by_text("needs the role operator").first.wait_for()
        foreign = [trouble for trouble in watched.troubles if trouble.startswith("foreign")]
        watched.context.close()
    assert foreign == []


def _photograph(folder: Path) -> Path:
    import cv2
    import numpy as np

    path = folder / "grey.png"
    cv2.imwrite(str(path), np.full((64, 64, 3), 120, np.uint8))
    return path
