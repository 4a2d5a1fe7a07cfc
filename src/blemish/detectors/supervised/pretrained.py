"""Pretrained networks that are fine-tuned: where they come from, and how gently they learn."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from blemish.features.backbones import Backbone, load_backbone

_SLOWER = 0.1


def pretrained_backbone(
    name: str, taps: Sequence[int], weights: str | None, seed: int, size: int | None = None
) -> Backbone:
    """A backbone to copy and fine-tune; it is shared, so it must not be changed itself.

    Args:
        name: see `blemish.features.backbones.load_backbone`, as for `taps`, `size` and errors.
        taps: strides at which it is read.
        weights: a file, None for the usual ones, or "random".
        seed: of random weights.
        size: side in pixels of the images that a vision transformer reads.
    """
    return _loaded(name, tuple(taps), weights, seed if weights == "random" else 0, size)


@functools.lru_cache(maxsize=4)
def _loaded(name: str, taps: tuple[int, ...], weights: str | None, seed: int, size: int | None) -> Backbone:
    if weights != "random":
        return load_backbone(name, taps, Path(weights) if weights else None, size=size)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return load_backbone(name, taps, pretrained=False, size=size)


def freeze_statistics(network: nn.Module) -> None:
    """Keep the statistics of every BatchNorm as they were learnt: a small batch would spoil them."""
    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.eval()


def slower_groups(whole: nn.Module, pretrained: nn.Module, learning_rate: float) -> list[dict[str, Any]]:
    """Parameter groups in which the pretrained part of a network learns at a tenth of the rate."""
    gentle = list(pretrained.parameters())
    known = {id(parameter) for parameter in gentle}
    others = [parameter for parameter in whole.parameters() if id(parameter) not in known]
    return [{"params": others, "lr": learning_rate}, {"params": gentle, "lr": _SLOWER * learning_rate}]
