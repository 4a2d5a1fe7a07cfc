"""FastFlow: a normalizing flow of a frozen network's feature maps.

Jiawei Yu et al., "FastFlow: Unsupervised Anomaly Detection and Localization via 2D Normalizing Flows", 2021.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from blemish.detectors.density.fastflow_network import Flow, FlowHead
from blemish.detectors.frozen_trained import FrozenTrainedDetector, Statistics, taps_of
from blemish.detectors.layers import PatchScoring
from blemish.detectors.parameters import refuse
from blemish.detectors.trained import Prepared
from blemish.detectors.training.examples import Batch
from blemish.detectors.training.loop import Objective


class FlowObjective(Objective):
    """The negative log likelihood of standardised feature maps, in nats a number, mean over the taps."""

    def __init__(self, flows: Sequence[Flow], taps: Sequence[int]) -> None:
        super().__init__()
        self.flows = nn.ModuleList(flows)
        self.taps = tuple(taps)

    def loss(self, batch: Batch) -> Tensor:
        """The mean over images, places and channels."""
        maps = taps_of(batch, self.taps)
        found = [flow(one).mean() for flow, one in zip(self.flows, maps, strict=True)]
        return torch.stack(found).mean()


@dataclasses.dataclass
class FastFlow(FrozenTrainedDetector):
    """FastFlow with Adam: a flow of affine couplings for the feature map of every tap; see the base classes.

    The map is the negative log likelihood, place by place, with the flow's volume in it.

    Attributes:
        steps: couplings of each flow.
        hidden: channels inside a coupling, as a multiple of those that it reads.
        kernels: of the couplings' convolutions, which take turns.
        top: share of the highest map values whose mean is the score; 0 takes the maximum.
        sigma: smoothing of the map, in pixels of the input.
    """

    name: ClassVar[str] = "fastflow"
    measures: ClassVar[str] = "negative log-likelihood"

    size: int = 256
    epochs: int = 20
    patience: int = 3
    examples_per_epoch: int = 256
    steps: int = 8
    hidden: float = 1.0
    kernels: tuple[int, ...] = (3, 1)
    top: float = 0.01
    sigma: float = 4.0

    def make_objective(self, prepared: Prepared[Statistics]) -> Objective:
        """A flow for every tap."""
        flows = [
            Flow(mean, deviation, self.steps, self.hidden, self.kernels) for mean, deviation in prepared.found
        ]
        return FlowObjective(flows, self.taps)

    def trained_head(self, objective: Objective, prepared: Prepared[Statistics]) -> nn.Module:
        """The flows with score and map."""
        side = int(self.extractor().shapes[0][1])
        scoring = PatchScoring((side, side), (self.size, self.size), self.top, self.sigma)
        return FlowHead(objective.get_submodule("flows").children(), scoring)

    def check_parameters(self) -> None:
        """Refuse values that cannot be meant."""
        super().check_parameters()
        wrong = {
            "steps": not 1 <= self.steps <= 100,
            "hidden": not 0 < self.hidden <= 100,
            "kernels": len(self.kernels) < 1 or any(one < 1 or one % 2 == 0 for one in self.kernels),
            "top": not 0 <= self.top <= 1,
            "sigma": not 0 <= self.sigma <= self.size,
        }
        refuse(self, wrong)
