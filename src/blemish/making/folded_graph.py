"""What of a graph is known before any photograph, computed once: constants of constants, and shapes."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from blemish.features.onnx_export import OPSET

Constants = dict[str, npt.NDArray[np.generic]]
Shape = tuple[int, ...]


def folded(model: onnx.ModelProto) -> tuple[onnx.GraphProto, Constants]:
    """A graph without what depends on no input, and the values of all constants that are left in use.

    Every node whose inputs are constants is computed (by ONNX's reference), and every shape that the graph's inputs
    leave no choice of. Initializers become constants, identities vanish.

    Returns:
        The graph, nodes in order and no initializers; and its constants by name.
    """
    graph = onnx.GraphProto()
    graph.CopyFrom(model.graph)
    known: Constants = {one.name: numpy_helper.to_array(one) for one in graph.initializer}
    while True:
        shapes = known_shapes(_with(graph, known))
        left = [node for node in graph.node if not _computed(node, known, shapes)]
        if len(left) == len(graph.node):
            break
        del graph.node[:]
        graph.node.extend(left)
    _drop_identities(graph)
    used = {name for node in graph.node for name in node.input}
    used |= {one.name for one in graph.output}
    return graph, {name: value for name, value in known.items() if name in used}


def known_shapes(model: onnx.ModelProto) -> dict[str, Shape]:
    """Shapes of all values whose sides are all known, by name."""
    inferred = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
    found = {one.name: tuple(one.dims) for one in inferred.initializer}
    for one in [*inferred.input, *inferred.value_info, *inferred.output]:
        if one.type.tensor_type.HasField("shape"):
            sides = one.type.tensor_type.shape.dim
            if all(side.HasField("dim_value") for side in sides):
                found[one.name] = tuple(side.dim_value for side in sides)
    return found


def model_of(graph: onnx.GraphProto, constants: Constants) -> onnx.ModelProto:
    """A folded graph as a model again."""
    return _with(graph, constants)


def attributes_of(node: onnx.NodeProto) -> dict[str, object]:
    """A node's attributes by name: numbers, lists of numbers, or text."""
    found = {one.name: helper.get_attribute_value(one) for one in node.attribute}
    return {name: value.decode() if isinstance(value, bytes) else value for name, value in found.items()}


def _with(graph: onnx.GraphProto, constants: Constants) -> onnx.ModelProto:
    whole = onnx.GraphProto()
    whole.CopyFrom(graph)
    del whole.initializer[:]
    whole.initializer.extend(numpy_helper.from_array(value, name) for name, value in constants.items())
    return helper.make_model(whole, opset_imports=[helper.make_opsetid("", OPSET)])


def _computed(node: onnx.NodeProto, known: Constants, shapes: dict[str, Shape]) -> bool:
    """Whether a node's outputs are constants, which are put among the known ones then."""
    if node.op_type == "Shape" and node.input[0] in shapes and not node.attribute:
        known[node.output[0]] = np.array(shapes[node.input[0]], np.int64)
        return True
    if not all(name in known for name in node.input if name):
        return False
    one = ReferenceEvaluator(_alone(node))
    values = one.run(None, {name: known[name] for name in node.input if name})
    known.update(zip(node.output, (np.asarray(value) for value in values), strict=True))
    return True


def _alone(node: onnx.NodeProto) -> onnx.ModelProto:
    def values(names: Iterable[str]) -> list[onnx.ValueInfoProto]:
        return [
            helper.make_tensor_value_info(name, onnx.TensorProto.UNDEFINED, None)
            for name in dict.fromkeys(names)
            if name
        ]

    graph = helper.make_graph([node], "node", values(node.input), values(node.output))
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])


def _drop_identities(graph: onnx.GraphProto) -> None:
    """Let whoever reads a copy of a value read the value, but for the graph's own outputs."""
    outputs = {one.name for one in graph.output}
    same: dict[str, str] = {}
    left = []
    for node in graph.node:
        node.input[:] = [same.get(name, name) for name in node.input]
        if node.op_type == "Identity" and node.output[0] not in outputs:
            same[node.output[0]] = node.input[0]
        else:
            left.append(node)
    del graph.node[:]
    graph.node.extend(left)
