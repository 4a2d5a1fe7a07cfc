"""A network in C: its nodes as steps, of which some become one, and where in memory each value lies.

Every value is float32, also whole numbers, which are exact up to 2^24.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx

from blemish.core.errors import UsageError
from blemish.making.folded_graph import Constants, Shape, attributes_of

_ALIGNED = 16
"""Floats that values begin at a multiple of."""

ALIASES = {"Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity", "Cast"}
"""Operators whose output lies where their input lies."""


@dataclass
class Step:
    """A node, with what was fused into it."""

    node: onnx.NodeProto
    said: dict[str, Any]
    inputs: list[str]
    output: str
    low: float = -np.inf
    high: float = np.inf
    lowest: bool = False
    around: tuple[int, int] = (0, 0)


@dataclass
class Plan:
    """C of a network.

    Attributes:
        entry: the input's name.
        shapes: of all values.
        places: of values in memory, in floats.
        size: of that memory, in floats.
        weights: constants, which lie one behind the other in another block.
        lines: statements of the function.
    """

    entry: str
    shapes: dict[str, Shape]
    constants: Constants
    places: dict[str, int] = field(default_factory=dict)
    size: int = 0
    weights: list[npt.NDArray[np.float32]] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    scratch: int = 0
    _kept: dict[str, int] = field(default_factory=dict)
    _length: int = 0

    def function(self, name: str) -> str:
        """The function that runs the network on `values`, with constants in `weights`."""
        body = "\n".join(f"    {line}" for line in self.lines)
        return (
            f"static void {name}(const float *weights, float *values) {{\n"
            f"    float *panel = values + {self.size - self.scratch};\n    (void)panel, (void)weights;\n{body}\n}}\n"
        )

    def constant(self, values: npt.ArrayLike) -> str:
        """A pointer to constants."""
        found = np.ascontiguousarray(values, np.float32).ravel()
        key = found.tobytes() if found.size < 4096 else b""
        at = self._kept.get(key.hex()) if key else None
        if at is None:
            at = self._length
            pad = -len(found) % _ALIGNED
            self.weights.append(np.pad(found, (0, pad)))
            self._length += len(found) + pad
            if key:
                self._kept[key.hex()] = at
        return f"(weights + {at})"

    def pointer(self, name: str) -> str:
        """A pointer to a value."""
        if name in self.constants:
            return self.constant(self.constants[name])
        return f"(values + {self.places[name]})"

    def whole(self, step: Step, place: int) -> list[int] | None:
        """Whole numbers of a constant input; None where it is left out."""
        if place >= len(step.inputs) or not step.inputs[place]:
            return None
        return [int(one) for one in np.atleast_1d(self.constants[step.inputs[place]])]


def require(known: bool, what: str) -> None:
    """Refuse what is not known in C.

    Raises:
        UsageError: `known` is false.
    """
    if not known:
        raise UsageError(
            f"The network has {what}, which is not known in C: export it --to onnx, openvino or torchscript."
        )


def fused(
    graph: onnx.GraphProto, constants: Constants, shapes: dict[str, Shape], outputs: set[str]
) -> list[Step]:
    """The nodes as steps: padding, normalisation, cutting off and the lowest output go into their convolution."""
    readers: dict[str, int] = {}
    for node in graph.node:
        for name in node.input:
            readers[name] = readers.get(name, 0) + 1
    steps: list[Step] = []
    making: dict[str, Step] = {}
    for node in graph.node:
        said, inputs = attributes_of(node), list(node.input)
        step = Step(node, said, inputs, node.output[0])
        before = making.get(inputs[0]) if inputs else None
        alone = before is not None and readers[inputs[0]] == 1 and inputs[0] not in outputs
        if alone and before is not None and _joined(before, step, constants, shapes):
            making[step.output] = before
            continue
        if alone and before is not None and node.op_type == "Conv" and _pads_alone(before, constants):
            pads = [int(one) for one in constants[before.inputs[1]]]
            step.around, step.inputs[0] = (pads[2], pads[3]), before.inputs[0]
            steps.remove(before)
        steps.append(step)
        making[step.output] = step
    return steps


def _pads_alone(step: Step, constants: Constants) -> bool:
    """Whether a step adds zeros around two sides of an image."""
    if step.node.op_type != "Pad" or step.said.get("mode", "constant") != "constant":
        return False
    pads = constants[step.inputs[1]].tolist()
    filling = constants[step.inputs[2]] if len(step.inputs) > 2 and step.inputs[2] else 0
    return len(pads) == 8 and not any(pads[:2] + pads[4:6]) and min(pads) >= 0 and float(np.max(filling)) == 0


def _joined(before: Step, step: Step, constants: Constants, shapes: dict[str, Shape]) -> bool:
    """Put a step into the convolution that makes its input, if it can be."""
    kind = step.node.op_type
    if before.node.op_type != "Conv" or before.lowest:
        return False
    free = before.low == -np.inf and before.high == np.inf
    if kind == "BatchNormalization" and free:
        weight = constants[before.inputs[1]].astype(np.float64)
        factor, mean, bias = normalisation(step, constants)
        has_bias = len(before.inputs) > 2 and before.inputs[2]
        old = constants[before.inputs[2]].astype(np.float64) if has_bias else np.zeros(len(weight))
        names = [f"{step.output}/weight", f"{step.output}/bias"]
        constants[names[0]] = (weight * factor[:, None, None, None]).astype(np.float32)
        constants[names[1]] = ((old - mean) * factor + bias).astype(np.float32)
        shapes.update({name: constants[name].shape for name in names})
        before.inputs[1:] = names
    elif kind == "Clip" and free:
        limits = [constants[name] if name else None for name in [*step.inputs[1:], "", ""][:2]]
        before.low = -np.inf if limits[0] is None else float(limits[0])
        before.high = np.inf if limits[1] is None else float(limits[1])
    elif kind == "Relu" and free:
        before.low = 0.0
    elif kind == "ReduceMin" and free and step.said.get("axes") == [1] and step.said.get("keepdims", 1):
        if before.said.get("group", 1) != 1:
            return False
        before.lowest = True
    else:
        return False
    before.output = step.output
    return True


def normalisation(step: Step, constants: Constants) -> tuple[npt.NDArray[np.float64], ...]:
    """Factor, mean and bias of each channel."""
    scale, bias, mean, variance = (constants[name].astype(np.float64) for name in step.inputs[1:5])
    return scale / np.sqrt(variance + step.said.get("epsilon", 1e-5)), mean, bias


def place_values(plan: Plan, steps: list[Step], outputs: Sequence[str]) -> None:
    """Give every value a place that nothing else needs while it is read."""
    alias: dict[str, str] = {}
    for step in steps:
        if step.node.op_type in ALIASES and step.inputs[0] not in plan.constants:
            alias[step.output] = alias.get(step.inputs[0], step.inputs[0])
    last = {alias.get(name, name): len(steps) for name in outputs}
    for number, step in enumerate(steps):
        for name in step.inputs:
            root = alias.get(name, name)
            last[root] = max(last.get(root, 0), number)
    live: list[tuple[int, int, int]] = []  # begin, end, last reader

    def put(name: str, number: int) -> None:
        size = -(-int(np.prod(plan.shapes[name])) // _ALIGNED) * _ALIGNED
        live[:] = [one for one in live if one[2] >= number]
        begin = 0
        for other, end, _ in sorted(live):
            if other - begin >= size:
                break
            begin = max(begin, end)
        live.append((begin, begin + size, last.get(name, number)))
        plan.places[name], plan.size = begin, max(plan.size, begin + size)

    put(plan.entry, 0)
    for number, step in enumerate(steps):
        for name in [step.output, *step.node.output[1:]]:
            if name in alias:
                plan.places[name] = plan.places[alias[name]]
            elif name:
                plan.shapes.setdefault(name, plan.shapes[step.output])
                put(name, number)
