"""What good photographs score by the others of them, looked at in one way or another: a view is chosen by that."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from blemish.core.folds import fold_positions
from blemish.core.progress import track
from blemish.features.backbones import Backbone, load_backbone
from blemish.features.extraction import FeatureExtractor, FeatureMaps
from blemish.view.view import View

_FOLDS = 2
_TOP = 0.01


def scores_held_out(
    paths: Sequence[Path], shape: tuple[int, int], view: View, bit_depth: int = 16
) -> npt.NDArray[np.float64]:
    """Distances of the patches of each photograph to the nearest of the photographs of the other fold.

    Patches are those of the default backbone; a score is the mean over the hundredth of them that is farthest.

    Args:
        paths: good photographs, two at least.
        shape: height and width of the network's input.
        view: how they are looked at.
        bit_depth: bits that 16-bit photographs really use.

    Returns:
        float64, one a photograph.

    Raises:
        ImageError: a file cannot be read.
    """
    contract = _backbone().preprocessing(*shape, bit_depth).model_copy(update={"view": view})
    maps = FeatureExtractor(_backbone(), contract).stream(paths)
    patches = [_patches(one) for one in track(maps, "Comparing good photographs", len(paths))]
    scores = np.zeros(len(paths))
    for held_out in fold_positions(len(paths), _FOLDS, 0):
        bank = torch.cat([one for place, one in enumerate(patches) if place not in held_out])
        for place in held_out:
            distances = torch.cdist(patches[place], bank).amin(1)
            scores[place] = float(distances.topk(max(1, round(_TOP * len(distances)))).values.mean())
    return scores


def _patches(maps: FeatureMaps) -> Tensor:
    """Feature maps on the coarsest grid, N x D."""
    tensors = [torch.from_numpy(one)[None] for one in maps]
    height, width = tensors[-1].shape[-2:]
    return (
        torch.cat([F.adaptive_avg_pool2d(one, (height, width)) for one in tensors], 1)[0]
        .flatten(1)
        .T.contiguous()
    )


@functools.lru_cache(maxsize=1)
def _backbone() -> Backbone:
    return load_backbone()
