"""How well a segmentation covers the true defects, at a threshold that was chosen without them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from blemish.core.errors import UsageError
from blemish.core.types import BoolArray

NAN = float("nan")


@dataclass(frozen=True)
class Overlap:
    """Agreement of segmentations with masks.

    Attributes:
        f1: 2 TP / (2 TP + FP + FN) over the pixels of all images together, good ones too; nan if there are no
            anomalous pixels and none were found.
        iou: mean over the defective images of |found and true| / |found or true|, so that a small defect counts as
            much as a large one; nan without any.
        n_defective: images that `iou` is the mean of.
    """

    f1: float
    iou: float
    n_defective: int


def overlap(pairs: Iterable[tuple[BoolArray, BoolArray]]) -> Overlap:
    """Compare segmentations with masks, one image at a time.

    Args:
        pairs: mask and segmentation of each image, bool arrays H x W of one shape; a good image's mask is all False.

    Raises:
        UsageError: a mask and its segmentation have other shapes.
    """
    both = mask_only = found_only = 0
    ratios = []
    for mask, found in pairs:
        if mask.shape != found.shape:
            raise UsageError(
                f"A mask of shape {mask.shape} cannot be compared with a segmentation of {found.shape}: "
                "bring both to one grid."
            )
        common = int(np.count_nonzero(mask & found))
        n_mask, n_found = int(np.count_nonzero(mask)), int(np.count_nonzero(found))
        both += common
        mask_only += n_mask - common
        found_only += n_found - common
        if n_mask:
            ratios.append(common / (n_mask + n_found - common))
    whole = 2 * both + mask_only + found_only
    return Overlap(
        f1=2 * both / whole if whole else NAN,
        iou=float(np.mean(ratios)) if ratios else NAN,
        n_defective=len(ratios),
    )
