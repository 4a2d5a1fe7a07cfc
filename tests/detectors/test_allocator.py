"""Memory of large tensors is used again inside a training, and given back after it."""

from __future__ import annotations

import json
import platform
import subprocess
import sys

import pytest

PROGRAM = """
import json, resource
from pathlib import Path
import blemish
import numpy as np, torch
from blemish.detectors.training.loop import Material, Objective, Recipe, train

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

def megabytes():
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 2**20

def fresh():
    before = faults()
    for _ in range(4):
        torch.ones(64 * 2**18)  # 64 MB
    return faults() - before

class Large(Objective):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(1))
        self.faults = []

    def loss(self, batch):
        self.faults.append(fresh())
        return (self.weight * batch["x"]).mean()

def trained():
    objective = Large()
    material = Material(lambda index, rng: {"x": torch.ones(1)}, 4)
    train("large", objective, material, None, Recipe(epochs=2, batch_size=1, learning_rate=1e-3), "")
    return objective

outside = fresh()
trained()  # loads what a first training loads
before = megabytes()
objective = trained()
print(json.dumps({"outside": outside, "inside": objective.faults, "grown": megabytes() - before, "after": fresh()}))
"""


@pytest.mark.skipif(
    sys.platform != "linux" or platform.libc_ver()[0] != "glibc", reason="only glibc gives memory back"
)
def test_large_tensors_are_fresh_memory_once_a_training() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    assert sum(found["inside"][1:]) < found["outside"] / 4
    assert found["after"] > found["outside"] / 2
    assert found["grown"] < 48
