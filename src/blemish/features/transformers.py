"""Vision transformers of timm as backbones: read after blocks, at any multiple of their patch."""

from __future__ import annotations

import contextlib
import functools
import io
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import timm
import torch
from torch import Tensor, nn

from blemish.core.errors import UsageError
from blemish.features.weights import StateDict

SMALLEST, LARGEST = 64, 2048
"""Sides in pixels at which photographs may be read."""

_USUAL_SIZE, _USUAL_PATCHES = 448, 32


@dataclass(frozen=True)
class Transformer:
    """What is known of a vision transformer without its weights: all its feature maps lie on one grid.

    Its taps are blocks counted from the last one: -1 is the last, -2 the one before.

    Attributes:
        patch: side in pixels of a patch, and so the stride of every feature map.
        blocks: how many there are.
        channels: of every feature map.
        trained_size: side in pixels that its weights were trained at.
        resizable: whether it can read other sizes too.
    """

    patch: int
    blocks: int
    channels: int
    trained_size: int
    resizable: bool

    @property
    def usual_size(self) -> int:
        """Side in pixels where none is asked for: 448, as AnomalyDINO has it, but at most 32 x 32 patches."""
        if not self.resizable:
            return self.trained_size
        return self.patch * min(_USUAL_PATCHES, round(_USUAL_SIZE / self.patch))

    def usual_taps(self, count: int = 1) -> tuple[int, ...]:
        """`count` blocks evenly spread up to the last one: (-1,), or (-10, -7, -4, -1) of twelve."""
        step = self.blocks // count
        return tuple(-1 - step * place for place in reversed(range(count)))

    def possible_size(self, side: int) -> int:
        """The possible side nearest to the given one."""
        if not self.resizable:
            return self.trained_size
        lowest, highest = -(-SMALLEST // self.patch), LARGEST // self.patch
        return self.patch * min(max(round(side / self.patch), lowest), highest)

    def check_size(self, side: int, name: str) -> None:
        """Refuse a side that the network `name` cannot read.

        Raises:
            UsageError: it is no multiple of the patch, or not one that the network can read.
        """
        if not self.resizable and side != self.trained_size:
            raise UsageError(
                f"size={side} is not possible with {name}, which reads one size alone: choose {self.trained_size}."
            )
        if side % self.patch or not SMALLEST <= side <= LARGEST:
            near = sorted(
                {self.possible_size(side - self.patch // 2), self.possible_size(side + self.patch // 2)}
            )
            raise UsageError(
                f"size={side} is not possible with {name}, whose patches are {self.patch} pixels wide: choose "
                f"{' or '.join(map(str, near))}, or another multiple of {self.patch} from {SMALLEST} to {LARGEST}."
            )

    def check_taps(self, taps: Sequence[int], name: str) -> None:
        """Refuse taps that are no blocks of the network `name`.

        Raises:
            UsageError: one is none, or there are none.
        """
        if not taps or not all(-self.blocks <= tap <= -1 for tap in taps):
            raise UsageError(
                f"{name} is a vision transformer, read after blocks and not at strides such as "
                f"{', '.join(map(str, taps)) or 'none'}: choose taps from -1, its last block, to -{self.blocks}, or a "
                "network that has these strides, as resnet18."
            )


class TransformerTaps(nn.Module):
    """A vision transformer up to its last wanted block: images in, the patches' vectors after each tap as maps out.

    The network's final normalisation is applied after every tap, as DINOv2's `get_intermediate_layers` does; class and
    register tokens are left out. The weights are random until some are loaded.

    Args:
        timm_name: of a network that `transformer_facts` knows.
        taps: blocks counted from the last one, ascending.
        size: side of the images in pixels, a possible one; that of the network's training when None.
    """

    def __init__(self, timm_name: str, taps: Sequence[int], size: int | None = None) -> None:
        super().__init__()
        self.timm_name = timm_name
        self.size = size
        self.model = _whole(timm_name, size)
        count = len(self.model.feature_info)
        self.blocks = [count + tap for tap in taps]
        self.model.prune_intermediate_layers(self.blocks, prune_norm=False, prune_head=True)

    def forward(self, images: Tensor) -> list[Tensor]:
        """Maps N x channels x H/patch x W/patch of N x 3 x H x W images, one a tap."""
        return list(
            self.model.forward_intermediates(
                images, indices=self.blocks, norm=True, output_fmt="NCHW", intermediates_only=True
            )
        )

    def renamed(self, state: StateDict) -> StateDict:
        """Weights of the whole network under timm's names and for this size, by timm's own conversion.

        It knows the files of the networks' authors, such as Meta's `dinov2_vits14_pretrain.pth`.
        """
        with torch.device("meta"):  # it asks for shapes, also of blocks that are cut off here
            model = _whole(self.timm_name, self.size)
        convert = getattr(sys.modules[type(model).__module__], "checkpoint_filter_fn", None)
        if convert is None:
            return state
        try:
            with contextlib.redirect_stdout(io.StringIO()):  # it prints what it passes over
                return dict(convert(dict(state), model))
        except Exception:  # of another network: whoever compares names and shapes says so
            return state


@functools.cache
def transformer_facts(timm_name: str) -> Transformer | None:
    """What is known of a network of timm that is a vision transformer; None of any other, or of none."""
    try:
        with torch.device("meta"):  # shapes without values
            model = _whole(timm_name, None)
            strides = {int(stage["reduction"]) for stage in model.feature_info}
            if len(strides) != 1 or not hasattr(model, "prune_intermediate_layers"):
                return None
            (patch,) = strides
            trained_size = int(model.pretrained_cfg["input_size"][1])
            channels, grid = _read_at(model, trained_size)
            if grid * patch != trained_size:
                return None
            resizable = _is_resizable(model, trained_size + patch, grid + 1)
    except Exception:  # none of that name, or made otherwise: whoever makes the network says so
        return None
    return Transformer(patch, len(model.feature_info), channels, trained_size, resizable)


def _whole(timm_name: str, size: int | None) -> Any:
    """A network of timm, its position embeddings resampled for images of this side."""
    model: Any = timm.create_model(timm_name, pretrained=False)
    if size is not None and hasattr(model, "set_input_size"):
        model.set_input_size(img_size=(size, size))
    return model


def _read_at(model: Any, side: int) -> tuple[int, int]:
    """Channels and height of the last block's map of images of this side, on the meta device."""
    (last,) = model.forward_intermediates(
        torch.zeros(1, 3, side, side), indices=[-1], norm=True, output_fmt="NCHW", intermediates_only=True
    )
    return int(last.shape[1]), int(last.shape[2])


def _is_resizable(model: Any, side: int, grid: int) -> bool:
    """Whether the model can read images of this side, of which it should make `grid` patches a row."""
    try:
        if hasattr(model, "set_input_size"):
            model.set_input_size(img_size=(side, side))
        return _read_at(model, side)[1] == grid
    except Exception:  # every network says it in its own way
        return False
