"""What an explanation costs, and that a plain inspection does not pay for it.

Each network is compiled as a plain inspection compiles it, without the outputs that explain; once more as it was before
there were any, exported without them; and once with all. They are run in turns, so that what else the machine does
disturbs all alike.

    python bench/cost_of_explaining.py
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch

from blemish.core.execution import Execution
from blemish.core.network import CompiledNetwork
from blemish.detectors.reconstruction.cae import ConvolutionalAutoencoderNetwork
from blemish.detectors.reconstruction.head import ReconstructionHead, Shown
from blemish.detectors.reconstruction.residual_autoencoder import ResidualAutoencoderNetwork
from blemish.detectors.supervised.classifier_network import (
    AttentiveClassifier,
    ClassifierHead,
    TrunkWithHead,
)
from blemish.features.backbones import load_backbone
from blemish.features.onnx_export import to_onnx


def networks() -> dict[str, tuple[int, torch.nn.Module, torch.nn.Module, str]]:
    """Input size, the network as it was, the same with what explains, and the name of that output."""
    found: dict[str, tuple[int, torch.nn.Module, torch.nn.Module, str]] = {}
    for name, size, autoencoder in (
        ("cae", 128, ConvolutionalAutoencoderNetwork()),
        ("residual-autoencoder", 224, ResidualAutoencoderNetwork()),
    ):
        head = ReconstructionHead(autoencoder, "squared", size, 2.0, 0.01).eval()
        found[name] = (size, head, Shown(head), "reconstruction")
    backbone, size = load_backbone("efficientnet_lite0", (8, 16, 32)), 512
    grids = [size // stride for stride in backbone.strides]
    head = ClassifierHead(backbone.channels, grids, size, ("good", *"abcde"), rotated=True)
    torch.nn.init.normal_(head.linear.weight)
    whole = TrunkWithHead(backbone, head).eval()
    found["classifier, 5 types"] = (size, whole, AttentiveClassifier(whole), "attention")
    return found


def timed(run: Callable[[np.ndarray], object], image: np.ndarray) -> float:
    """Milliseconds of processor time of one run: others on the machine do not count."""
    started = time.process_time()
    run(image)
    return 1000 * (time.process_time() - started)


def operations(network: CompiledNetwork) -> int:
    """Operations of the compiled graph, inputs and outputs among them."""
    return len(network._engine._compiled.get_runtime_model().get_ops())


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--pairs", type=int, default=80)
    pairs = parser.parse_args().pairs
    print(
        "| network | before ms | plain ms | plain / before | with explanation ms | compiled once in ms | operations |"
    )
    print("|---|---|---|---|---|---|---|")
    for name, (size, before, with_it, output) in networks().items():
        example, one_thread = torch.zeros(1, 3, size, size), Execution(threads=1)
        image = np.random.default_rng(0).random((1, 3, size, size)).astype(np.float32)
        old = CompiledNetwork(to_onnx(before, example, ("score", "map")), one_thread)
        model = to_onnx(with_it, example, ("score", "map", output))
        plain = CompiledNetwork(model, one_thread, ("score", "map"))
        started = time.perf_counter()
        whole = CompiledNetwork(model, one_thread)
        compiling = 1000 * (time.perf_counter() - started)
        for one in (old, plain, whole):
            one(image)
        rows = []
        for number in range(pairs):
            turn = (old, plain, whole) if number % 2 else (plain, old, whole)
            cost = {id(one): timed(one, image) for one in turn}
            rows.append((cost[id(old)], cost[id(plain)], cost[id(whole)]))
        ratio = statistics.median(second / first for first, second, _ in rows)
        counts = " / ".join(str(operations(one)) for one in (old, plain, whole))
        medians = [statistics.median(column) for column in zip(*rows, strict=True)]
        print(
            f"| {name} | {medians[0]:.2f} | {medians[1]:.2f} | {ratio:.3f} | {medians[2]:.2f} | {compiling:.0f} "
            f"| {counts} |"
        )


if __name__ == "__main__":
    main()
