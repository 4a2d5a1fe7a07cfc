"""The graph of an inspector with a memory bank: read patch by patch, and given more vectors or a head beside the bank.

The graph that judges is changed, not made again: so the frozen network in it stays what it was, bit for bit, and
neither its weights nor the training photographs are needed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

from blemish.core.errors import UsageError
from blemish.core.network import CompiledNetwork
from blemish.core.types import FloatArray
from blemish.detectors.memory.bounded_search import BoundedSearch
from blemish.line.artifact import NEAREST
from blemish.making.known_defect_head import SHARPNESS, KnownDefectHead

_BANK = (".to_bank.centre", ".to_bank.weight", ".to_bank.bias")
_SEARCH = ("directions", "joined", "joined_bias", "largest")
_TOLERANCE = 1e-3
_HEAD = "known_defects/"
_FIT_ANEW = "fit it anew on the photographs of good parts and the corrected ones, or only change its decision"


@dataclass(frozen=True)
class Patches:
    """What the frozen network makes of one photograph.

    Attributes:
        vectors: its patches as the bank holds them, float32 P x K, row by row.
        distances: of each to the bank, float32 h x w.
        offset: what photographs like this one score more than others, which is taken off every distance.
    """

    vectors: FloatArray
    distances: FloatArray
    offset: float


class BankGraph:
    """The graph `model.onnx` of an inspector that judges whole photographs by their distance to a memory bank.

    Args:
        model: its bytes.
        name: of the inspector, for errors.

    Attributes:
        bank: the stored vectors, float32 N x K.

    Raises:
        UsageError: it has no such bank, or makes more of a distance than this can follow.
    """

    def __init__(self, model: bytes, name: str) -> None:
        self._model, self._name = onnx.load_from_string(model), name
        held = {one.name: one for one in self._model.graph.initializer}
        found = [[known for known in held if known.endswith(end)] for end in _BANK]
        outputs = {one.name for one in self._model.graph.output}
        strange = any(".reweighting." in one or ".foreground." in one for one in held)
        if strange or NEAREST not in outputs or any(len(names) != 1 for names in found):
            raise self._refused("has no memory bank of good patches that can be added to")
        self._names = [names[0] for names in found]
        centre, weight, _ = (numpy_helper.to_array(held[one]) for one in self._names)
        self._centre = np.asarray(centre, np.float32).reshape(-1)
        self.bank = np.asarray(weight.reshape(len(weight), -1) / -2 + self._centre, np.float32)
        self._places = self._find_places()
        self._reader: CompiledNetwork | None = None
        self._scorer: CompiledNetwork | None = None

    def read(self, given: FloatArray) -> Patches:
        """Patches of what the network is given, float32 3 x H x W.

        Raises:
            UsageError: distances are of another kind than they are taken for.
        """
        if self._reader is None:
            self._reader = CompiledNetwork(self._inner())
        patches, distances, relative = self._reader(given[None])
        vectors = np.ascontiguousarray(np.asarray(patches)[0].reshape(patches.shape[1], -1).T)
        found = Patches(vectors, distances[0, 0], float(np.ravel(distances - relative)[0]))
        again = self.distances_to(found.vectors, self.bank).reshape(found.distances.shape)
        # Of patches that are in the bank the root is all rounding; its square is not.
        if np.abs(again**2 - found.distances**2).max() > _TOLERANCE * float(found.distances.max()) ** 2:
            raise self._refused("measures its distances in a way that corrections cannot follow")
        return found

    def distances_to(self, vectors: FloatArray, bank: FloatArray) -> FloatArray:
        """Euclidean distance of each vector, P x K, to the nearest of a bank's, N x K; infinite to none."""
        if not len(bank):
            return np.full(len(vectors), np.inf, np.float32)
        centred, others = vectors - self._centre, bank - self._centre
        squares = (others * others).sum(1)[None] - 2 * centred @ others.T
        nearest = squares.min(1) + (centred * centred).sum(1)
        return np.asarray(np.sqrt(np.maximum(nearest, 0)), np.float32)

    def score(self, distances: FloatArray, offset: float) -> tuple[float, FloatArray]:
        """Score and map of distances, h x w, as the graph makes them, without any head."""
        if self._scorer is None:
            self._scorer = CompiledNetwork(self._scoring(distances.shape))
        score, anomaly_map = self._scorer(np.asarray(distances - offset, np.float32)[None, None])
        return float(np.ravel(score)[0]), anomaly_map

    @property
    def head(self) -> KnownDefectHead | None:
        """The head of known defects that the graph has; what it was learnt from is the manifest's to say."""
        held = {one.name: numpy_helper.to_array(one) for one in self._model.graph.initializer}
        if f"{_HEAD}weights" not in held:
            return None
        return KnownDefectHead(held[f"{_HEAD}weights"], float(held[f"{_HEAD}bias"][0]), 0, 0.0)

    def changed(self, added: FloatArray, head: KnownDefectHead | None = None) -> bytes:
        """The graph with more vectors behind those of the bank, M x K, and a head beside it, instead of an earlier one.

        Args:
            added: M x K, may be none.
            head: of known defects; None for none.
        """
        model = onnx.ModelProto()
        model.CopyFrom(self._model)
        held = {one.name: one for one in model.graph.initializer}
        centred = np.concatenate([self.bank, added]) - self._centre if len(added) else None
        if centred is not None:
            own = dict(zip(self._names[1:], (-2 * centred, (centred * centred).sum(1)), strict=True))
            shaped = {name: array.reshape(-1, *held[name].dims[1:]) for name, array in own.items()}
            for name, array in (shaped | _searched(held, centred)).items():
                held[name].CopyFrom(numpy_helper.from_array(np.asarray(array, np.float32), name))
        _without_head(model)
        if head is not None:
            _add_head(model, head, self._places[0], self._places[1])
        onnx.checker.check_model(model)
        return bytes(model.SerializeToString())

    def _find_places(self) -> tuple[str, str, str]:
        """Names of the tensors of patches, distances, and distances less what is usual, on the way to the map."""
        nodes = _needed(self._model.graph, {"map"})
        patches = [n for n in nodes if n.op_type == "Sub" and list(n.input)[1:] == self._names[:1]]
        roots = [n.output[0] for n in nodes if n.op_type == "Sqrt" and n.name.split("/")[-2] == "to_bank"]
        if len(patches) != 1 or len(roots) != 1:
            raise self._refused("was made in a way that corrections cannot follow")
        less = [n.output[0] for n in nodes if n.op_type == "Sub" and n.input[0] == roots[0]]
        return patches[0].input[0], roots[0], less[0] if less else roots[0]

    def _inner(self) -> bytes:
        """The graph whose outputs are what is inside it: patches, distances, and these less what is usual."""
        model = onnx.ModelProto()
        model.CopyFrom(self._model)
        del model.graph.output[:]
        for number, inner in enumerate(self._places):
            outer = f"inner_{number}"  # one tensor may be two of them, and an output has a name of its own
            model.graph.node.append(helper.make_node("Identity", [inner], [outer]))
            model.graph.output.append(helper.make_tensor_value_info(outer, TensorProto.FLOAT, None))
        return bytes(model.SerializeToString())

    def _scoring(self, grid: tuple[int, ...]) -> bytes:
        """The part of the graph from distances less what is usual, 1 x 1 x h x w, to score and map."""
        model = onnx.ModelProto()
        model.CopyFrom(self._model)
        _without_head(model)
        graph, start = model.graph, self._places[2]
        kept = _needed(graph, {"score", "map"}, start)
        wanted = {name for node in kept for name in node.input}
        outputs = [one for name in ("score", "map") for one in graph.output if one.name == name]
        part = helper.make_graph(
            kept,
            "scoring",
            [helper.make_tensor_value_info(start, TensorProto.FLOAT, [1, 1, *grid])],
            outputs,
            [one for one in graph.initializer if one.name in wanted],
        )
        return bytes(helper.make_model(part, opset_imports=model.opset_import).SerializeToString())

    def _refused(self, what: str) -> UsageError:
        return UsageError(f"{self._name} {what}: {_FIT_ANEW}.")


def _searched(held: Mapping[str, TensorProto], centred: FloatArray) -> dict[str, FloatArray]:
    """What a search by bounds holds of a bank, N x K centred, by the names that the graph has for it; nothing where the
    graph compares with all vectors."""
    names = {kind: [one for one in held if one.endswith(f".to_bank.search.{kind}")] for kind in _SEARCH}
    if not names["directions"]:
        return {}
    bank, directions = (
        torch.from_numpy(np.array(one, np.float32))
        for one in (centred, numpy_helper.to_array(held[names["directions"][0]]))
    )
    found = dict(BoundedSearch(bank, directions).named_buffers())
    return {name: found[kind].numpy() for kind in _SEARCH for name in names[kind]}


def _needed(graph: onnx.GraphProto, names: set[str], start: str = "") -> list[onnx.NodeProto]:
    """The nodes that tensors of these names are computed by, in order, as far back as that called `start`."""
    wanted, kept = set(names), []
    for node in reversed(graph.node):
        if wanted & set(node.output) and start not in node.output:
            kept.append(node)
            wanted |= set(node.input)
    return kept[::-1]


def _without_head(model: onnx.ModelProto) -> None:
    """Take an earlier head of known defects off, and let the score be the bank's again."""
    own = f"{_HEAD}bank_score"
    if not any(own in node.output for node in model.graph.node):
        return
    kept = [node for node in model.graph.node if not node.name.startswith(_HEAD)]
    for node in kept:
        for place, name in enumerate(node.output):
            if name == own:
                node.output[place] = "score"
    weights = [one for one in model.graph.initializer if not one.name.startswith(_HEAD)]
    del model.graph.node[:], model.graph.initializer[:]
    model.graph.node.extend(kept)
    model.graph.initializer.extend(weights)


def _add_head(model: onnx.ModelProto, head: KnownDefectHead, patches: str, distances: str) -> None:
    """The score becomes the bank's and what the head makes of the farthest patches."""
    own = f"{_HEAD}bank_score"
    for one in model.graph.node:
        for names in (one.input, one.output):
            for place, name in enumerate(names):
                if name == "score":
                    names[place] = own
    said: list[onnx.NodeProto] = []

    def node(kind: str, inputs: Sequence[str], name: str, **more: Any) -> str:
        said.append(helper.make_node(kind, list(inputs), [name], name=name, **more))
        return name

    def constant(name: str, values: Any, kind: Any = np.float32) -> str:
        array = np.asarray(values, kind)
        model.graph.initializer.append(numpy_helper.from_array(array, f"{_HEAD}{name}"))
        return f"{_HEAD}{name}"

    flat = node("Reshape", [distances, constant("flat", [-1], np.int64)], f"{_HEAD}distances")
    columns = constant("columns", [head.columns, -1], np.int64)
    vectors = node("Reshape", [patches, columns], f"{_HEAD}patches")
    farthest = node("ReduceMax", [flat], f"{_HEAD}farthest", keepdims=1)
    share = node(
        "Div", [flat, node("Max", [farthest, constant("least", [1e-12])], f"{_HEAD}most")], f"{_HEAD}share"
    )
    sharp = node("Mul", [share, constant("sharpness", [SHARPNESS])], f"{_HEAD}sharp")
    counted = node("Softmax", [sharp], f"{_HEAD}counted", axis=0)
    pooled = node("MatMul", [vectors, counted], f"{_HEAD}pooled")
    weighed = node("Mul", [pooled, constant("weights", head.weights)], f"{_HEAD}weighed")
    logit = node("ReduceSum", [weighed, constant("axes", [0], np.int64)], f"{_HEAD}sum", keepdims=1)
    value = node("Add", [logit, constant("bias", [head.bias])], f"{_HEAD}value")
    raised = node("Relu", [value], f"{_HEAD}raised")  # what it knows nothing of is the bank's alone
    said.append(helper.make_node("Add", [own, raised], ["score"], name=f"{_HEAD}score"))
    model.graph.node.extend(said)
