"""Time one training step of several networks in float32 and in bfloat16.

python bench/precision.py [--write]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import timm
import torch
from measuring.pages import ROOT, origin, table, write_block
from torch import nn

from blemish.detectors.reconstruction.cae import ConvolutionalAutoencoderNetwork
from blemish.detectors.reconstruction.residual_autoencoder import ResidualAutoencoderNetwork
from blemish.detectors.reconstruction.ssim_autoencoder import HourglassAutoencoder
from blemish.detectors.reconstruction.vae import VariationalAutoencoderNetwork
from blemish.detectors.training.devices import autocast

PAGE = ROOT / "docs" / "decisions" / "0011-bfloat16-in-training.md"
BATCH, STEPS = 8, 6
NETWORKS: dict[str, tuple[Callable[[], nn.Module], int]] = {
    "ResNet-18 to stride 16, 256 px": (
        lambda: timm.create_model("resnet18", features_only=True, out_indices=(1, 2, 3)),
        256,
    ),
    "`residual-autoencoder`, 224 px": (ResidualAutoencoderNetwork, 224),
    "`ssim-autoencoder`, 256 px": (HourglassAutoencoder, 256),
    "`cae`, 128 px": (ConvolutionalAutoencoderNetwork, 128),
    "`vae`, 128 px": (lambda: VariationalAutoencoderNetwork(128, 128), 128),
}


def milliseconds(network: nn.Module, size: int, precision: str) -> float:
    """Milliseconds an image of a training step, best of several."""
    network = network.train().to(memory_format=torch.channels_last)
    images = torch.rand(BATCH, 3, size, size).to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(network.parameters())
    took = []
    for _ in range(STEPS):
        started = time.perf_counter()
        with autocast(torch.device("cpu"), precision):
            outputs = network(images)
        maps = outputs if isinstance(outputs, list) else [outputs]
        loss = torch.stack([(one.float() ** 2).mean() for one in maps]).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        took.append(time.perf_counter() - started)
    return 1000 * min(took) / BATCH


def main() -> None:
    """Measure, print, and with --write put the table into the decision's page."""
    parser = argparse.ArgumentParser(description="Training steps by precision, as a Markdown table.")
    parser.add_argument("--write", action="store_true", help="write into docs/decisions")
    options = parser.parse_args()
    rows = []
    for name, (make, size) in NETWORKS.items():
        slow, fast = (milliseconds(make(), size, precision) for precision in ("float32", "bfloat16"))
        rows.append([name, f"{slow:.1f}", f"{fast:.1f}", f"{slow / fast:.1f}"])
    shown = f"{table(('network', 'float32, ms', 'bfloat16, ms', 'times as fast'), rows)}\n\n{origin()}"
    print(shown)
    if options.write:
        write_block(PAGE, "precision", shown)


if __name__ == "__main__":
    main()
