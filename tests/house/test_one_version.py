"""One place for the version, pins for all that is needed, and a wheel that lacks something is refused."""

from __future__ import annotations

import importlib.metadata
import re
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

import blemish

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def pins() -> dict[str, Version]:
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    split = [line.split("==") for line in lines if not line.startswith("#")]
    return {canonicalize_name(name): Version(version) for name, version in split}


def test_the_installed_version_is_that_of_the_package() -> None:
    assert "version" in PROJECT["dynamic"] and "version" not in PROJECT
    assert importlib.metadata.version("blemish") == blemish.__version__, "run `make setup` again"


def test_every_requirement_is_pinned_to_a_version_that_it_allows() -> None:
    extras = PROJECT["optional-dependencies"]
    # umap-learn is nothing that the tests install, and onnxruntime-gpu cannot lie beside onnxruntime.
    tested = [name for name in extras if name not in ("umap", "cuda")]
    lines = [*PROJECT["dependencies"], *(line for name in tested for line in extras[name])]
    pinned = pins()
    for requirement in map(Requirement, lines):
        if requirement.name == "blemish":  # one extra holds another
            continue
        version = pinned.get(canonicalize_name(requirement.name))
        assert version is not None, f"{requirement.name} is not in constraints.txt: run `make constraints`"
        assert version in requirement.specifier, f"{requirement} but {version} in constraints.txt"


def test_pins_are_versions_that_the_registry_has() -> None:
    assert [name for name, version in pins().items() if version.local] == []


def test_a_wheel_without_its_templates_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "packaging")
    import check_package

    source = ROOT / "src"
    files = [
        path for path in (source / "blemish").rglob("*") if path.is_file() and "__pycache__" not in path.parts
    ]

    def wheel(name: str, suffixes_left_out: tuple[str, ...] = ()) -> Path:
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            for path in files:
                if path.suffix not in suffixes_left_out:
                    archive.writestr(path.relative_to(source).as_posix(), b"")
        return tmp_path / name

    check_package.check_wheel(wheel("whole.whl"))
    for suffix in (".j2", ".css", ".csv", ".mako", ".typed"):
        with pytest.raises(SystemExit, match=rf"part\.whl lacks blemish/.*\{suffix}"):
            check_package.check_wheel(wheel("part.whl", (suffix,)))
    sys.modules.pop("check_package")


def test_docker_sees_every_file_that_the_image_is_built_of() -> None:
    let_in = {line.removeprefix("!") for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines()}
    copies = re.findall(r"^COPY (?!--)(.+) \S+$", (ROOT / "Dockerfile").read_text("utf-8"), re.MULTILINE)
    assert "constraints.txt" in copies[0]
    assert [name for line in copies for name in line.split() if name not in let_in] == []
