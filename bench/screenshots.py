"""Pictures of the web page for docs/page.md: a server with real parts, driven by Chromium as a person would.

    python bench/screenshots.py --write

Needs the extras [train,serve,dev], Chromium, and photographs in the MVTec AD layout (../shared/data/screw, or where
--data says). Without --write the pictures go to runs/page/, beside those in dark and on a tablet.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
import urllib.request
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("BLEMISH_REAL_DATA", ROOT.parent / "shared" / "data")) / "screw"
CHROMIUM = Path("/usr/bin/chromium")
MOST_BYTES = 250_000
SIZES = {"light": (1280, 800), "dark": (1280, 800), "tablet": (820, 1180)}
TYPES = ("scratch_head", "manipulated_front", "thread_side", "scratch_neck", "thread_top")


def main() -> None:
    """Take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument(
        "--inspectors", type=Path, nargs="*", default=[], help="fitted already, the first is shown"
    )
    parser.add_argument(
        "--home", type=Path, help="an empty folder for the server; a new one in runs/ if absent"
    )
    parser.add_argument("--write", action="store_true", help="put the light pictures into docs/images")
    arguments = parser.parse_args()
    out = ROOT / "runs" / "page"
    out.mkdir(parents=True, exist_ok=True)
    home = arguments.home or out / f"home-{int(time.time())}"
    inspectors = arguments.inspectors or _fitted(arguments.data, out)
    with _server(home, inspectors) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=str(CHROMIUM), args=["--no-sandbox", "--disable-gpu"]
        )
        _shift(address, inspectors[0].stem, arguments.data)
        for look in SIZES:
            _tour(browser, address, look, inspectors[0].stem, arguments.data, out)
        browser.close()
    if arguments.write:
        for path in sorted(out.glob("page-*-light.png")):
            _publish(path, ROOT / "docs" / "images" / path.name.replace("-light", ""))


def _fitted(data: Path, out: Path) -> list[Path]:
    """Two inspectors of one category, to be compared."""
    made = []
    for name, detector in ((data.name, "patchcore"), (f"{data.name}-padim", "padim")):
        made.append(out / f"{name}.blemish")
        command = [sys.executable, "-m", "blemish", "fit", data, "--out", made[-1], "--detector", detector]
        subprocess.run([*map(str, command)], check=True)
    return made


@contextmanager
def _server(home: Path, inspectors: list[Path]) -> Iterator[str]:
    options = [part for path in inspectors for part in ("--inspector", str(path))]
    command = [
        sys.executable,
        "-m",
        "blemish",
        "serve",
        "--port",
        "8077",
        "--home",
        str(home),
        "--keep",
        "all",
        *options,
    ]
    with subprocess.Popen(command) as process:
        address = "http://127.0.0.1:8077"
        for _ in range(120):
            try:
                urllib.request.urlopen(f"{address}/readyz").close()
                break
            except OSError:
                time.sleep(0.5)
        try:
            yield address
        finally:
            process.terminate()


def _shift(address: str, name: str, data: Path) -> None:
    """A shift at the line: good and defective parts, some of them looked at by a person."""
    good = sorted((data / "test" / "good").glob("*.png"))[:14]
    bad = [path for kind in TYPES for path in sorted((data / "test" / kind).glob("*.png"))[3:9:2]]
    import httpx

    for place, path in enumerate(sorted([*good, *bad], key=lambda path: path.name)):
        with httpx.Client(base_url=address, timeout=60) as client:
            answer = client.post(
                "/v1/inspect",
                data={"inspector": name},
                files={"images": (path.name, path.read_bytes(), "image/png")},
            )
            answer.raise_for_status()
            identity = answer.json()["inspections"][0]["id"]
            if place % 3 or path.parent.name == "good":
                continue
            said = {"truth": "bad", "defect_type": path.parent.name}
            client.post(f"/v1/inspections/{identity}/feedback", json=said).raise_for_status()


def _tour(browser: Browser, address: str, look: str, name: str, data: Path, out: Path) -> None:
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
    page.get_by_role("option", name=name, exact=True).click()
    page.locator("#inspect-photograph input[type=file]").set_input_files(
        data / "test" / "scratch_neck" / "008.png"
    )
    page.wait_for_selector("#inspect-verdict .bl-reject")
    page.wait_for_selector("#inspect-pictures .bl-heat:visible")
    shoot("inspect")
    page.locator("#inspect-pictures h3").scroll_into_view_if_needed()
    shoot("compare")
    page.evaluate("window.scrollTo(0, 0)")
    page.locator("#inspect-similar").click()
    page.wait_for_selector(".bl-card")
    shoot("similar")
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


def _jobs(page: Page, data: Path, out: Path) -> None:
    """A training, an exploration and a benchmark, all small."""
    archive = out / "photographs.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        chosen = sorted((data / "train" / "good").glob("*.png"))[:24]
        chosen += [
            path for kind in ("good", *TYPES) for path in sorted((data / "test" / kind).glob("*.png"))[:4]
        ]
        for path in chosen:
            packed.write(path, path.relative_to(data).as_posix())
    small = out / "small"
    with zipfile.ZipFile(archive) as packed:
        packed.extractall(small / data.name)
    _tab(page, "Train")
    page.locator("#train-name input, #train-name textarea").first.fill(f"{data.name}-new")
    page.locator("#train-zip input[type=file]").set_input_files(archive)
    page.wait_for_timeout(1500)
    page.locator("#train-quick input").check()
    page.locator("#train-button").click()
    page.wait_for_selector("#train-report iframe", timeout=300_000)
    for tab in ("explore", "benchmark"):
        _tab(page, tab.capitalize())
        page.locator(f"#{tab}-folder input, #{tab}-folder textarea").first.fill(str(small / data.name))
        page.locator(f"#{tab}-button").click()
        page.wait_for_selector(f"#{tab}-report iframe", timeout=600_000)


def _tab(page: Page, name: str) -> None:
    page.get_by_role("tab", name=name, exact=True).click()


def _publish(path: Path, target: Path) -> None:
    """The picture in the documentation, with few colours if it must."""
    from PIL import Image

    target.parent.mkdir(parents=True, exist_ok=True)
    image = cv2.imread(str(path))
    cv2.imwrite(str(target), image, [cv2.IMWRITE_PNG_COMPRESSION, 9])
    if target.stat().st_size > MOST_BYTES:
        Image.open(path).convert("RGB").quantize(160).save(target, optimize=True)
    print(target, target.stat().st_size)


if __name__ == "__main__":
    main()
