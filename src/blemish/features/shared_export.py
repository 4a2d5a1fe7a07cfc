"""A frozen backbone is exported and compiled once; a graph that begins with it takes it over as it is.

To trace a backbone is most of an export, and detectors share few backbones: each fit would trace the same one again.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

import onnx
import torch
from torch import Tensor, nn

from blemish.core.network import CompiledNetwork, usual_threads
from blemish.features.backbones import Backbone, weights_digest_of

Shape = tuple[int, ...]
Trace = Callable[[nn.Module, Sequence[Tensor], Sequence[str], Sequence[str]], bytes]
"""Module, inputs, their names and those of the outputs; ONNX."""

LARGEST_BYTES = 32 * 2**20
"""Weights of a backbone that is kept beside them as a graph: once more as much memory for as long as it is in use."""

_MOST_SHAPES = 3


@dataclass(frozen=True)
class _Exported:
    """A backbone as a graph for one shape of photographs, and compiled for a number of threads."""

    model: bytes
    weights: str
    shapes: tuple[Shape, ...]
    compiled: dict[int | None, CompiledNetwork] = field(default_factory=dict)


_known: WeakKeyDictionary[Backbone, dict[Shape, _Exported]] = WeakKeyDictionary()


def shareable(module: nn.Module) -> bool:
    """Whether a module is a frozen backbone as it was loaded, and small enough to be kept as a graph too."""
    if type(module) is not Backbone or module.training:
        return False
    parameters = list(module.parameters())
    size = sum(one.numel() * one.element_size() for one in parameters)
    return size <= LARGEST_BYTES and not any(one.requires_grad or one.is_cuda for one in parameters)


def compiled_once(backbone: Backbone, example: Tensor, trace: Trace) -> CompiledNetwork:
    """A shareable backbone, compiled for as many threads as this process uses; several detectors may share it."""
    exported, threads = _exported(backbone, example, trace), usual_threads()
    found = exported.compiled.get(threads)
    if found is None:
        for others in _known[backbone].values():
            others.compiled.clear()  # it holds memory for all that it computes: only that of the shape in use is kept
        found = exported.compiled[threads] = CompiledNetwork(exported.model)
    return found


def exported_behind_backbones(
    module: nn.Module, example: Tensor, outputs: Sequence[str], trace: Trace
) -> bytes | None:
    """A module as ONNX, in which only what follows its backbones was traced; None where it must be traced whole.

    Args:
        module: in eval mode.
        example: an input of the shape that will be used; it is named `image`.
        outputs: a name for each output.
        trace: exports what it is given as it is.
    """
    backbones = [one for one in module.modules() if isinstance(one, Backbone) and shareable(one)]
    if not backbones:
        return None
    held: dict[int, Any] = {id(one): one for one in (*module.parameters(), *module.buffers())}
    places = [_Place(one, example, trace) for one in backbones]
    held |= {id(one): place for one, place in zip(backbones, places, strict=True)}
    behind = copy.deepcopy(
        module, held
    )  # of its own but for weights and backbones: others may use the module now
    try:
        behind(example)
    except _OfSomethingElseError:
        return None
    used = [place for place in places if place.maps]
    names = [
        [f"backbone{number}_tap{tap}" for tap in range(len(place.maps))] for number, place in enumerate(used)
    ]
    inputs = [example, *(one for place in used for one in place.maps)]
    model = trace(
        _Behind(behind, used), inputs, ["image", *(name for taps in names for name in taps)], outputs
    )
    whole = onnx.load_from_string(model)
    for number, (place, taps) in enumerate(zip(used, names, strict=True)):
        _put_in_front(whole, place.model, taps, f"backbone{number}/")
    return bytes(whole.SerializeToString())


class _OfSomethingElseError(Exception):
    """A backbone is given something else than the photograph."""


class _Place(nn.Module):
    """Stands where a backbone was, and gives what it is told to give."""

    def __init__(self, backbone: Backbone, expected: Tensor, trace: Trace) -> None:
        super().__init__()
        # In a list: as an attribute it would be a part of what is traced.
        self._stands_for = [backbone]
        self._trace, self.expected = trace, expected
        self.maps: Sequence[Tensor] = ()
        self.model = b""

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(self.__dict__["_stands_for"][0], name)

    def forward(self, images: Tensor) -> list[Tensor]:
        if images is not self.expected:
            raise _OfSomethingElseError
        if not self.maps:  # not before it is known that the backbone is given the photograph itself
            exported = _exported(self._stands_for[0], images, self._trace)
            self.model, self.maps = exported.model, [torch.zeros(shape) for shape in exported.shapes]
        return list(self.maps)


class _Behind(nn.Module):
    """What follows the backbones: photograph and feature maps in."""

    def __init__(self, module: nn.Module, places: Sequence[_Place]) -> None:
        super().__init__()
        self.module, self._places = module, list(places)

    def forward(self, image: Tensor, *maps: Tensor) -> Any:
        rest = list(maps)
        for place in self._places:
            place.expected, count = image, len(place.maps)
            place.maps, rest = rest[:count], rest[count:]
        return self.module(image)


def _put_in_front(whole: onnx.ModelProto, front: bytes, outputs: Sequence[str], prefix: str) -> None:
    """Let a graph compute what another has left open: both begin with `image`.

    Args:
        whole: is changed in its place.
        front: ONNX whose outputs become the values `outputs`, in order.
        outputs: names of values that `whole` uses and does not compute.
        prefix: goes in front of all other names of `front`.
    """
    graph = onnx.load_from_string(front).graph
    del whole.graph.input[:]
    whole.graph.input.extend(graph.input)
    given: dict[str, str] = {graph.input[0].name: graph.input[0].name, "": ""}
    given |= {one.name: name for one, name in zip(graph.output, outputs, strict=True)}

    def renamed(name: str) -> str:
        return given.get(name, prefix + name)

    for node in graph.node:
        node.name = prefix + node.name
        node.input[:] = [renamed(name) for name in node.input]
        node.output[:] = [renamed(name) for name in node.output]
    for weight in graph.initializer:
        weight.name = renamed(weight.name)
    behind = list(whole.graph.node)
    del whole.graph.node[:]
    whole.graph.node.extend([*graph.node, *behind])
    whole.graph.initializer.extend(graph.initializer)


def _exported(backbone: Backbone, example: Tensor, trace: Trace) -> _Exported:
    by_shape, shape = _known.setdefault(backbone, {}), tuple(example.shape)
    weights = weights_digest_of(backbone.network)
    known = by_shape.get(shape)
    if known is None or known.weights != weights:
        names = [f"tap{number}" for number in range(len(backbone.taps))]
        model = trace(backbone, [example], ["image"], names)
        known = _Exported(model, weights, tuple(tuple(one.shape) for one in backbone(example)))
        by_shape.pop(shape, None)
        while len(by_shape) >= _MOST_SHAPES:
            by_shape.pop(next(iter(by_shape)), None)
        by_shape[shape] = known
    return known
