"""What all tests share: real photographs where they exist, and caches of their own."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import blemish as _package  # noqa: F401  (before any test imports torch: it says how its threads wait)

REAL_DATA = Path(os.environ.get("BLEMISH_REAL_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if not REAL_DATA.is_dir():
        skip = pytest.mark.skip(reason=f"real photographs are absent: {REAL_DATA}")
        for item in items:
            if "real" in item.keywords:
                item.add_marker(skip)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of the real data sets: screw, magnetic_tile, metal_plate."""
    return REAL_DATA


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep the tests out of the user's cache."""
    os.environ["BLEMISH_CACHE"] = str(tmp_path_factory.mktemp("cache"))


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
def washers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small category of the sample line: 12 good parts to learn from, 6 good and 12 defective to test."""
    from blemish.data.sample_line import write_sample_line

    out = tmp_path_factory.mktemp("sample-line")
    (folder,) = write_sample_line(out, ("washer",), train=12, good=6, per_defect_type=2, size=128)
    return folder


@pytest.fixture(scope="session")
def fitted(washers: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny inspector of `washers`, made by `blemish fit`."""
    out = tmp_path_factory.mktemp("fitted") / "washer.blemish"
    outcome = call_blemish("fit", washers, "--out", out, "--size", 128, "--set", "coreset_size=100")
    assert outcome.status == 0, outcome.stderr
    return out


CHROMIUM = Path("/usr/bin/chromium")
CHROMIUM_ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A headless Chromium, driven by Playwright; skips where there is none."""
    playwright = pytest.importorskip("playwright.sync_api")
    if not CHROMIUM.exists():
        pytest.skip(f"there is no Chromium at {CHROMIUM}")
    with playwright.sync_playwright() as running:
        chromium = running.chromium.launch(executable_path=str(CHROMIUM), args=CHROMIUM_ARGUMENTS)
        yield chromium
        chromium.close()
