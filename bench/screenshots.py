"""Pictures of the web page for docs/page.md: a server with generated parts, driven by Chromium as a person would.

    python bench/screenshots.py --write

Needs the extras [train,serve,dev] and Chromium. The parts are from the sample line: real photographs that may be copied
into a repository are rare. Without --write the pictures stay in runs/page/, beside those in dark and on a tablet.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import numpy as np
from measuring.pages import ROOT
from measuring.service import ServerProcess
from playwright.sync_api import Browser, Page, sync_playwright
from sqlalchemy import select, update

from blemish.core.storage import file_digest
from blemish.gallery.gallery import Gallery
from blemish.station.database import Database
from blemish.station.home import Home
from blemish.station.schema import INSPECTIONS

CHROMIUM = Path("/usr/bin/chromium")
SIZES = {"light": (1280, 800), "dark": (1280, 800), "tablet": (820, 1180)}
TYPES = ("foreign_body", "hole", "missing_piece", "scratch", "stain", "twist")


def main() -> None:
    """Take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="put the light pictures into docs/images")
    arguments = parser.parse_args()
    out = ROOT / "runs" / "page"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    data = Path(tempfile.gettempdir()) / "parts" / "washer"  # this name is in the pictures
    _blemish(
        "sample",
        data.parent,
        "--category",
        "washer",
        "--train",
        80,
        "--good",
        40,
        "--per-defect-type",
        8,
        "--size",
        512,
    )
    inspectors = [out / "washer.blemish", out / "washer-padim.blemish"]
    _blemish("fit", data, "--out", inspectors[0])
    _blemish("fit", data, "--out", inspectors[1], "--detector", "padim")
    home, options = out / "home", ("--inspector", str(inspectors[1]), "--keep", "all")
    with ServerProcess(home, inspectors[0], *options) as server:
        _shift(server.address, data)
    _spread(home)
    _index(home, inspectors[0], data)
    with ServerProcess(home, None, "--keep", "all", page=True) as server, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=str(CHROMIUM), args=["--no-sandbox", "--disable-gpu"]
        )
        for look in SIZES:
            _tour(browser, server.address, look, data, out)
        browser.close()
    if arguments.write:
        for path in sorted(out.glob("page-*-light.png")):
            _publish(path, ROOT / "docs" / "images" / path.name.replace("-light", ""))


def _blemish(*arguments: object) -> None:
    command = [sys.executable, "-m", "blemish", *map(str, arguments)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def _shift(address: str, data: Path) -> None:
    """A shift at the line: good and defective parts, some of them looked at by a person."""
    good = sorted((data / "test" / "good").glob("*.png"))[:36]
    bad = [path for kind in TYPES for path in sorted((data / "test" / kind).glob("*.png"))[1:3]]
    for path in sorted([*good, *bad], key=lambda path: path.name):
        with httpx.Client(base_url=address, timeout=60) as client:
            answer = client.post(
                "/v1/inspect",
                data={"inspector": "washer"},
                files={"images": (path.name, path.read_bytes(), "image/png")},
            )
            answer.raise_for_status()
            identity = answer.json()["inspections"][0]["id"]
            if path.parent.name == "good":
                continue
            said = {"truth": "bad", "defect_type": path.parent.name}
            client.post(f"/v1/inspections/{identity}/feedback", json=said).raise_for_status()


def _spread(home: Path) -> None:
    """Spread the shift, which took a minute, over the last eight hours, so that the charts have something to show."""
    database = Database(Home(home).database_url)
    with database.transaction() as session:
        numbers = session.scalars(select(INSPECTIONS.c.id).order_by(INSPECTIONS.c.id)).all()
        for number, minutes in zip(numbers, np.linspace(480, 5, len(numbers)), strict=True):
            moment = datetime.now(UTC) - timedelta(minutes=float(minutes))
            session.execute(update(INSPECTIONS).where(INSPECTIONS.c.id == number).values(time=moment))
    database.close()


def _index(home: Path, inspector: Path, data: Path) -> None:
    """More past defects; nobody has named those of one kind yet."""
    _blemish("gallery", "index", data, "--inspector", inspector, "--gallery", home / "gallery")
    with Gallery(home / "gallery") as gallery:
        for path in (data / "test" / "missing_piece").glob("*.png"):
            gallery.set_defect_type(file_digest(path), None)


def _tour(browser: Browser, address: str, look: str, data: Path, out: Path) -> None:
    """Each tab once."""
    width, height = SIZES[look]
    scheme = "dark" if look == "dark" else "light"
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
    page = context.new_page()
    page.set_default_timeout(60_000)
    page.goto(address)

    def shoot(tab: str) -> None:
        page.wait_for_timeout(1200)
        page.screenshot(path=out / f"page-{tab}-{look}.png")

    page.wait_for_selector("#inspect-inspector")
    page.locator("#inspect-inspector input").click()
    page.get_by_role("option", name="washer", exact=True).click()
    page.locator("#inspect-photograph input[type=file]").set_input_files(data / "test" / "hole" / "000.png")
    page.wait_for_selector("#inspect-verdict .bl-reject")
    page.wait_for_selector("#inspect-pictures .bl-heat:visible")
    shoot("inspect")
    page.locator("#inspect-pictures h3").scroll_into_view_if_needed()
    shoot("compare")
    page.evaluate("window.scrollTo(0, 0)")
    page.locator("#inspect-similar").click()
    page.wait_for_selector(".bl-card")
    shoot("similar")
    _clusters(page)
    shoot("clusters")
    _tab(page, "History")
    page.wait_for_selector("#history-table tbody tr")
    shoot("history")
    if look == "light":
        _jobs(page, data, out)
    for tab, ready in (("Train", "#train-report iframe"), ("Explore", "#explore-report iframe"),
                       ("Benchmark", "#benchmark-report iframe")):  # fmt: skip
        _tab(page, tab)
        page.wait_for_selector(ready)
        page.wait_for_timeout(2000)
        shoot(tab.lower())
    context.close()


def _clusters(page: Page) -> None:
    _tab(page, "Clusters")
    page.locator("#clusters-button").click()
    page.wait_for_selector("#clusters-found .bl-cluster")


def _jobs(page: Page, data: Path, out: Path) -> None:
    """A training, an exploration and a benchmark, of part of the photographs."""
    archive = out / "photographs.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        for path in sorted(data.rglob("*.png")):
            packed.write(path, path.relative_to(data).as_posix())
    _tab(page, "Train")
    page.locator("#train-name input, #train-name textarea").first.fill("washer-new")
    page.locator("#train-zip input[type=file]").set_input_files(archive)
    page.wait_for_timeout(1500)
    page.locator("#train-button").click()
    page.wait_for_selector("#train-report iframe", timeout=300_000)
    for tab in ("explore", "benchmark"):
        _tab(page, tab.capitalize())
        page.locator(f"#{tab}-folder input, #{tab}-folder textarea").first.fill(str(data))
        if tab == "benchmark":
            page.locator("#benchmark-quick input").uncheck()
        page.locator(f"#{tab}-button").click()
        page.wait_for_selector(f"#{tab}-report iframe", timeout=600_000)


def _tab(page: Page, name: str) -> None:
    page.get_by_role("tab", name=name, exact=True).click()


def _publish(path: Path, target: Path) -> None:
    """The picture in the documentation, in all its colours: a palette posterises photographs."""
    from PIL import Image

    target.parent.mkdir(parents=True, exist_ok=True)
    Image.open(path).convert("RGB").save(target, optimize=True)
    print(target, target.stat().st_size)


if __name__ == "__main__":
    main()
