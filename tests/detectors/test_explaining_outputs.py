"""What detectors give besides score and map: attention by types against torch's gradients, and reconstructions."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from blemish.core.network import CompiledNetwork
from blemish.detectors.reconstruction.cae import ConvolutionalAutoencoderNetwork
from blemish.detectors.reconstruction.ganomaly import GanomalyHead
from blemish.detectors.reconstruction.ganomaly_network import GanomalyNetwork
from blemish.detectors.reconstruction.head import ReconstructionHead, Shown
from blemish.detectors.reconstruction.residual_autoencoder import ResidualAutoencoderNetwork
from blemish.detectors.reconstruction.vae import VariationalAutoencoderNetwork
from blemish.detectors.registry import create_detector
from blemish.detectors.supervised.classifier_network import (
    AttentiveClassifier,
    ClassifierHead,
    PlainTrunk,
    TrunkWithHead,
    pool,
)
from blemish.features.onnx_export import to_onnx

NAMES = ("good", "hole", "scratch", "stain")


def head_of(names: tuple[str, ...], size: int) -> ClassifierHead:
    """A head for maps of 128 channels at strides 8 and 16, with weights and statistics as after a training."""
    torch.manual_seed(0)
    head = ClassifierHead((128, 128), (size // 8, size // 16), size, names).eval()
    nn.init.normal_(head.linear.weight, std=0.1)
    nn.init.normal_(head.linear.bias)
    head.norm.running_mean.normal_()
    head.norm.running_var.uniform_(0.5, 2)
    return head


def gradient_weighted(head: ClassifierHead, maps: list[Tensor], kind: int) -> Tensor:
    """Grad-CAM by torch's own gradients of log P(kind) - log P(good), on the finest map's grid, without a ReLU."""
    maps = [one.detach().requires_grad_(True) for one in maps]
    logits = head.logits(pool(maps))[0]
    (logits[kind] - logits[0]).backward()
    shown = torch.zeros(maps[0].shape[2:])
    for one in maps:
        assert one.grad is not None
        importance = one.grad[0].sum((1, 2))
        local = (one - one.mean((2, 3), keepdim=True))[0].detach()
        coarse = torch.einsum("c,chw->hw", importance, local)[None, None]
        shown += F.interpolate(coarse, shown.shape, mode="bilinear", align_corners=False)[0, 0]
    return shown


@pytest.mark.parametrize("names", [("good", "defective"), NAMES])
def test_attention_is_grad_cam_by_torchs_gradients(names: tuple[str, ...]) -> None:
    head = head_of(names, 64)
    maps = [torch.randn(1, 128, side, side) for side in (8, 4)]
    with torch.no_grad():
        attention = head.attention(maps)
        logits, shown, _ = head.explained(maps)
    assert attention.shape == (len(names) - 1, 8, 8)
    for kind, mine in enumerate(attention, 1):
        expected = gradient_weighted(head, maps, kind)
        assert torch.allclose(mine, expected, atol=1e-4 * float(expected.abs().max()))
    # Weighted with the shares of the types it is the score's map, which is Grad-CAM of the log odds of any defect.
    mean = torch.einsum("k,khw->hw", torch.softmax(logits[0, 1:], 0), attention)
    parts = [
        torch.nn.functional.interpolate(one[None], size=(64, 64), mode="bilinear") for one in mean[None, None]
    ]
    finer = parts[0][0, 0]
    inside = (slice(8, -8), slice(8, -8))
    correlation = np.corrcoef(finer[inside].numpy().ravel(), shown[inside].numpy().ravel())[0, 1]
    assert correlation > 0.97, "the same map, one enlarged in two steps"


@pytest.mark.parametrize("mirrored", [False, True])
def test_the_graph_gives_attention_of_all_copies(mirrored: bool) -> None:
    torch.manual_seed(1)
    network = TrunkWithHead(PlainTrunk(), head_of(NAMES, 64), mirrored).eval()
    image = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        logits, shown, features = network.explained(image)
        *same, attention = network.attended(image)
        copies = [
            network.head.attention(network.trunk(image.flip(one) if one else image))
            for one in network.mirrors
        ]
    for mine, theirs in zip(same, (logits, shown, features), strict=True):
        assert torch.equal(mine, theirs)
    upright = [
        one.flip(mirror) if mirror else one for one, mirror in zip(copies, network.mirrors, strict=True)
    ]
    assert torch.allclose(attention, torch.stack(upright).mean(0).clamp(min=0), atol=1e-5)
    assert len(copies) == (4 if mirrored else 1) and float(attention.min()) == 0 < float(attention.max())
    model = to_onnx(AttentiveClassifier(network), torch.zeros(1, 3, 64, 64), ("score", "map", "attention"))
    *_, exported = CompiledNetwork(model)(image.numpy())
    assert np.allclose(exported, attention.numpy(), atol=1e-3 * float(attention.max()))
    assert list(CompiledNetwork(model, outputs=("score", "map")).outputs) == ["score", "map"]


HEADS = {
    "squared": lambda: ReconstructionHead(ConvolutionalAutoencoderNetwork(), "squared", 64, 2.0, 0.01),
    "mean of all": lambda: ReconstructionHead(ConvolutionalAutoencoderNetwork(), "mixed", 64, 0.0, 1.0),
    "border": lambda: ReconstructionHead(ResidualAutoencoderNetwork(), "squared", 64, 2.0, 0.01, border=8),
    "edges": lambda: ReconstructionHead(
        VariationalAutoencoderNetwork(64, 8), "squared", 64, 2.0, 0.01, edges=2.0
    ),
    "generator": lambda: GanomalyHead(GanomalyNetwork(64, 4, 8), 64, 2.0),
}


@pytest.mark.parametrize("kind", HEADS)
def test_the_reconstruction_is_what_the_autoencoder_gives(kind: str) -> None:
    torch.manual_seed(2)
    head, image = HEADS[kind]().eval(), torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        score, anomaly_map = head(image)
        *same, reconstruction = Shown(head)(image)
        drawn = head.generator(image)[0] if kind == "generator" else head.autoencoder(image)
    assert torch.equal(same[0], score) and torch.equal(same[1], anomaly_map)
    assert torch.equal(reconstruction, drawn) and reconstruction.shape == image.shape
    assert float(reconstruction.min()) >= 0 and float(reconstruction.max()) <= 1


def test_who_reconstructs_pixels_says_so() -> None:
    drawing = ("cae", "ssim-autoencoder", "residual-autoencoder", "vae", "ganomaly")
    assert {create_detector(name).explains for name in drawing} == {("reconstruction",)}
    assert create_detector("classifier").explains == ("attention",)
    for name in ("feature-autoencoder", "patchcore", "unet"):
        assert create_detector(name).explains == ()
