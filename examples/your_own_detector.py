"""A detector of your own: how far every pixel is from what it usually is, in standard deviations.

The command line finds it too, where PYTHONPATH names its folder, as `--detector your_own_detector:PixelDeviation`.
"""

import dataclasses
import sys
from pathlib import Path

import torch
from torch import Tensor, nn

import blemish as bl


class DeviationNetwork(nn.Module):
    """What the line runs, as ONNX: a 1 x 3 x H x W image in, score (1) and map (H x W) out."""

    def __init__(self, mean: Tensor, deviation: Tensor) -> None:
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("deviation", deviation)
        self.smooth = nn.AvgPool2d(9, stride=1, padding=4, count_include_pad=False)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Score and map of an image."""
        deviations = ((image - self.mean) / self.deviation).abs().mean(1, keepdim=True)
        anomaly_map = self.smooth(deviations)[0, 0]
        return anomaly_map.amax().reshape(1), anomaly_map


@bl.register("pixel-deviation", summary="Deviation of every pixel from the mean of good parts.")
@dataclasses.dataclass
class PixelDeviation(bl.Detector):
    """Parts that lie still: mean and standard deviation of every pixel over the good photographs."""

    floor: float = 0.02

    def learn(self, catalog: bl.Catalog) -> None:
        """Keep mean and deviation; what is learnt ends in `_`."""
        planes = torch.stack([torch.from_numpy(self.read_input(path)) for path in bl.normal_images(catalog)])
        self.mean_ = planes.mean(0)
        self.deviation_ = planes.std(0).clamp(min=self.floor)

    def network(self) -> nn.Module:
        """The fitted detector; prediction, export and parity check all run it."""
        return DeviationNetwork(bl.require_fitted(self, "mean_"), self.deviation_)


if __name__ == "__main__":
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "runs/examples/your-own-detector")
    bl.check_detector(PixelDeviation(size=64))  # the same checks that Blemish's own detectors pass
    print("It keeps the contract.")
    (boards,) = bl.write_sample_line(folder / "sample-line", ("board",), 24, 8, 2, size=128)
    inspector = bl.fit(boards, folder / "board.blemish", detector="pixel-deviation", size=128)
    print(inspector, bl.evaluate(inspector, boards), sep="\n")
    compared = bl.benchmark(boards, ["pixel-deviation", "knn"], folder / "benchmark", size=128)
    print(compared.to_pandas()[["detector", "image_auroc"]].to_string(index=False))
