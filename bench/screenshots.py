"""Pictures of the web page for docs/page.md: a server with generated parts, driven by Chromium as a person would.

    python bench/screenshots.py --write

Needs the extras [train,serve,dev] and Chromium. The parts are from the sample line: real photographs that may be copied
into a repository are rare. Without --write the pictures stay in runs/page/, also dark, on a tablet and a phone.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import numpy as np
from measuring.pages import ROOT
from measuring.service import ServerProcess
from playwright.sync_api import Browser, sync_playwright
from sqlalchemy import select, update

from blemish.core.storage import file_digest
from blemish.gallery.gallery import Gallery
from blemish.station.database import Database
from blemish.station.home import Home
from blemish.station.schema import INSPECTIONS

CHROMIUM = Path("/usr/bin/chromium")
SIZES = {"light": (1280, 800), "dark": (1280, 800), "tablet": (820, 1180), "phone": (390, 844)}
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
        jobs = _jobs(server.address, data, out)
        for look in SIZES:
            _tour(browser, server.address, look, data, jobs, out)
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


def _tour(browser: Browser, address: str, look: str, data: Path, jobs: dict[str, str], out: Path) -> None:
    """Each page once."""
    width, height = SIZES[look]
    scheme = "dark" if look == "dark" else "light"
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
    page = context.new_page()
    page.set_default_timeout(60_000)

    def shoot(name: str, path: str, ready: str, scrolled_to: str | None = None) -> None:
        if path:
            # Gradio keeps a stream open for as long as its page is.
            page.goto(address + path, wait_until="load" if "laboratory" in path else "networkidle")
        page.locator(ready).first.wait_for()
        if scrolled_to:
            page.locator(scrolled_to).scroll_into_view_if_needed()
        page.wait_for_timeout(1500)
        page.screenshot(path=out / f"page-{name}-{look}.png")

    shoot("parts", "/", ".card")
    page.goto(f"{address}/parts/washer", wait_until="networkidle")
    page.set_input_files("#files", [str(path) for path in _mixed(data)])
    page.locator("#counts", has_text="12 of 12 judged").wait_for()
    shoot("judge", "", "#word:not(:empty)")
    rejected = httpx.get(f"{address}/v1/inspections?inspector=washer&verdict=reject&limit=1").json()
    number = rejected["inspections"][0]["id"]
    shoot("why", f"/parts/washer?inspection={number}", "#reasons img", "#reasons img")
    shoot("decide", "/parts/washer/decide", "svg")
    shoot("history", f"/parts/washer/history?inspection={number}", "main img")
    shoot("versions", "/parts/washer/versions", "main table, main .card")
    for kind, job in jobs.items():
        shoot(kind, f"/{kind}?job={job}", "iframe")
    shoot("settings", "/settings", "main h1")
    shoot("laboratory", "/laboratory/", ".gradio-container button")
    context.close()


def _mixed(data: Path) -> list[Path]:
    """A dozen photographs, a defective one first."""
    good = sorted((data / "test" / "good").glob("*.png"))[:7]
    bad = [sorted((data / "test" / kind).glob("*.png"))[0] for kind in TYPES[1:]]
    return [*bad[:1], *good[:3], *bad[1:3], *good[3:], *bad[3:]]


def _jobs(address: str, data: Path, out: Path) -> dict[str, str]:
    """A training, an exploration and a benchmark, that have ended."""
    archive = out / "photographs.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        for path in sorted((data / "train" / "good").glob("*.png")):
            packed.write(path, path.relative_to(data).as_posix())
    with httpx.Client(base_url=address, timeout=600) as client:
        with archive.open("rb") as file:
            training = client.post("/v1/jobs/train", data={"name": "washer"}, files={"photographs": file})
        begun = {"train": training.raise_for_status().json()["id"]}
        compared = {"detectors": ["patchcore", "padim", "knn"], "quick": True}
        for kind, more in (("explore", {}), ("benchmark", compared)):
            asked = client.post("/v1/jobs", json={"kind": kind, "folder": str(data), **more})
            begun[kind] = asked.raise_for_status().json()["id"]
        for job in begun.values():
            while client.get(f"/v1/jobs/{job}").raise_for_status().json()["state"] in ("waiting", "running"):
                time.sleep(1)
    return begun


def _publish(path: Path, target: Path) -> None:
    """The picture in the documentation, in all its colours: a palette posterises photographs."""
    from PIL import Image

    target.parent.mkdir(parents=True, exist_ok=True)
    Image.open(path).convert("RGB").save(target, optimize=True)
    print(target, target.stat().st_size)


if __name__ == "__main__":
    main()
