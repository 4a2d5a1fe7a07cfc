"""The site of the documentation: built without a warning, whole, and silent on the network."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("mkdocstrings", reason="the extra [docs] is not installed")

import blemish

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pages, built as `make docs` builds them."""
    out = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(out)]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return out


def test_the_reference_knows_every_public_name(site: Path) -> None:
    described = importlib.util.spec_from_file_location("site_pages", ROOT / "docs" / "site_pages.py")
    assert described is not None and described.loader is not None
    hook = importlib.util.module_from_spec(described)
    described.loader.exec_module(hook)
    public = {name for name in getattr(blemish, "__all__", ()) if not name.startswith("__")}
    assert set(hook.public_names()) == public
    reference = "".join(page.read_text("utf-8") for page in (site / "api").glob("*.html"))
    assert [name for name in public if f'id="blemish.{name}"' not in reference] == []


def test_every_example_is_shown(site: Path) -> None:
    shown = (site / "examples.html").read_text("utf-8")
    assert [
        script.name for script in ROOT.glob("examples/*.py") if f"examples/{script.name}" not in shown
    ] == []


def test_the_readme_is_the_first_page_and_its_pictures_are_there(site: Path) -> None:
    first = (site / "index.html").read_text("utf-8")
    assert "Blemish learns what a good part looks like" in first
    assert 'src="images/inspect.jpg"' in first and (site / "images" / "inspect.jpg").is_file()


@pytest.mark.browser
def test_pages_ask_no_network_and_fit_a_telephone(site: Path, browser: Any) -> None:
    page = browser.new_page(viewport={"width": 400, "height": 900})
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    for name in ("index", "measurements", "api/metrics", "decisions/index"):
        page.goto((site / f"{name}.html").as_uri())
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), name
    assert asked and [url for url in asked if not url.startswith(("file:", "data:"))] == []
    page.close()
