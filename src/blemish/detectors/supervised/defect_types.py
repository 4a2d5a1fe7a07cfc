"""Which defect: calibrated probabilities of the types learnt, and the distance to the nearest labelled defect."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from blemish.core.calibration import conformal_limit
from blemish.core.types import Prediction
from blemish.detectors.frozen import prediction_of
from blemish.detectors.supervised.classifier_network import ClassifierHead, TrunkWithHead, log_odds_of_defect
from blemish.line.manifest import TypeCalibrationRecord

RATE = 0.1
"""Share of the defects of known types that may be called none of these."""

_TEMPERATURES = np.geomspace(0.05, 20, 601)


class Labelled(NamedTuple):
    """Labelled defects as the head sees them.

    Attributes:
        features: what its linear layer reads, standardised, N x D.
        types: number of each one's type, N.
        unseen: whether the network has not learnt from it, bool N.
        trusted: whether its distance to the others is that of a photograph never seen, bool N: of all where the
            network is frozen, for features do not change then.
    """

    features: Tensor
    types: npt.NDArray[np.intp]
    unseen: npt.NDArray[np.bool_]
    trusted: npt.NDArray[np.bool_]


class DefectTypes(nn.Module):
    """What is told of a rejected part's defect.

    Probabilities are a softmax over the logits of the types alone, as it is the score that tells good from defective,
    divided by a temperature (Guo et al., On Calibration of Modern Neural Networks, ICML 2017). The distance is 1 minus
    the cosine to the nearest labelled defect, which tells unknown classes where a softmax does not (Sun et al.,
    Out-of-Distribution Detection with Deep Nearest Neighbors, ICML 2022).

    Args:
        names: of the types, in the order of the logits behind that of "good".
        defects: features of the labelled defects, N x D.
        calibration: the temperature, and what the distance is compared with.
    """

    defects: Tensor

    def __init__(self, names: Sequence[str], defects: Tensor, calibration: TypeCalibrationRecord) -> None:
        super().__init__()
        self.names = tuple(names)
        self.calibration = calibration
        self.register_buffer("defects", F.normalize(defects))

    def forward(self, logits: Tensor, features: Tensor) -> tuple[Tensor, Tensor]:
        """Probability of each type (K), and the distance (1), of one photograph.

        Args:
            logits: of the classes, good first, 1 x (1 + K).
            features: what the head's linear layer reads, 1 x D.
        """
        probabilities = torch.softmax(logits[0, 1:] / self.calibration.temperature, 0)
        similarity = F.normalize(features) @ self.defects.T
        return probabilities, 1 - similarity.amax(1)


class TypedClassifier(nn.Module):
    """The whole classifier with all that it tells: score (1), map (H x W), types (K), the distance to them (1), and
    attention for each type (K x h x w)."""

    def __init__(self, network: TrunkWithHead, types: DefectTypes) -> None:
        super().__init__()
        self.network = network
        self.types = types

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """The outputs for a 1 x 3 x H x W image; of mirrored copies the distance is that of the image itself."""
        logits, shown, features, attention = self.network.attended(image)
        probabilities, distance = self.types(logits, features)
        return log_odds_of_defect(logits), shown, probabilities, distance, attention


def told_by(types: DefectTypes, head: ClassifierHead, maps: Sequence[Tensor]) -> Prediction:
    """What a head says of one photograph's feature maps, 1 x C x h x w each, with its defect types."""
    with torch.inference_mode():
        logits, shown, features = head.explained(maps)
        probabilities, distance = types(logits, features)
        said = prediction_of(log_odds_of_defect(logits), shown)
    shares = dict(zip(types.names, probabilities.tolist(), strict=True))
    return replace(said, types=shares, type_distance=float(distance[0]))


def learn_types(names: Sequence[str], labelled: Labelled, logits: Tensor) -> DefectTypes:
    """Calibrate what is told of defect types.

    Args:
        names: of the types, K.
        labelled: the labelled defects.
        logits: of the classes, good first, for those that are `unseen`, in their order: n x (1 + K).
    """
    temperature = fit_temperature(logits[:, 1:], torch.from_numpy(labelled.types[labelled.unseen]))
    counts = np.bincount(labelled.types, minlength=len(names))
    # The only one of its type has no other to be near to.
    compared = labelled.trusted & (counts[labelled.types] > 1)
    distances = distances_to_others(labelled.features)[compared]
    calibration = TypeCalibrationRecord(
        temperature=temperature,
        limit=conformal_limit(distances, RATE),
        rate=RATE,
        n_distances=len(distances),
        recognised=share_recognised(labelled.features, labelled.types, compared),
    )
    return DefectTypes(names, labelled.features, calibration).eval()


def distances_to_others(features: Tensor) -> npt.NDArray[np.float64]:
    """Distance of each row of N x D features to the nearest other: as `DefectTypes` gives it that lacks this row."""
    vectors = F.normalize(features)
    similarity = (vectors @ vectors.T).fill_diagonal_(-1.0)
    return np.asarray((1 - similarity.amax(1)).double().numpy())


def share_recognised(
    features: Tensor, types: npt.NDArray[np.intp], compared: npt.NDArray[np.bool_]
) -> float | None:
    """How well the distance tells unknown types: each type in turn is left out, as if nobody had known it.

    Args:
        features: of the labelled defects, N x D.
        types: number of each one's type, N.
        compared: those whose distance counts, bool N.

    Returns:
        Share of them that are beyond the limit which the other types set; None where these are too few for a limit.
    """
    vectors = F.normalize(features)
    apart = (1 - vectors @ vectors.T).fill_diagonal_(torch.inf).double().numpy()
    beyond: list[npt.NDArray[np.bool_]] = []
    for left_out in np.unique(types[compared]):
        known = types != left_out
        if not known.any():
            return None
        nearest = apart[:, known].min(1)
        limit = conformal_limit(nearest[known & compared], RATE)
        if limit is None:
            return None
        beyond.append(nearest[~known & compared] > limit)
    return float(np.concatenate(beyond).mean()) if beyond else None


def fit_temperature(logits: Tensor, types: Tensor) -> float:
    """Temperature with which held-out photographs' types are foretold best, by cross entropy; 1 where there are none.

    The wanted share of the right type is not 1 but that of the rule of succession, (n + 1) / (n + K): a few photographs
    that were all told rightly do not show that none will ever be told wrongly.

    Args:
        logits: of the types, n x K.
        types: the right one of each, n.
    """
    count, kinds = logits.shape
    if not count or kinds < 2:
        return 1.0
    right = (count + 1) / (count + kinds)
    wanted = torch.full_like(logits, (1 - right) / (kinds - 1)).scatter_(1, types[:, None], right)
    losses = [float(F.cross_entropy(logits / one, wanted)) for one in _TEMPERATURES]
    return float(_TEMPERATURES[int(np.argmin(losses))])
