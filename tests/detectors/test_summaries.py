"""Every network's docstring has its summary, and the shapes in it are those that the network makes."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from blemish.detectors.distilled.efficientad_network import DescriptionAutoencoder, PatchDescription
from blemish.detectors.distilled.student_teacher_network import PixelStudent, ReverseStudent
from blemish.detectors.reconstruction.cae import ConvolutionalAutoencoderNetwork
from blemish.detectors.reconstruction.feature_autoencoder_network import FeatureAutoencoderNetwork
from blemish.detectors.reconstruction.ganomaly_network import GanomalyNetwork
from blemish.detectors.reconstruction.residual_autoencoder import ResidualAutoencoderNetwork
from blemish.detectors.reconstruction.ssim_autoencoder import HourglassAutoencoder
from blemish.detectors.reconstruction.vae import VariationalAutoencoderNetwork
from blemish.detectors.supervised.classifier_network import PlainTrunk
from blemish.detectors.supervised.supersimplenet_network import SuperSimpleHeads
from blemish.detectors.supervised.unet_network import PlainEncoder, SimpleUNet, UNetNetwork

Maps = tuple[int, int, int]


def image(size: int) -> Tensor:
    return torch.rand(1, 3, size, size)


def on_maps(network: nn.Module, *shapes: Maps) -> Any:
    return network(torch.empty(0), [torch.rand(1, *shape) for shape in shapes])


def both_sizes(network: nn.Module) -> Any:
    """The small network, and the medium one beside it in the table."""
    return [network(image(256)), network.medium(image(256))]


def pair_of_descriptions() -> nn.Module:
    network = PatchDescription("small", 384)
    network.medium = PatchDescription("medium", 384)
    return network


NETWORKS: dict[type[nn.Module], tuple[Callable[[], nn.Module], Callable[[Any], Any]]] = {
    ConvolutionalAutoencoderNetwork: (ConvolutionalAutoencoderNetwork, lambda network: network(image(128))),
    HourglassAutoencoder: (HourglassAutoencoder, lambda network: network(image(256))),
    ResidualAutoencoderNetwork: (ResidualAutoencoderNetwork, lambda network: network(image(224))),
    VariationalAutoencoderNetwork: (
        lambda: VariationalAutoencoderNetwork(128, 128),
        lambda network: network(image(128)),
    ),
    GanomalyNetwork: (lambda: GanomalyNetwork(128, 32, 100), lambda network: network(image(128))),
    FeatureAutoencoderNetwork: (
        lambda: FeatureAutoencoderNetwork(1536),
        lambda network: network(torch.rand(1, 1536, 28, 28)),
    ),
    PlainEncoder: (PlainEncoder, lambda network: network(image(256))),
    UNetNetwork: (
        lambda: UNetNetwork(PlainEncoder(), PlainEncoder.channels),
        lambda network: network(image(256)),
    ),
    SimpleUNet: (SimpleUNet, lambda network: network(image(256))),
    PlainTrunk: (PlainTrunk, lambda network: network(image(256))),
    PatchDescription: (pair_of_descriptions, both_sizes),
    DescriptionAutoencoder: (lambda: DescriptionAutoencoder(256, 384), lambda network: network(image(256))),
    PixelStudent: (
        lambda: PixelStudent("resnet18", (4, 8, 16), (256, 512, 1024)),
        lambda network: network(image(320), []),
    ),
    ReverseStudent: (
        lambda: ReverseStudent((24, 40, 112), 32),
        lambda network: on_maps(network, (24, 64, 64), (40, 32, 32), (112, 16, 16)),
    ),
    SuperSimpleHeads: (
        lambda: SuperSimpleHeads(152, 256, 64, 3),
        lambda network: network(network.adaptor(torch.rand(1, 152, 32, 32))),
    ),
}


@pytest.mark.parametrize("kind", NETWORKS, ids=lambda kind: kind.__name__)
def test_the_shapes_of_the_summary_are_those_of_the_network(kind: type[nn.Module]) -> None:
    make, run = NETWORKS[kind]
    network = make().eval()
    made: set[Maps] = set()

    def note(module: nn.Module, given: Any, returned: Any) -> None:
        for one in returned if isinstance(returned, list | tuple) else [returned]:
            if one.ndim == 4:
                made.add((one.shape[1], one.shape[2], one.shape[3]))

    for module in network.modules():
        module.register_forward_hook(note)
    with torch.no_grad():
        run(network)
    # The table is what stands between its first and its last line of equals signs.
    table = re.split(r"\n *=+  =[= ]*\n", kind.__doc__ or "", maxsplit=1)[-1].rsplit("==\n", 1)[0]
    written = [tuple(map(int, shape)) for shape in re.findall(r"(\d+) x (\d+) x (\d+)", table)]
    assert len(written) >= 2, "a summary without shapes"
    assert [shape for shape in written if shape not in made] == []
