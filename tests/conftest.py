"""What all tests share: real photographs where they exist, and caches of their own."""

from __future__ import annotations

import gc
import io
import json
import os
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

import blemish as _package  # noqa: F401  (before any test imports torch: it says how its threads wait)

# A busy machine takes its time for an example, and is right all the same.
settings.register_profile("blemish", deadline=None)
settings.load_profile("blemish")

REAL_DATA = Path(os.environ.get("BLEMISH_REAL_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))


# Trainings, comparisons and browsers. With several processes a file begun last is one that all the others wait for.
SLOWEST_FIRST = ("detectors", "experiments", "server", "making", "explore")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    floors = {floor: place for place, floor in enumerate(SLOWEST_FIRST)}
    items.sort(key=lambda item: floors.get(item.path.parent.name, len(floors)))
    _skip_without_a_card([item for item in items if "gpu" in item.keywords])
    if not REAL_DATA.is_dir():
        skip = pytest.mark.skip(reason=f"real photographs are absent: {REAL_DATA}")
        for item in items:
            if "real" in item.keywords:
                item.add_marker(skip)


def _skip_without_a_card(items: list[pytest.Item]) -> None:
    if not items:
        return
    import torch

    if not torch.cuda.is_available():
        skip = pytest.mark.skip(reason=f"torch {torch.__version__} sees no CUDA device")
        for item in items:
            item.add_marker(skip)


def pytest_collection_finish() -> None:
    """Let the collector of cycles leave alone what stays to the end, and look seldom: it took 8 % of the time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 10, 10)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Where the time went, over all processes: whoever makes the suite quicker begins with these files."""
    seconds: Counter[str] = Counter()
    for reports in terminalreporter.stats.values():
        for report in reports:
            if isinstance(report, pytest.TestReport):
                seconds[report.nodeid.partition("::")[0].removeprefix("tests/")] += report.duration
    if seconds.total() > 60:
        terminalreporter.section(f"slowest of {len(seconds)} files, {seconds.total():.0f} s in all")
        slowest = (f"{name} {spent:.0f}" for name, spent in seconds.most_common(60))
        terminalreporter.write_line(", ".join(slowest))


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of the real data sets: screw, magnetic_tile, metal_plate."""
    return REAL_DATA


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep the tests out of the user's cache."""
    os.environ["BLEMISH_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session", autouse=True)
def patient_databases() -> None:
    """A disk on which several suites write may hold a commit for longer than a line would wait."""
    from blemish.station import database

    database._WAIT_SECONDS = 60


@dataclass(frozen=True)
class Outcome:
    """What a call of the command line left behind."""

    status: int
    stdout: str
    stderr: str

    @property
    def document(self) -> Any:
        """stdout as the one JSON document it must be."""
        return json.loads(self.stdout)


def call_blemish(*arguments: object) -> Outcome:
    """Run the command line inside this process."""
    from blemish.cli.main import main

    stdout, stderr = io.StringIO(), io.StringIO()
    with redirect_stdout(stdout), redirect_stderr(stderr), pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    return Outcome(int(ended.value.code or 0), stdout.getvalue(), stderr.getvalue())


@pytest.fixture(scope="session")
def blemish() -> Callable[..., Outcome]:
    """The command line, run inside this process: `blemish("inspect", path, ...)`."""
    return call_blemish


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Callable[[Path], Any]], Path]:
    """What is slow to make, made by one process of `pytest -n` for all; `made_once(name, make)` is the folder."""

    def once(name: str, make: Callable[[Path], Any]) -> Path:
        root = tmp_path_factory.getbasetemp()
        if "PYTEST_XDIST_WORKER" not in os.environ:
            make(folder := tmp_path_factory.mktemp(name))
            return folder
        from portalocker import Lock

        folder = root.parent / name  # above the folder of each process
        with Lock(root.parent / f"{name}.lock", timeout=600):
            if not folder.exists():
                make(unfinished := tmp_path_factory.mktemp(name))
                unfinished.rename(folder)
        return folder

    return once


@pytest.fixture(scope="session")
def washers(made_once: Callable[[str, Callable[[Path], Any]], Path]) -> Path:
    """A small category of the sample line: 12 good parts to learn from, 6 good and 12 defective to test."""
    from blemish.data.sample_line import write_sample_line

    def make(out: Path) -> None:
        write_sample_line(out, ("washer",), train=12, good=6, per_defect_type=2, size=128)

    return made_once("sample-line", make) / "washer"


@pytest.fixture(scope="session")
def fitted(washers: Path, made_once: Callable[[str, Callable[[Path], Any]], Path]) -> Path:
    """A tiny inspector of `washers`, made by `blemish fit`."""

    def make(out: Path) -> None:
        fit = ("fit", washers, "--out", out / "washer.blemish", "--size", 128, "--set", "coreset_size=100")
        outcome = call_blemish(*fit)
        assert outcome.status == 0, outcome.stderr

    return made_once("fitted", make) / "washer.blemish"


@pytest.fixture(scope="session")
def plates(made_once: Callable[[str, Callable[[Path], Any]], Path]) -> Path:
    """Grey plates with spots, lines and frames to learn from and to test, in the MVTec layout."""
    import cv2
    import numpy as np

    def draw(image: Any, kind: str, x: int, y: int) -> None:
        if kind == "spot":
            cv2.circle(image, (x, y), 7, (40, 40, 170), -1)
        elif kind == "line":
            cv2.line(image, (x - 20, y - 3), (x + 20, y + 3), (230, 230, 230), 2)
        elif kind == "frame":
            cv2.rectangle(image, (x - 12, y - 12), (x + 12, y + 12), (30, 120, 30), 3)

    def make(out: Path) -> None:
        random = np.random.default_rng(1)
        kinds = {"train/good": 20, "test/good": 10, "test/spot": 12, "test/line": 12, "test/frame": 12}
        for place, count in kinds.items():
            folder = out / "plate" / place
            folder.mkdir(parents=True)
            for number in range(count):
                image = random.normal(120, 8, (96, 96, 3)).clip(0, 255).astype(np.uint8)
                draw(image, folder.name, *(int(at) for at in random.integers(28, 68, 2)))
                cv2.imwrite(str(folder / f"{number:02d}.png"), image)

    return made_once("plates", make) / "plate"


@pytest.fixture(scope="session")
def typed(plates: Path, made_once: Callable[[str, Callable[[Path], Any]], Path]) -> Path:
    """An inspector that tells the defect types of `plates` apart, made by `blemish fit`."""

    def make(out: Path) -> None:
        settings = ("size=96", "epochs=10", "examples_per_epoch=128", "classes=types", "patience=0")
        sets = [word for setting in settings for word in ("--set", setting)]
        outcome = call_blemish(
            "fit", plates, "--out", out / "plate.blemish", "--detector", "classifier", *sets
        )
        assert outcome.status == 0, outcome.stderr

    return made_once("typed", make) / "plate.blemish"


@pytest.fixture(scope="session")
def drawn_back(washers: Path, made_once: Callable[[str, Callable[[Path], Any]], Path]) -> Path:
    """An autoencoder of `washers` that has learnt just enough to draw a grey ring, and the report beside it."""

    def make(out: Path) -> None:
        settings = ("size=64", "epochs=6", "examples_per_epoch=96", "learning_rate=0.005")
        sets = [word for setting in settings for word in ("--set", setting)]
        written = ("--out", out / "washer.blemish", "--report", out / "washer.html")
        outcome = call_blemish("fit", washers, *written, "--detector", "cae", *sets)
        assert outcome.status == 0, outcome.stderr

    return made_once("drawn-back", make) / "washer.blemish"


@pytest.fixture(scope="session")
def painted(washers: Path, made_once: Callable[[str, Callable[[Path], Any]], Path]) -> Path:
    """A good washer with a square in a colour that no washer has: rows 32 to 55, columns 68 to 91 of 128 x 128."""
    import cv2

    def make(out: Path) -> None:
        image = cv2.imread(str(sorted((washers / "test" / "good").glob("*.png"))[0]))
        image[32:56, 68:92] = (250, 250, 20)
        assert cv2.imwrite(str(out / "painted.png"), image)

    return made_once("painted", make) / "painted.png"


BROWSERS = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next((Path(found) for name in BROWSERS if (found := shutil.which(name))), None)
CHROMIUM_ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A headless Chromium, driven by Playwright; skips where there is none."""
    playwright = pytest.importorskip("playwright.sync_api")
    if CHROMIUM is None:
        pytest.skip("there is no Chromium: apt-get install chromium")
    with playwright.sync_playwright() as running:
        chromium = running.chromium.launch(executable_path=str(CHROMIUM), args=CHROMIUM_ARGUMENTS)
        yield chromium
        chromium.close()


# Charts that are wider than the paper, and letters in them that are cut off.
CUT_ON_PAPER = """() => [...document.querySelectorAll(".chart")].flatMap((chart) => {
  const box = chart.getBoundingClientRect();
  if (!box.width) return [];
  const svg = chart.querySelector(".main-svg").getBoundingClientRect();
  const wide = svg.width < 100 || svg.left < 0 || svg.right > innerWidth ? [chart.ariaLabel] : [];
  const cut = [...chart.querySelectorAll("text")].filter((text) => {
    const { left, right, bottom } = text.getBoundingClientRect();
    return left < box.left - 2 || right > box.right + 2 || bottom > box.bottom + 2;
  });
  return [...wide, ...cut.map((text) => `${chart.ariaLabel}: ${text.textContent}`)];
})"""


def _once_drawn(page: Any, faults: str, seconds: float = 5) -> Any:
    """What a script finds wrong, once nothing is or the time has passed: charts are drawn anew after the event.

    It is asked from outside: what waits inside a page evaluates a string there, which a page's policy forbids.
    """
    end = time.monotonic() + seconds
    while (found := page.evaluate(faults)) and time.monotonic() < end:
        page.wait_for_timeout(50)
    return found


PAPER_WIDTH = 703  # of A4 without its margins, in pixels


@pytest.fixture
def report_page(browser: Any) -> Callable[[Path], AbstractContextManager[Any]]:
    """Open a report in a browser: `with report_page(path) as page`; at the end it must have behaved.

    Nothing was said on the console and nothing asked of a network, all pictures were shown, the page fits the width of
    a desk, a tablet and a telephone, and on paper every chart is whole, whether or not the browser says that it prints.
    """

    @contextmanager
    def opened(path: Path) -> Iterator[Any]:
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        troubles: list[str] = []
        asked: list[str] = []
        page.on("console", lambda message: troubles.append(message.text) if message.type != "log" else None)
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.set_default_timeout(120_000)  # a busy machine draws slowly
        page.goto(path.as_uri())
        page.wait_for_selector("html[data-drawn]")
        try:
            yield page
            page.evaluate("document.querySelectorAll('img').forEach((i) => { i.loading = 'eager'; })")
            unseen = (
                "[...document.images].filter((i) => !(i.complete && i.naturalWidth > 0)).map((i) => i.alt)"
            )
            assert _once_drawn(page, unseen, 120) == []
            for width in (1280, 820, 400):
                page.set_viewport_size({"width": width, "height": 900})
                assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), width
            page.emulate_media(media="print")
            page.set_viewport_size({"width": PAPER_WIDTH, "height": 900})
            assert _once_drawn(page, CUT_ON_PAPER) == []
            page.evaluate("dispatchEvent(new Event('beforeprint'))")
            assert _once_drawn(page, CUT_ON_PAPER) == []
            assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []
            assert troubles == []
        finally:
            page.close()

    return opened
