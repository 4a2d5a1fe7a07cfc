"""Vision transformers as backbones: what timm itself says of them, at other sizes, from files of their authors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from torch import Tensor

from blemish.core.errors import BlemishError, UsageError
from blemish.core.network import CompiledNetwork
from blemish.features.backbones import load_backbone, transformer_of
from blemish.features.extraction import FeatureExtractor
from blemish.features.onnx_export import to_onnx
from blemish.features.together import union_extractors
from blemish.features.transformers import Transformer

SMALL = "test_vit"  # timm's own for tests: 6 blocks of 64 channels, patches of 16 pixels
DINOV2 = "vit_small_patch14_dinov2"
REGISTERS = "vit_small_patch14_reg4_dinov2"


def native(name: str, **arguments: Any) -> Any:
    """timm's own network with random weights, the same each time."""
    torch.manual_seed(1)
    return timm.create_model(name, pretrained=False, **arguments).eval()


def written(state: dict[str, Tensor], path: Path) -> Path:
    """A file of weights as their authors give them; of the blocks only the first, or tests would write for long."""
    kept = {name: value for name, value in state.items() if not name.startswith("blocks.") or ".0." in name}
    torch.save(kept, path)
    return path


@pytest.mark.parametrize(
    ("name", "taps", "size"),
    [
        (SMALL, (-4, -1), 144),
        ("test_vit2", (-8, -3, -1), 64),  # no class token
        ("test_vit3", (-9, -1), 160),
        (DINOV2, (-12,), 84),
        (REGISTERS, (-12,), 70),
        ("deit_tiny_distilled_patch16_224", (-12, -11), 96),
        ("vit_small_patch16_dinov3", (-12,), 96),  # rotary embeddings
        ("eva02_tiny_patch14_224", (-12, -11), 84),  # rotary and absolute ones
    ],
)
def test_taps_are_those_of_timm_with_position_embeddings_resampled_at_run_time(
    name: str, taps: tuple[int, ...], size: int, tmp_path: Path
) -> None:
    model = native(name, dynamic_img_size=True)
    torch.save(model.state_dict(), tmp_path / "weights.pth")
    backbone = load_backbone(name, taps, tmp_path / "weights.pth", size=size)
    images = torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(2))
    blocks = [len(model.blocks) + tap for tap in taps]
    with torch.inference_mode():
        found = backbone(images)
        if hasattr(model, "get_intermediate_layers"):
            expected = model.get_intermediate_layers(images, n=blocks, reshape=True, norm=True)
        else:
            expected = model.forward_intermediates(images, indices=blocks, norm=True, intermediates_only=True)
    assert len(found) == len(taps) == len(backbone.strides)
    for one, other, channels, stride in zip(
        found, expected, backbone.channels, backbone.strides, strict=True
    ):
        assert one.shape == (2, channels, size // stride, size // stride)
        assert (one - other).abs().max() < 1e-5


@pytest.mark.parametrize("name", [DINOV2, REGISTERS])
def test_weights_are_read_under_the_names_of_meta(name: str, tmp_path: Path) -> None:
    model = native(name)
    state = dict(model.state_dict())
    state["mask_token"] = torch.zeros(1, 384)
    if name == REGISTERS:  # Meta adds a position to the class token; timm has it added already
        position = torch.randn(1, 1, 384)
        state["register_tokens"] = state.pop("reg_token")
        state["cls_token"] = state["cls_token"] - position
        state["pos_embed"] = torch.cat([position, state["pos_embed"]], 1)
    backbone = load_backbone(name, (-12,), written(state, tmp_path / "dinov2_vits14_pretrain.pth"), size=98)
    images = torch.randn(1, 3, 98, 98)
    model.set_input_size((98, 98))
    with torch.inference_mode():
        (found,) = backbone(images)
        (expected,) = model.get_intermediate_layers(images, n=[0], reshape=True, norm=True)
    assert (found - expected).abs().max() < 1e-5


def test_weights_kept_under_model_are_found(tmp_path: Path) -> None:
    torch.save({"model": native(SMALL).state_dict()}, tmp_path / "deit.pth")
    torch.save(native(SMALL).state_dict(), tmp_path / "plain.pth")
    around, plain = (load_backbone(SMALL, (-1,), tmp_path / name) for name in ("deit.pth", "plain.pth"))
    assert around.weights_digest == plain.weights_digest


@pytest.mark.parametrize("other", ["test_vit2", "test_resnet.r160_in1k"])
def test_weights_of_another_network_are_refused(other: str, tmp_path: Path) -> None:
    torch.save(native(other).state_dict(), tmp_path / "other.pth")
    with pytest.raises(BlemishError, match=f"do not fit {SMALL}.*this very network"):
        load_backbone(SMALL, (-1,), tmp_path / "other.pth", size=128)


def test_what_is_known_without_weights() -> None:
    assert transformer_of(DINOV2) == Transformer(14, 12, 384, 518, resizable=True)
    assert (
        transformer_of("resnet18")
        is transformer_of("efficientnet_lite0")
        is transformer_of("nothing")
        is None
    )
    small, dinov2 = transformer_of(SMALL), transformer_of(DINOV2)
    assert small is not None and dinov2 is not None
    assert (dinov2.usual_size, small.usual_size) == (448, 448)
    assert (dinov2.usual_taps(), dinov2.usual_taps(4)) == ((-1,), (-10, -7, -4, -1))
    assert (dinov2.possible_size(128), dinov2.possible_size(1), dinov2.possible_size(9999)) == (126, 70, 2044)


@pytest.mark.parametrize(
    ("name", "taps", "size", "sentence"),
    [
        (DINOV2, (-1,), 352, r"size=352 is not possible with vit_small_patch14_dinov2.*choose 350 or 364"),
        (DINOV2, (-1,), 14, r"choose 70, or another multiple of 14 from 64 to 2048"),
        (DINOV2, (8, 16), 448, r"strides such as 8, 16: choose taps from -1, its last block, to -12"),
        (DINOV2, (-13,), 448, r"to -12"),
        (DINOV2, (), 448, r"none: choose taps"),
        ("mixer_s16_224", (-1,), 352, r"reads one size alone: choose 224"),
    ],
)
def test_what_cannot_be_is_refused_in_one_sentence(
    name: str, taps: tuple[int, ...], size: int, sentence: str
) -> None:
    with pytest.raises(UsageError, match=sentence):
        load_backbone(name, taps, pretrained=False, size=size)


def test_a_network_that_cannot_read_a_size_says_so_and_gives_channels_first() -> None:
    """Swin has stages, each of its own stride, and gives N x H x W x channels."""
    backbone = load_backbone("swin_tiny_patch4_window7_224", (8, 16), pretrained=False)
    extractor = FeatureExtractor(backbone, backbone.preprocessing(224, 224))
    assert extractor.shapes == [(192, 28, 28), (384, 14, 14)]
    with pytest.raises(UsageError, match=r"swin_tiny.* cannot read 352 x 352 pixels"):
        FeatureExtractor(backbone, backbone.preprocessing(352, 352))


def test_the_exported_network_says_the_same_and_names_its_blocks() -> None:
    torch.manual_seed(0)
    backbone = load_backbone("eva02_tiny_patch14_224", (-12, -11), pretrained=False, size=84)
    assert [backbone.tap_name(tap) for tap in backbone.taps] == ["block1", "block2"]
    images = torch.randn(1, 3, 84, 84)
    compiled = CompiledNetwork(to_onnx(backbone, torch.zeros(1, 3, 84, 84), ["one", "two"]))
    for found, expected in zip(compiled(images.numpy()), backbone(images), strict=True):
        assert abs(found.reshape(expected.shape) - expected.numpy()).max() < 1e-3


def test_a_tap_is_one_feature_wherever_the_network_is_cut(tmp_path: Path) -> None:
    torch.save(native(SMALL).state_dict(), tmp_path / "weights.pth")
    several, one, other = (
        load_backbone(SMALL, taps, tmp_path / "weights.pth", size=size)
        for taps, size in (((-4, -3, -1), 64), ((-3,), 64), ((-3,), 80))
    )
    assert several.tap_digest(-3) == one.tap_digest(-3) != several.tap_digest(-4)
    extractors = [FeatureExtractor(net, net.preprocessing(64, 64)) for net in (one, several)]
    assert [served for _, served in union_extractors(extractors)] == [[1, 0]]
    assert other.strides == one.strides == (16,)
