"""The pages of long work in Chromium: photographs dropped, a part learnt from them, and its report."""

from __future__ import annotations

import base64
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from page_browser import Watched, serving

pytestmark = pytest.mark.browser

_DROP = """([zone, files]) => {
  const transfer = new DataTransfer();
  for (const [name, content] of files) {
    const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
    transfer.items.add(new File([bytes], name));
  }
  const place = document.querySelector(`[data-zone=${zone}]`);
  place.dispatchEvent(new DragEvent("drop", {dataTransfer: transfer, bubbles: true, cancelable: true}));
}"""
"""What a browser does when a person drops files on a place."""


@pytest.fixture(scope="module")
def address(fitted: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving(tmp_path_factory.mktemp("home") / "blemish", [fitted]) as address:
        yield address


def drop(watched: Watched, zone: str, files: list[tuple[str, bytes]]) -> None:
    sent = [(name, base64.b64encode(content).decode()) for name, content in files]
    watched.page.evaluate(_DROP, [zone, sent])


def wait_until_sent(watched: Watched) -> None:
    watched.page.get_by_text("can be used").wait_for()


def forgive_refusals(watched: Watched) -> None:
    """A refusal that was asked for is a line in the browser's console; nothing else may be there."""
    assert all("422" in trouble for trouble in watched.troubles), watched.troubles
    watched.troubles.clear()


def test_a_part_is_learnt_from_dropped_photographs(
    browser: Any, address: str, washers: Path, tmp_path: Path
) -> None:
    watched = Watched(browser, address)
    page = watched.page
    watched.go("/train?part=washer")
    name = page.locator("#name")
    assert name.input_value() == "washer"
    assert "Becomes version 2 of washer" in watched.text("#name-hint")

    good = sorted((washers / "train" / "good").glob("*.png"))
    broken = ("cut.png", good[0].read_bytes()[:200])
    name.fill("")
    drop(
        watched, "good", [*((path.name, path.read_bytes()) for path in good), ("notes.txt", b"none"), broken]
    )
    wait_until_sent(watched)
    folder = tmp_path / "dents"  # a person chooses a whole folder
    folder.mkdir()
    defective = [path for path in sorted(washers.glob("test/*/*.png")) if path.parent.name != "good"][:4]
    for number, path in enumerate(defective):
        shutil.copy(path, folder / f"{number}.png")
    page.locator("[data-zone=bad] [data-input=folder]").set_input_files(folder)
    page.get_by_text(f"{len(good) + 4} photographs can be used").wait_for()
    said = watched.text("#left-out")
    assert f"2 of {len(good) + 6} were left out" in said and "notes.txt" in said and "cut.png" in said
    assert "/" not in said.partition("cut.png")[2], "no place of the server's is named"

    page.locator("#begin").click()
    assert "Name the part" in watched.text("#name ~ .wrong"), "it is asked for, not guessed"
    name.fill("ring 1")
    page.locator("#begin").click()
    page.get_by_text("a name has letters").wait_for()
    assert name.get_attribute("aria-invalid") == "true"
    forgive_refusals(watched)
    assert watched.violations() == [] and watched.overflow() <= 0

    page.reload(wait_until="networkidle")
    page.get_by_text(f"{len(good) + 4} photographs can be used").wait_for()  # what was sent is still there
    name.fill("ring")
    page.locator("[name=quick]").check()
    page.locator("#begin").click()
    page.wait_for_url("**/train?job=*")
    assert watched.text("#job-state") in ("waiting", "running") and watched.text("#job-says")
    page.reload()
    page.locator("#job-progress").wait_for()
    report = page.frame_locator("#report iframe")
    report.locator("h1").wait_for(timeout=120_000)
    report.locator(".js-plotly-plot svg").first.wait_for(timeout=120_000)  # its charts are drawn
    assert f"of {len(defective)}" in watched.text("#job-result")
    assert "2 of" in watched.text("#job-left-out")
    assert "It becomes the first version of ring" in watched.text("#job-next")
    page.get_by_role("button", name="Let it judge").click()
    page.get_by_text("Version 1 of ring judges from now on").wait_for()
    with httpx.Client(base_url=address, trust_env=False) as client:
        known = {one["name"]: one["active"] for one in client.get("/v1/inspectors").json()}
    assert known["ring"] == 1
    page.set_viewport_size({"width": 390, "height": 844})
    page.reload(wait_until="networkidle")
    assert "It is version 1 of ring" in watched.text("#job-next"), "it is known after a reload"
    assert watched.violations() == [] and watched.overflow() <= 0
    watched.go("/train")
    page.get_by_role("button", name="Remove Train ring").click()
    page.get_by_text("Nothing yet").wait_for()
    assert watched.troubles == []
    watched.context.close()


@pytest.mark.parametrize("path", ["/explore", "/benchmark"])
def test_the_other_pages_say_what_is_wrong_beside_the_field(browser: Any, address: str, path: str) -> None:
    watched = Watched(browser, address, color_scheme="dark")
    watched.page.set_viewport_size({"width": 390, "height": 844})
    watched.go(f"{path}?source=server")
    watched.page.locator("#folder").fill("nowhere")
    watched.page.locator("#begin").click()
    watched.page.locator("#folder ~ .wrong").wait_for()
    assert "nowhere is not a folder on the server" in watched.text("#folder ~ .wrong")
    forgive_refusals(watched)
    if path == "/benchmark":
        watched.page.get_by_role("button", name="None").click()
        watched.page.locator("#begin").click()
        assert watched.text("#detectors-wrong") == "Choose one or more."
    assert watched.violations() == [] and watched.overflow() <= 0 and watched.troubles == []
    watched.context.close()


def test_who_may_not_begin_a_job_is_shown_no_form(served: Callable[..., Any]) -> None:
    with served(page=True, require_keys=True, keys=("below",), add=False) as server:
        for role, shown in (("viewer", False), ("operator", False), ("admin", True)):
            client = server.client(server.service.keys.create(role, role))
            for path in ("/train", "/explore", "/benchmark"):
                text = client.get(path).text
                assert ('id="form"' in text) == shown and ("An admin can" in text) != shown, (role, path)
            missing = client.get("/train?job=20200101-000000-000000")
            assert missing.status_code == 404 and "There is no job" in missing.text
            client.close()


def test_without_the_laboratory_the_pages_say_what_is_missing(
    served: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("blemish.server.app.training_installed", lambda: False)
    with served(page=True, add=False) as server, server.client() as client:
        for path in ("/train", "/explore", "/benchmark"):
            text = client.get(path).text
            assert "pip install &#39;blemish[train]&#39;" in text or "pip install 'blemish[train]'" in text
            assert 'id="form"' not in text and 'href="/train"' not in text, "what cannot run is not offered"
