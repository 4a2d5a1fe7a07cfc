"""`bench/gpu.py`: without a card it refuses in one sentence, and its lines run on the processor."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import platformdirs
import pytest
import torch

PEER = Path(platformdirs.user_cache_dir("blemish"), "peers", "anomalib", ".made")
SCRIPT = Path(__file__).resolve().parents[2] / "bench" / "gpu.py"


def ran(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), *arguments]
    given = os.environ | environment
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=900, env=given)


@pytest.mark.slow
def test_without_a_card_it_refuses() -> None:
    done = ran(CUDA_VISIBLE_DEVICES="")
    assert done.returncode == 1
    assert done.stderr.startswith("Learning on a card is not measured here: device=cuda is not possible here")
    assert done.stderr.count("\n") == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments", [("--device", "cpu", "--quick"), pytest.param(("--quick",), marks=pytest.mark.gpu)]
)
def test_all_is_measured(arguments: tuple[str, ...]) -> None:
    done = ran(*arguments)
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    assert figures["torch"] == torch.__version__ and figures["quick"]
    for name in ("patchcore:official", "patchcore"):
        assert figures[name]["fit_seconds"] > 0 and figures[name]["images_a_second"] > 0
        assert figures[name]["bank"] > 0
    assert figures["efficientad"]["steps_a_second"] > 0
    assert "| Measured | Bar | anomalib |" in done.stderr


@pytest.mark.slow
@pytest.mark.skipif(not PEER.is_file(), reason="6 GB: python bench/peers/environment.py makes it")
def test_the_peer_stands_beside_it() -> None:
    done = ran("--device", "cpu", "--quick", "--peer")
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    assert figures["anomalib"]["patchcore"]["fit_seconds"] > 0
    assert figures["anomalib"]["patchcore"]["bank"] == figures["patchcore:official"]["bank"]
    assert figures["anomalib"]["efficientad"]["steps_a_second"] > 0
