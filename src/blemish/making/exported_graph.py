"""One ONNX graph of all that an inspector does: from a photograph's pixels to score, map, p-value and verdict.

The resize is Pillow's, pass by pass: two products with matrices of its filter, rounded to whole numbers after each. So
the graph needs no operator that every runtime has in its own way, and takes photographs of any size.

References:
    Pillow, src/libImaging/Resample.c.
    ONNX operators, opset 17: https://onnx.ai/onnx/operators/.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnx.utils import Extractor

from blemish.core.errors import UsageError
from blemish.core.types import BoolArray
from blemish.features.onnx_export import OPSET
from blemish.line.artifact import MODEL, Artifact
from blemish.line.manifest import Manifest
from blemish.view.preprocessing import Preprocessing, look
from blemish.view.regions import covered

PHOTOGRAPH, P_VALUE, VERDICT = "photograph", "p_value", "verdict"
VERDICTS = ("pass", "review", "reject")
"""Words of the verdict's numbers."""

Filter = Literal["bilinear", "bicubic", "lanczos"]
_REACH: dict[Filter, float] = {"bilinear": 1.0, "bicubic": 2.0, "lanczos": 3.0}
_BITS, _HALF_BITS = 22, 11
"""Of a weight of Pillow's behind the point, and of its lower half."""

_IR_VERSION = 8
"""Of opset 17: runtimes of that time refuse a newer one."""

_SCORE, _MAP, _WHOLE_MAP = "score", "map", "whole_map"


def exported_graph(artifact: Artifact) -> onnx.ModelProto:
    """The graph: `photograph`, uint8 RGB H x W x 3, in; the network's outputs, `p_value` and `verdict` out.

    H and W are free, but where regions are ignored: then photographs are of the size that these were drawn on.
    `p_value` (float32) and `verdict` (int32, a place in `VERDICTS`) have one element.

    Raises:
        UsageError: the inspector does what this graph cannot; the sentence says what.
    """
    manifest = artifact.manifest
    require_exportable(manifest)
    judged = list(manifest.detector.outputs)
    whole = onnx.load_model_from_string(artifact.content(MODEL))
    (entry,) = (one.name for one in whole.graph.input)
    network = Extractor(whole).extract_model([entry], judged).graph
    counted = _counted(manifest.preprocessing, _map_shape(network))
    nodes = _Nodes()
    _look_at(nodes, manifest.preprocessing, entry)
    nodes.extend(network, {_MAP: _WHOLE_MAP} if counted is not None else {})
    if counted is not None:
        _only_counted(nodes, counted)
    _decide(nodes, artifact)
    return _model(nodes, network, manifest)


def require_exportable(manifest: Manifest) -> None:
    """Refuse an inspector of which one graph cannot do all.

    Raises:
        UsageError: it reads rows of features or tiles, cuts parts out, aligns, seeks the part on its ground, or was
            told after the fit to look at less.
    """
    contract, view = manifest.preprocessing, manifest.preprocessing.view
    if manifest.features is not None:
        raise _refused(manifest, f"reads {manifest.features.name} features, which are no picture")
    if contract.tiled:
        raise _refused(manifest, "reads photographs in tiles")
    if view is None:
        return
    for does, what in (
        (view.parts, "cuts several parts out of a photograph"),
        (view.alignment, "brings parts to their place first"),
        (view.foreground, "seeks the part on its ground first"),
        (view.ignored_later, "was narrowed after it was fitted: fit it anew with --ignore"),
    ):
        if does is not None:
            raise _refused(manifest, what)


def _refused(manifest: Manifest, what: str) -> UsageError:
    return UsageError(f"{manifest.name} {what}, and no graph of one piece can: use blemish inspect or serve.")


class _Nodes:
    """Nodes and constants of a graph, in the order in which they are computed."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self._count = 0

    def constant(self, values: npt.ArrayLike, dtype: npt.DTypeLike = np.float32) -> str:
        """The name of an array."""
        name = self._name("constant")
        self.constants.append(numpy_helper.from_array(np.asarray(values, dtype), name))
        return name

    def add(self, operator: str, *inputs: str, output: str | None = None, **attributes: Any) -> str:
        """The name of what an operator makes of its inputs: `output`, or one of its own."""
        name = output or self._name(operator)
        self.nodes.append(helper.make_node(operator, list(inputs), [name], name=name, **attributes))
        return name

    def extend(self, graph: onnx.GraphProto, renamed: dict[str, str]) -> None:
        """All of another graph, whose input has been computed here; some of its values under other names."""
        for node in graph.node:
            for names in (node.input, node.output):
                names[:] = [renamed.get(name, name) for name in names]
        self.nodes.extend(graph.node)
        self.constants.extend(graph.initializer)

    def _name(self, kind: str) -> str:
        self._count += 1
        return f"blemish/{kind}_{self._count}"


def _look_at(nodes: _Nodes, contract: Preprocessing, output: str) -> None:
    """From the photograph to the network's input, 1 x 3 x height x width."""
    pixels = nodes.add("Cast", PHOTOGRAPH, to=TensorProto.FLOAT)
    if contract.view is not None and contract.view.regions is not None:
        width, height = contract.view.photograph
        learnt = contract.view.regions.counted((width, height), (width, height))
        colour = nodes.constant(np.asarray(contract.filling, np.float32))
        pixels = nodes.add("Where", nodes.constant(learnt[..., None], np.bool_), pixels, colour)
    planes = nodes.add("Transpose", pixels, perm=[2, 0, 1])
    size = nodes.add("Shape", PHOTOGRAPH)
    across = _resampling(nodes, _side(nodes, size, 1), contract.width, contract.interpolation)
    down = _resampling(nodes, _side(nodes, size, 0), contract.height, contract.interpolation)
    # Across first, as Pillow does: it rounds in between.
    turned = [nodes.add("Transpose", half, perm=[1, 0]) for half in across]
    narrow = _summed(nodes, [nodes.add("MatMul", planes, half) for half in turned])
    small = _summed(nodes, [nodes.add("MatMul", half, narrow) for half in down])
    mean, std = (np.asarray(one, np.float32)[:, None, None] for one in (contract.mean, contract.std))
    level = nodes.add("Sub", small, nodes.constant(mean))
    # Times the inverse, as `standardise` does.
    given = nodes.add("Mul", level, nodes.constant(np.float32(1) / std))
    nodes.add("Unsqueeze", given, nodes.constant([0], np.int64), output=output)


def _side(nodes: _Nodes, size: str, axis: int) -> str:
    """One of the photograph's sides, an int64 scalar."""
    return nodes.add("Gather", size, nodes.constant(axis, np.int64), axis=0)


def _summed(nodes: _Nodes, halves: list[str]) -> str:
    """Pixels of the sums by the two halves of the weights, rounded and cut to 0 to 255, as Pillow's whole numbers."""
    upper, lower = (nodes.add("Cast", half, to=TensorProto.INT32) for half in halves)
    sums = nodes.add("Add", nodes.add("Mul", upper, _integer(nodes, 2**_HALF_BITS)), lower)
    rounded = nodes.add("Add", sums, _integer(nodes, 2 ** (_BITS - 1)))
    # What is below zero is cut anyway, whichever way it is rounded.
    pixels = nodes.add("Cast", nodes.add("Div", rounded, _integer(nodes, 2**_BITS)), to=TensorProto.FLOAT)
    return nodes.add("Clip", pixels, nodes.constant(0.0), nodes.constant(255.0))


def _integer(nodes: _Nodes, value: int) -> str:
    return nodes.constant(value, np.int32)


def _resampling(nodes: _Nodes, side: str, target: int, name: Filter) -> tuple[str, str]:
    """The matrix `target` x side of a resize, the identity where both are the same, in two halves.

    A weight of Pillow's is a whole number of 2^-22. Its upper and lower bits apart, products with pixels and their sums
    are whole numbers that float32 holds exactly: so every runtime makes the same picture, to the last bit.
    """
    double = np.float64
    length = nodes.add("Cast", side, to=TensorProto.DOUBLE)
    scale = nodes.add("Div", length, nodes.constant(float(target), double))
    spread = nodes.add("Max", scale, nodes.constant(1.0, double))
    centres = nodes.add("Mul", nodes.constant(np.arange(target)[:, None] + 0.5, double), scale)
    zero, one = nodes.constant(0, np.int64), nodes.constant(1, np.int64)
    places = nodes.add("Cast", nodes.add("Range", zero, side, one), to=TensorProto.DOUBLE)
    middles = nodes.add("Add", places, nodes.constant(0.5, double))
    apart = nodes.add("Abs", nodes.add("Div", nodes.add("Sub", middles, centres), spread))
    weights = _weights(nodes, apart, name)
    total = nodes.add("ReduceSum", weights, nodes.constant([1], np.int64), keepdims=1)
    exact = nodes.add("Mul", nodes.add("Div", weights, total), _double(nodes, 2.0**_BITS))
    whole = nodes.add("Floor", nodes.add("Add", exact, _double(nodes, 0.5)))
    step = _double(nodes, 2.0**_HALF_BITS)
    upper = nodes.add("Floor", nodes.add("Add", nodes.add("Div", whole, step), _double(nodes, 0.5)))
    lower = nodes.add("Sub", whole, nodes.add("Mul", upper, step))
    return nodes.add("Cast", upper, to=TensorProto.FLOAT), nodes.add("Cast", lower, to=TensorProto.FLOAT)


def _weights(nodes: _Nodes, apart: str, name: Filter) -> str:
    """The filter at distances, 0 beyond its reach."""
    x = apart
    if name == "bilinear":
        value = nodes.add("Sub", _double(nodes, 1.0), x)
    elif name == "bicubic":  # Keys' with a = -1/2
        near = _polynomial(nodes, x, (1.5, -2.5, 0.0, 1.0))
        far = _polynomial(nodes, x, (-0.5, 2.5, -4.0, 2.0))
        value = nodes.add("Where", nodes.add("Less", x, _double(nodes, 1.0)), near, far)
    else:
        value = nodes.add("Mul", _sinc(nodes, x, 1.0), _sinc(nodes, x, 3.0))
    within = nodes.add("Less", x, _double(nodes, _REACH[name]))
    return nodes.add("Where", within, value, _double(nodes, 0.0))


def _polynomial(nodes: _Nodes, x: str, coefficients: tuple[float, ...]) -> str:
    """A polynomial by Horner's rule, its highest power first."""
    value = _double(nodes, coefficients[0])
    for coefficient in coefficients[1:]:
        value = nodes.add("Add", nodes.add("Mul", value, x), _double(nodes, coefficient))
    return value


def _sinc(nodes: _Nodes, x: str, stretched: float) -> str:
    """sin(pi x / stretched) / (pi x / stretched), 1 at 0. In float32: runtimes have no sine of doubles."""
    angle = nodes.add("Mul", nodes.add("Cast", x, to=TensorProto.FLOAT), nodes.constant(np.pi / stretched))
    at_zero = nodes.add("Less", angle, nodes.constant(1e-6))
    divisor = nodes.add("Where", at_zero, nodes.constant(1.0), angle)
    value = nodes.add(
        "Where", at_zero, nodes.constant(1.0), nodes.add("Div", nodes.add("Sin", angle), divisor)
    )
    return nodes.add("Cast", value, to=TensorProto.DOUBLE)


def _double(nodes: _Nodes, value: float) -> str:
    return nodes.constant(value, np.float64)


def _counted(contract: Preprocessing, shape: tuple[int, int] | None) -> BoolArray | None:
    """Which pixels of the map count, bool; None where all do."""
    view = contract.view
    if view is None or view.regions is None or shape is None:
        return None
    width, height = view.photograph
    judged = look(np.zeros((height, width, 3), np.uint8), contract).counted
    found = None if judged is None else (judged if judged.shape == shape else covered(judged, *shape))
    return found if found is not None and found.any() and not found.all() else None


def _only_counted(nodes: _Nodes, counted: BoolArray) -> None:
    """The map in which what does not count has the lowest value of the rest, as `blemish.view.look.Look.placed`."""
    where = nodes.constant(counted, np.bool_)
    high = nodes.constant(np.finfo(np.float32).max)
    lowest = nodes.add("ReduceMin", nodes.add("Where", where, _WHOLE_MAP, high), keepdims=0)
    nodes.add("Where", where, _WHOLE_MAP, lowest, output=_MAP)


def _decide(nodes: _Nodes, artifact: Artifact) -> None:
    """The p-value and the verdict of the score, as `Calibration.p_value` and `Decision.verdict`."""
    calibration, decision = artifact.calibration(), artifact.manifest.decision
    score = nodes.add("Reshape", _SCORE, nodes.constant([1], np.int64))
    exact = nodes.add("Cast", score, to=TensorProto.DOUBLE)
    as_high = nodes.add("GreaterOrEqual", _doubles(nodes, calibration.scores), exact)
    weight = nodes.add(
        "Mul", nodes.add("Cast", as_high, to=TensorProto.DOUBLE), _doubles(nodes, calibration.weights)
    )
    above = nodes.add("ReduceSum", weight, nodes.constant([0], np.int64), keepdims=1)
    share = nodes.add(
        "Div", nodes.add("Add", above, _double(nodes, 1.0)), _double(nodes, 1.0 + calibration.n)
    )
    nodes.add("Cast", share, to=TensorProto.FLOAT, output=P_VALUE)
    # A rejected part lies above both thresholds, and so does what is no number.
    steps = [
        nodes.add(
            "Cast",
            nodes.add("Not", nodes.add("LessOrEqual", exact, _double(nodes, limit))),
            to=TensorProto.INT32,
        )
        for limit in (min(decision.review_threshold, decision.threshold), decision.threshold)
    ]
    nodes.add("Add", *steps, output=VERDICT)


def _doubles(nodes: _Nodes, values: npt.ArrayLike) -> str:
    return nodes.constant(values, np.float64)


def _map_shape(graph: onnx.GraphProto) -> tuple[int, int] | None:
    """Height and width of the map; None where there is none."""
    for one in graph.output:
        if one.name == _MAP:
            height, width = (axis.dim_value for axis in one.type.tensor_type.shape.dim[-2:])
            return height, width
    return None


def _model(nodes: _Nodes, network: onnx.GraphProto, manifest: Manifest) -> onnx.ModelProto:
    view = manifest.preprocessing.view
    shape: list[int | str | None] = ["height", "width", 3]
    if view is not None and view.regions is not None:
        shape[:2] = view.photograph[::-1]
    photograph = helper.make_tensor_value_info(PHOTOGRAPH, TensorProto.UINT8, shape)
    outputs = [
        *network.output,
        helper.make_tensor_value_info(P_VALUE, TensorProto.FLOAT, [1]),
        helper.make_tensor_value_info(VERDICT, TensorProto.INT32, [1]),
    ]
    graph = helper.make_graph(nodes.nodes, "inspector", [photograph], outputs, nodes.constants)
    opset = helper.make_opsetid("", OPSET)
    model = helper.make_model(graph, producer_name="blemish", opset_imports=[opset], ir_version=_IR_VERSION)
    onnx.checker.check_model(model)
    return model
