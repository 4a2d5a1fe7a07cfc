"""Where the part is: patches on one side of a line through the good features, used only where that is clear."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from blemish.features.extraction import FeatureExtractor

_SEPARATED = 0.7
_MOST_ON_FRAME = 0.05
_FEWEST_IN_MIDDLE = 0.1
_FEWEST_PATCHES = 8
# On the way from the background's mean to the part's: no part yet, and part for certain.
_SOFT_EDGE = (0.3, 0.5)


class Foreground(nn.Module):
    """Weight of every patch, 1 on the part and 0 on the background.

    Patches are projected on the first principal component of good features. Between `low` and `high` the weight rises
    from 0 to 1, so that rounding cannot flip a patch. Then it is spread by one patch and small holes are closed.

    Attributes:
        direction: D.
        bounds: `low` and `high`.
    """

    direction: Tensor
    bounds: Tensor

    def __init__(self, direction: Tensor, bounds: Tensor) -> None:
        super().__init__()
        self.register_buffer("direction", direction)
        self.register_buffer("bounds", bounds)

    def forward(self, patches: Tensor) -> Tensor:
        """Weights 1 x 1 x h x w of patches 1 x D x h x w."""
        place = F.conv2d(patches, self.direction[None, :, None, None])
        weight = ((place - self.bounds[0]) / (self.bounds[1] - self.bounds[0])).clamp(0, 1)
        spread = F.max_pool2d(F.max_pool2d(weight, 3, 1, 1), 3, 1, 1)
        return -F.max_pool2d(-spread, 3, 1, 1)


def border_of(extractor: FeatureExtractor, neighbourhood: int) -> int:
    """Patches at the border that know of the zeros around the photograph: those a coarse neighbourhood reaches."""
    heights = [height for _, height, _ in extractor.shapes]
    coarser = int(max(heights) // min(heights))
    return neighbourhood // 2 * coarser + coarser // 2


def learn_foreground(images: Sequence[Tensor], margin: int = 0) -> Foreground | None:
    """The foreground of good images, each D x h x w patches; None where there is no telling it from the background.

    After AnomalyDINO: the first principal component of all patches is cut in two (by Otsu's threshold), and the part is
    the side that is more frequent in the middle (the central 60 % of height and width) than on the frame of outermost
    patches. It counts only if
    - the two sides hold at least 70 % of the component's variance between them (they are two groups, not one),
    - at most 5 % of the frame and at least 10 % of the middle is part.
    So surfaces that fill the photograph, and parts that reach its border, are left unmasked.

    Args:
        images: at least one.
        margin: patches at the border that are not asked, because the zeros around the photograph have a share in them;
            fewer than 8 x 8 others tell nothing.
    """
    from skimage.filters import threshold_otsu  # with scikit-learn two seconds, and few fits ask for a mask
    from sklearn.decomposition import PCA

    patches = torch.stack(list(images)).permute(0, 2, 3, 1).double().numpy()
    patches = patches[:, margin : patches.shape[1] - margin, margin : patches.shape[2] - margin]
    _, height, width, dimensions = patches.shape
    rows = patches.reshape(-1, dimensions)
    if min(height, width) < _FEWEST_PATCHES or not np.ptp(rows, axis=0).any():
        return None
    direction = PCA(1, svd_solver="covariance_eigh").fit(rows).components_[0]
    places = patches @ direction
    middle = np.zeros((height, width), bool)
    middle[height // 5 : height - height // 5, width // 5 : width - width // 5] = True
    frame = np.ones((height, width), bool)
    frame[1:-1, 1:-1] = False
    part = places > threshold_otsu(places)  # type: ignore[no-untyped-call]
    if part[:, middle].mean() < part[:, frame].mean():
        direction, places, part = -direction, -places, ~part
    share, near, far = part.mean(), places[part].mean(), places[~part].mean()
    separated = share * (1 - share) * (near - far) ** 2 / places.var()
    if (
        separated < _SEPARATED
        or part[:, frame].mean() > _MOST_ON_FRAME
        or part[:, middle].mean() < _FEWEST_IN_MIDDLE
    ):
        return None
    bounds = far + (near - far) * np.array(_SOFT_EDGE)
    return Foreground(torch.from_numpy(direction).float(), torch.from_numpy(bounds).float())
