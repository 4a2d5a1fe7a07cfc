"""docs/page.md says only what is there: each control that it names in bold is on the page of its section."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from page_browser import Watched, serving

pytestmark = pytest.mark.browser

DOCUMENT = Path(__file__).parents[2] / "docs" / "page.md"

CONTROLS = """
() => {
  document.querySelectorAll("details").forEach((one) => { one.open = true; });
  return [...document.querySelectorAll("button, a, label, summary, legend, select, input, [role=slider]")].flatMap(
    (one) => [one.innerText, one.textContent, one.getAttribute("aria-label")]).filter(Boolean).map((one) => one.trim());
}
"""


def promised() -> list[tuple[str, list[str]]]:
    """Each section's address, and the controls that it names."""
    sections = re.findall(
        r"^## [^\n:]+: `([^`]+)`\n(.*?)(?=^## |\Z)", DOCUMENT.read_text("utf-8"), re.M | re.S
    )
    return [
        (path, [" ".join(name.split()) for name in re.findall(r"\*\*([^*]+)\*\*", text)])
        for path, text in sections
    ]


@pytest.fixture(scope="module")
def address(fitted: Path, washers: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server on which a person has inspected, corrected and changed the decision."""
    with serving(tmp_path_factory.mktemp("documented") / "home", [fitted], "--keep", "all") as address:
        with httpx.Client(base_url=address, timeout=60) as client:
            for path in sorted(washers.glob("test/*/*.png"))[:4]:
                files = {"images": (path.name, path.read_bytes(), "image/png")}
                client.post("/v1/inspect", data={"inspector": "washer"}, files=files).raise_for_status()
            for rate in (0.2, 0.3):
                changed = client.put("/v1/inspectors/washer/decision", json={"false_reject_rate": rate})
                changed.raise_for_status()
        yield address


def test_every_control_in_bold_is_on_the_page_of_its_section(
    browser: Any, address: str, washers: Path
) -> None:
    sections = promised()
    assert {path for path, _ in sections} >= {
        "/", "/parts/NAME", "/parts/NAME/decide", "/parts/NAME/history", "/parts/NAME/versions", "/train", "/explore",
        "/benchmark",
    }  # fmt: skip
    watched, missing = Watched(browser, address), []
    for path, names in sections:
        watched.go(path.replace("NAME", "washer")) if path != "/laboratory" else None
        if path == "/parts/NAME":
            watched.page.set_input_files("#files", [str(sorted(washers.glob("test/hole/*.png"))[0])])
            watched.page.locator("#counts", has_text="1 of 1").wait_for()
        if path == "/parts/NAME/history":
            watched.page.locator("#rows button, #rows a, #rows tr").first.click()
            watched.page.locator("#drawer:visible").wait_for()
        found = watched.page.evaluate(CONTROLS)
        missing += [f"{path}: {name}" for name in names if not any(one.startswith(name) for one in found)]
    assert missing == []
    assert watched.troubles == []
    watched.context.close()
