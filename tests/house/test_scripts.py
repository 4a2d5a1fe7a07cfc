"""What the scripts beside the package take from it is there: no test runs those that measure, they take hours."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path

import pytest

for extra in ("torch", "fastapi"):
    pytest.importorskip(extra)

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = sorted(
    path for folder in ("bench", "docs", "packaging", "examples") for path in (ROOT / folder).rglob("*.py")
)


def is_there(module: str, name: str) -> bool:
    try:
        if hasattr(importlib.import_module(module), name):
            return True
        importlib.import_module(f"{module}.{name}")
    except ModuleNotFoundError:
        return False
    return True


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_name_that_a_script_imports_is_there(script: Path) -> None:
    imports = [
        node for node in ast.walk(ast.parse(script.read_text("utf-8"))) if isinstance(node, ast.ImportFrom)
    ]
    wanted = [
        (node.module, alias.name)
        for node in imports
        if node.module and node.module.split(".")[0] == "blemish"
        for alias in node.names
    ]
    assert [f"{module}.{name}" for module, name in wanted if not is_there(module, name)] == []
