"""The laboratory in Chromium: what a student does, on a server of its own."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from page_browser import WatchedLaboratory

from blemish.core.errors import NotFoundError, UsageError
from blemish.detectors.registry import detector_families, detector_names
from blemish.server.laboratory.catalogs import Catalogs
from blemish.station.keys import Role

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def server(served: Callable[..., Any], drawn_back: Path) -> Iterator[Any]:
    """A server with a patchcore called washer and an autoencoder called rings, both of the category washer."""
    with served(page=True, laboratory=True) as running:
        version = running.service.inspectors.add(drawn_back, "rings")
        running.service.inspectors.activate(version.name, version.version)
        yield running


@pytest.fixture
def watched(browser: Any, server: Any) -> Iterator[WatchedLaboratory]:
    watched = WatchedLaboratory(browser, server.address).ready()
    yield watched
    watched.context.close()


def open_folder(watched: WatchedLaboratory, folder: Path) -> None:
    watched.page.get_by_role("button", name="Other photographs").click()
    watched.type("folder", str(folder))
    watched.page.locator("#folder-button").click()
    watched.page.get_by_text("12 good photographs to learn from").wait_for()


def test_detectors_are_learnt_looked_at_and_compared_on_one_photograph(
    watched: WatchedLaboratory, washers: Path
) -> None:
    page = watched.page
    open_folder(watched, washers)
    page.locator("#result .bl-verdict").wait_for()  # by the inspector on the shelf
    figures = page.locator("#result figure")
    assert [one.split("\n")[-1] for one in figures.all_inner_texts()][1:] == [
        "Original", "Ground truth", "Map", "Segmentation"
    ]  # fmt: skip
    assert re.search(r"threshold [\d.]+", watched.text("#result .bl-scale"))
    assert "not measured" in watched.text("#result .bl-note")
    page.locator("#measure").click()
    measured = page.locator("#result .bl-table", has_text="Image AUROC")
    measured.wait_for(timeout=60_000)
    assert "6 good and 12 defective test photographs" in measured.inner_text()
    assert re.search(r"0\.\d{3}\t0\.\d{3} to [01]\.\d{3}\t", measured.inner_text())
    assert not page.locator("#measure").is_visible()

    watched.tab("Autoencoders")
    page.locator("#result .bl-made figure").first.wait_for()
    assert page.locator("#result .bl-made").inner_text().split() == [
        "Original", "Reconstruction", "Difference"
    ]  # fmt: skip
    watched.tab("Memory")
    watched.tab("padim")
    page.locator("#result .bl-note", has_text="Nothing was learnt with padim").wait_for()
    page.locator("#padim-learn").click()
    page.locator("#status .bl-job").wait_for()
    page.locator("#result .bl-facts", has_text="padim, quick").wait_for(timeout=90_000)
    assert "Max F1" in watched.text("#result .bl-table:has-text('Image AUROC')")
    page.locator("#result summary").click()
    assert "12 photographs of good parts" in watched.text("#result details")

    page.locator("#compared").get_by_text("rings").wait_for()
    page.locator("#compare").click()
    page.locator("#comparison .bl-card").nth(2).wait_for()
    assert page.locator("#comparison .bl-card").count() == 3
    table = watched.text("#comparison .bl-table:has-text('Image AUROC')")
    assert all(name in table for name in ("washer", "rings", "padim, quick")) and "not measured" in table
    words = watched.text("#comparison .bl-table:has-text('Metric')")
    assert "distance to the nearest good patch" in words and "Mahalanobis distance" in words
    assert page.locator("#comparison .bl-made figure").count() == 3

    page.wait_for_url("**/laboratory/?*detector=padim*")
    page.reload()
    page.locator("#result .bl-facts", has_text="padim, quick").wait_for()
    assert page.get_by_role("tab", name="padim").get_attribute("aria-selected") == "true"
    assert watched.troubles == []
    assert watched.violations() == []


def test_a_zip_and_a_photograph_of_ones_own_are_taken_or_refused_in_words(
    watched: WatchedLaboratory, server: Any, washers: Path, painted: Path, tmp_path: Path
) -> None:
    page, archive, evil = watched.page, tmp_path / "parts.zip", tmp_path / "evil.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        for path in sorted(washers.rglob("*.png")):
            packed.write(path, path.relative_to(washers).as_posix())
    with zipfile.ZipFile(evil, "w") as packed:
        packed.writestr("../../evil.png", b"\x89PNG\r\n\x1a\n")
    page.get_by_role("button", name="Other photographs").click()
    watched.type("upload-name", "washer")
    watched.upload("upload-zip", archive)
    page.locator("#upload-zip .file-preview").wait_for()
    page.locator("#upload-button").click()
    page.locator("#result .bl-facts", has_text=".png · washer").wait_for()
    watched.upload("own", painted)
    page.locator("#result .bl-facts", has_text="painted.png").wait_for()
    assert watched.text("#result .bl-word") == "REJECT"
    assert "Ground truth" not in page.locator("#result").inner_text()
    page.locator("#remove").click()
    page.locator("#catalog-said .bl-note").wait_for()
    assert not (server.service.home.laboratory / "uploaded" / "washer").exists()

    watched.type("upload-name", "evil")
    watched.upload("upload-zip", evil)
    page.locator("#upload-zip .file-preview").wait_for()
    page.locator("#upload-button").click()
    page.get_by_text("wants to write outside its folder").first.wait_for()
    assert not (server.service.home.laboratory / "uploaded" / "evil").exists()
    assert watched.troubles == []


@pytest.mark.parametrize(
    ("look", "size"), [("light", (1280, 800)), ("dark", (390, 844))], ids=["desk", "phone"]
)
def test_every_tab_fits_and_its_controls_have_names(
    browser: Any, server: Any, look: str, size: tuple[int, int]
) -> None:
    watched = WatchedLaboratory(browser, server.address, color_scheme=look)
    with closing(watched.context):
        page = watched.page
        page.set_viewport_size({"width": size[0], "height": size[1]})
        watched.ready()
        for tab in ("Similar", "Clusters", "Detectors"):
            watched.tab(tab)
            page.wait_for_timeout(300)
            assert watched.overflow() <= 0
            assert watched.violations() == []
        assert page.evaluate("document.body.classList.contains('dark')") == (look == "dark")
        assert watched.troubles == []


def test_every_detector_has_its_tab(watched: WatchedLaboratory, server: Any) -> None:
    named = [name for names in detector_families().values() for name in names]
    assert sorted(named) == detector_names()
    config = httpx.get(f"{server.address}/laboratory/config").json()
    labels = [one["props"].get("label") for one in config["components"] if one["type"] == "tabitem"]
    assert set(named) <= set(labels)


def test_with_keys_the_role_decides(browser: Any, served: Callable[..., Any]) -> None:
    with served(page=True, laboratory=True, require_keys=True, keys=("made below",)) as server:
        key = server.service.keys.create("vera", Role.VIEWER)
        watched = WatchedLaboratory(browser, server.address)
        with closing(watched.context):
            page = watched.page
            page.get_by_label("Key", exact=True).fill(key)
            page.get_by_role("button", name="Sign in").click()
            watched.ready()
            page.locator("#fitted").wait_for()
            assert not page.locator("#patchcore-learn").is_visible()
            assert not page.get_by_role("button", name="Other photographs").is_visible()
            assert [one for one in watched.troubles if one.startswith("foreign")] == []


def test_no_file_of_the_server_can_be_read_through_the_laboratory(server: Any, washers: Path) -> None:
    home = server.service.home.path
    paths = ["/etc/passwd", str(home / "blemish.db"), str(Path(__file__)), "/proc/self/environ"]
    paths += ["pyproject.toml", *(str(path) for path in home.rglob("*") if path.is_file())][:20]
    assert any(path.endswith(".blemish") for path in paths)
    forms = ("gradio_api/file=", "file=", "gradio_api/proxy=", "static/../../", "gradio_api/file=../../..")
    with httpx.Client(base_url=server.address, timeout=60, trust_env=False) as client:
        for path in paths:
            for form in forms:
                assert client.get(f"/laboratory/{form}{path}").status_code in (400, 403, 404), form + path


def test_no_path_of_the_server_can_be_given_as_a_photograph(server: Any) -> None:
    with httpx.Client(base_url=f"{server.address}/laboratory", timeout=60, trust_env=False) as client:
        config = client.get("/config").json()
        named = {one["props"].get("elem_id"): one["id"] for one in config["components"]}
        taking = next(
            one
            for one in config["dependencies"]
            if named["own"] in one["inputs"] and named["fitted"] in one["inputs"]
        )
        for path in ("/etc/passwd", str(Path(__file__))):
            file = {"path": path, "orig_name": "a.png", "meta": {"_type": "gradio.FileData"}}
            data = [file if one == named["own"] else None for one in taking["inputs"]]
            joined = client.post(
                "/gradio_api/queue/join", json={"fn_index": taking["id"], "session_hash": "x1", "data": data}
            )
            assert joined.status_code == 200
            with client.stream("GET", "/gradio_api/queue/data?session_hash=x1") as stream:
                events = [json.loads(line[5:]) for line in stream.iter_lines() if line.startswith("data:")]
            (ended,) = [event for event in events if event["msg"] == "process_completed"]
            assert not ended["success"] and "root:" not in json.dumps(events)


def test_a_catalog_that_nobody_has_named_is_not_opened(server: Any) -> None:
    catalogs = Catalogs(server.service)
    for key in ("folder:/etc", "uploaded:../inspectors", "sample:../../x", "sample:none", "", "x"):
        with pytest.raises(NotFoundError):
            catalogs.open(key)
    with pytest.raises(UsageError, match="Only photographs"):
        catalogs.remove("sample:washer")
    with pytest.raises(UsageError, match="not a folder on the server"):
        catalogs.add_folder("relative")


def test_only_what_may_be_read_is_opened(served: Callable[..., Any], washers: Path, tmp_path: Path) -> None:
    with served(photographs_below=(washers.parent,), add=False) as server:
        catalogs = Catalogs(server.service)
        with pytest.raises(UsageError, match="may not be read"):
            catalogs.add_folder(str(tmp_path))
        assert catalogs.open(catalogs.add_folder(str(washers))).name == "washer"
        assert (
            server.service.home.laboratory in server.service.readable
        )  # what is written there is learnt from
