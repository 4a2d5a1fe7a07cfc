"""The OpenAPI document against generated requests: no 5xx, and no answer that the document does not describe."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("schemathesis")

CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"


def _run_schemathesis(server: Any, examples: int, folder: Path, phases: str, key: str | None = None) -> None:
    command = [
        str(Path(sys.executable).parent / "schemathesis"), "run", f"{server.address}/openapi.json",
        "--checks", CHECKS, "--phases", phases, "--max-examples", str(examples),
        "--exclude-operation-id", "start_v1_jobs_post",  # a folder like / would start work on it; has its own tests
        "--generation-database", "none", "--seed", "1", "--suppress-health-check", "all", "--no-color",
    ]  # fmt: skip
    if key:
        command += ["--header", f"Authorization: Bearer {key}"]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=folder, timeout=900)
    assert ended.returncode == 0, ended.stdout[-6000:] + ended.stderr[-2000:]


def test_a_few_hundred_generated_requests(served: Any, tmp_path: Path) -> None:
    with served() as server:
        _run_schemathesis(server, 12, tmp_path, "fuzzing")


@pytest.mark.slow
def test_thousands_of_generated_requests(served: Any, tmp_path: Path) -> None:
    with served(require_keys=True, keys=("made below",), rate_per_minute=0) as server:
        key = server.service.keys.create("tester", "admin")
        _run_schemathesis(server, 150, tmp_path, "examples,coverage,fuzzing", key)
