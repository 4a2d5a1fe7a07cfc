"""Operators of a network as C: calls of the kernels in `templates/kernels.c`, and plain loops.

References: ONNX operators, opset 17: https://onnx.ai/onnx/operators/.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper
from onnx.reference import ReferenceEvaluator

from blemish.features.onnx_export import OPSET
from blemish.making.c_plan import ALIASES, Plan, Step, fused, normalisation, place_values, require
from blemish.making.folded_graph import Constants, Shape, known_shapes, model_of

_UNARY = {
    "Abs": "fabsf({0})", "Exp": "expf({0})", "Log": "logf({0})", "Sqrt": "sqrtf({0})", "Neg": "-{0}",
    "Relu": "({0} > 0.0f ? {0} : 0.0f)", "Sigmoid": "1.0f / (1.0f + expf(-{0}))", "Tanh": "tanhf({0})",
    "Erf": "erff({0})", "Reciprocal": "1.0f / {0}", "Floor": "floorf({0})", "Identity": "{0}", "Cast": "{0}",
}  # fmt: skip
_BINARY = {
    "Add": "{0} + {1}", "Sub": "{0} - {1}", "Mul": "{0} * {1}", "Div": "{0} / {1}", "Pow": "powf({0}, {1})",
    "Max": "({0} > {1} ? {0} : {1})", "Min": "({0} < {1} ? {0} : {1})", "Where": "({0} != 0.0f ? {1} : {2})",
    "Less": "{0} < {1}", "Greater": "{0} > {1}", "PRelu": "({0} < 0.0f ? {0} * {1} : {0})",
}  # fmt: skip


def planned(graph: onnx.GraphProto, constants: Constants, entry: str, outputs: Sequence[str]) -> Plan:
    """C of a folded graph whose shapes are all known.

    Raises:
        UsageError: it has an operator, or a use of one, that is not known here; it is named.
    """
    shapes = known_shapes(model_of(graph, constants))
    steps = fused(graph, constants, shapes, set(outputs))
    for step in steps:
        require(step.node.op_type in _EMITTERS, f"the operator {step.node.op_type}")
        require(
            all(name in shapes for name in [*filter(None, step.inputs), step.output]), "sides that are open"
        )
    plan = Plan(entry, shapes, constants)
    place_values(plan, steps, outputs)
    for step in steps:
        plan.lines.append(f"/* {step.node.op_type} {' x '.join(map(str, shapes[step.output])) or '1'} */")
        _EMITTERS[step.node.op_type](plan, step)
    plan.size += plan.scratch
    return plan


Emitter = Callable[[Plan, Step], None]
_EMITTERS: dict[str, Emitter] = {}


def _emits(*names: str) -> Callable[[Emitter], Emitter]:
    def keep(function: Emitter) -> Emitter:
        _EMITTERS.update(dict.fromkeys(names, function))
        return function

    return keep


def _number(value: float) -> str:
    if np.isinf(value):
        return "INFINITY" if value > 0 else "-INFINITY"
    return f"{float(np.float32(value))!r}f"


def _loops(
    plan: Plan, shape: Shape, given: Sequence[tuple[str, Sequence[int]]], out: str, statement: str
) -> None:
    """Loops over a shape; `statement` has {0}, {1} ... for the values given by pointer and strides."""
    sides = [(side, place) for place, side in enumerate(shape) if side > 1]
    strides = [[steps[place] for _, place in sides] for _, steps in given]
    lengths = [side for side, _ in sides]
    # Neighbouring loops that run through everything without a jump are one.
    place = len(lengths) - 2
    while place >= 0:
        if all(one[place] == one[place + 1] * lengths[place + 1] for one in strides):
            lengths[place] *= lengths[place + 1]
            del lengths[place + 1]
            for one in strides:
                one[place] = one[place + 1]
                del one[place + 1]
        place -= 1
    indices = [f"i{level}" for level in range(len(lengths))]
    texts = []
    for (pointer, _), one in zip(given, strides, strict=True):
        terms = [
            f"{index} * {step}" if step != 1 else index
            for index, step in zip(indices, one, strict=True)
            if step
        ]
        texts.append(f"{pointer}[{' + '.join(terms) or '0'}]")
    own, step = [], 1
    for index, length in zip(reversed(indices), reversed(lengths), strict=True):
        own.append(f"{index} * {step}" if step != 1 else index)
        step *= length
    heads = " ".join(
        f"for (int {index} = 0; {index} < {length}; {index}++)"
        for index, length in zip(indices, lengths, strict=True)
    )
    target = f"{out}[{' + '.join(reversed(own)) or '0'}]"
    plan.lines.append(f"{heads} {target} = {statement.format(*texts)};".strip())


def _strides(shape: Shape) -> list[int]:
    """Steps of a value's own axes."""
    return [int(np.prod(shape[place + 1 :])) for place in range(len(shape))]


def _spread(shape: Shape, wanted: Shape) -> list[int]:
    """Steps of a value that is repeated to a shape."""
    own = [0 if side == 1 else step for side, step in zip(shape, _strides(shape), strict=True)]
    return [0] * (len(wanted) - len(shape)) + own


@_emits(*_UNARY, *_BINARY, "Clip", "LeakyRelu", "HardSigmoid")
def _elementwise(plan: Plan, step: Step) -> None:
    kind, shape = step.node.op_type, plan.shapes[step.output]
    names = step.inputs[:1] if kind in ("Clip", *_UNARY) else step.inputs
    if kind == "Clip":
        low, high = (
            _number(float(plan.constants[name])) if name else _number(limit)
            for name, limit in zip([*step.inputs[1:], "", ""][:2], (-np.inf, np.inf), strict=True)
        )
        statement = f"between({{0}}, {low}, {high})"
    elif kind == "LeakyRelu":
        statement = f"({{0}} < 0.0f ? {_number(step.said.get('alpha', 0.01))} * {{0}} : {{0}})"
    elif kind == "HardSigmoid":
        slope, shift = _number(step.said.get("alpha", 0.2)), _number(step.said.get("beta", 0.5))
        statement = f"between({slope} * {{0}} + {shift}, 0.0f, 1.0f)"
    elif kind in ALIASES and names[0] not in plan.constants:
        require(kind != "Cast" or step.said["to"] in (1, 6, 7, 9), "a Cast to another kind of number")
        return  # it lies where its input lies
    else:
        statement = _UNARY.get(kind) or _BINARY[kind]
        require(
            kind in _UNARY or len(names) == (3 if kind == "Where" else 2), f"{kind} of {len(names)} values"
        )
    given = [(plan.pointer(name), _spread(plan.shapes[name], shape)) for name in names]
    _loops(plan, shape, given, plan.pointer(step.output), statement)


@_emits("BatchNormalization")
def _batch_normalization(plan: Plan, step: Step) -> None:
    shape = plan.shapes[step.output]
    factor, mean, bias = normalisation(step, plan.constants)
    by_channel = [0, 1, *[0] * (len(shape) - 2)]
    given = [(plan.pointer(step.inputs[0]), _strides(shape))]
    given += [(plan.constant(one), by_channel) for one in (factor, bias - mean * factor)]
    _loops(plan, shape, given, plan.pointer(step.output), "{0} * {1} + {2}")


@_emits("Reshape", "Flatten", "Squeeze", "Unsqueeze")
def _reshaped(plan: Plan, step: Step) -> None:
    """It lies where its input lies."""


@_emits("Conv")
def _conv(plan: Plan, step: Step) -> None:
    weight, groups = plan.constants[step.inputs[1]].astype(np.float32), step.said.get("group", 1)
    require(weight.ndim == 4 and step.said.get("auto_pad", "NOTSET") == "NOTSET", "a Conv of another kind")
    outputs, inputs, *_ = weight.shape
    has_bias = len(step.inputs) > 2 and step.inputs[2]
    bias = plan.constants[step.inputs[2]] if has_bias else np.zeros(outputs)
    image, out = plan.pointer(step.inputs[0]), plan.pointer(step.output)
    conv = _geometry(plan, step, weight.shape[2:])
    if inputs == 1 and outputs == groups == plan.shapes[step.inputs[0]][1]:
        conv = conv.format(inputs=1, outputs=outputs)
        plan.lines.append(
            f"convolve_depthwise(&(const convolution){conv}, {image}, {plan.constant(weight)}, "
            f"{plan.constant(bias)}, {out});"
        )
        return
    each, depth = outputs // groups, int(np.prod(weight.shape[1:]))
    plan.scratch = max(plan.scratch, depth * 32)
    area = int(np.prod(plan.shapes[step.inputs[0]][2:]))
    places = int(np.prod(plan.shapes[step.output][2:]))
    for group in range(groups):
        rows = weight[group * each : (group + 1) * each].reshape(each, depth)
        packed = np.pad(rows, ((0, -each % 4), (0, 0))).reshape(-1, 4, depth).transpose(0, 2, 1)
        own = conv.format(inputs=inputs, outputs=each)
        plan.lines.append(
            f"convolve(&(const convolution){own}, {image} + {group * inputs * area}, {plan.constant(packed)}, "
            f"{plan.constant(bias[group * each : (group + 1) * each])}, {int(step.lowest)}, panel, "
            f"{out} + {group * each * places});"
        )


def _geometry(plan: Plan, step: Step, kernel: Sequence[int]) -> str:
    """A `convolution` of C, but for the numbers of channels."""
    said, (_, _, height, width) = step.said, plan.shapes[step.inputs[0]]
    out_height, out_width = plan.shapes[step.output][2:]
    strides, dilations = said.get("strides", [1, 1]), said.get("dilations", [1, 1])
    pads = said.get("pads", [0, 0, 0, 0])
    numbers = (*kernel, *strides, pads[0] + step.around[0], pads[1] + step.around[1], *dilations)
    return (
        f"{{{{{{inputs}}, {height}, {width}, {{outputs}}, {out_height}, {out_width}, "
        f"{', '.join(map(str, numbers))}, {_number(step.low)}, {_number(step.high)}}}}}"
    )


@_emits("AveragePool", "MaxPool", "GlobalAveragePool", "GlobalMaxPool")
def _pool(plan: Plan, step: Step) -> None:
    kind, shape = step.node.op_type, plan.shapes[step.inputs[0]]
    require(not step.said.get("ceil_mode") and len(shape) == 4, f"{kind} of another kind")
    require(step.said.get("dilations", [1, 1]) == [1, 1], f"{kind} with gaps")
    kernel = shape[2:] if kind.startswith("Global") else step.said["kernel_shape"]
    conv = _geometry(plan, step, kernel).format(inputs=1, outputs=shape[1])
    counts = int(bool(step.said.get("count_include_pad")))
    plan.lines.append(
        f"pool(&(const convolution){conv}, {int('Max' in kind)}, {counts}, {plan.pointer(step.inputs[0])}, "
        f"{plan.pointer(step.output)});"
    )


@_emits("ReduceMin", "ReduceMax", "ReduceSum", "ReduceMean")
def _reduce(plan: Plan, step: Step) -> None:
    kind, shape = step.node.op_type, plan.shapes[step.inputs[0]]
    axes = plan.whole(step, 1) or step.said.get("axes") or list(range(len(shape)))
    axes = sorted(axis % len(shape) for axis in axes)
    strides, out = _strides(shape), plan.pointer(step.output)
    kept = [place for place in range(len(shape)) if place not in axes]
    sides, steps = [shape[place] for place in kept], [strides[place] for place in kept]
    begin = {"ReduceMin": "INFINITY", "ReduceMax": "-INFINITY"}.get(kind, "0.0f")
    _loops(plan, tuple(sides) or (1,), [], out, begin)
    joined = {"ReduceMin": "({1} < {0} ? {1} : {0})", "ReduceMax": "({1} > {0} ? {1} : {0})"}.get(
        kind, "{0} + {1}"
    )
    source, own = plan.pointer(step.inputs[0]), _strides(tuple(sides))
    order = [*axes, *kept]
    indices = {place: f"i{level}" for level, place in enumerate(order)}
    heads = " ".join(f"for (int {indices[p]} = 0; {indices[p]} < {shape[p]}; {indices[p]}++)" for p in order)
    target = f"{out}[{' + '.join(f'{indices[p]} * {one}' for p, one in zip(kept, own, strict=True)) or '0'}]"
    value = f"{source}[{' + '.join(f'{indices[p]} * {strides[p]}' for p in order) or '0'}]"
    plan.lines.append(f"{heads} {target} = {joined.format(target, value)};".strip())
    del steps
    if kind == "ReduceMean":
        count = int(np.prod([shape[axis] for axis in axes]))
        whole = tuple(sides) or (1,)
        _loops(plan, whole, [(out, _strides(whole))], out, f"{{0}} / {count}.0f")


@_emits("Concat")
def _concat(plan: Plan, step: Step) -> None:
    shape = plan.shapes[step.output]
    axis = step.said["axis"] % len(shape)
    inner, at = int(np.prod(shape[axis + 1 :])), 0
    outer, out = int(np.prod(shape[:axis])), plan.pointer(step.output)
    for name in step.inputs:
        size = plan.shapes[name][axis] * inner
        plan.lines.append(
            f"for (int i = 0; i < {outer}; i++) memcpy({out} + i * {shape[axis] * inner} + {at}, "
            f"{plan.pointer(name)} + i * {size}, {size} * sizeof(float));"
        )
        at += size


@_emits("Transpose")
def _transpose(plan: Plan, step: Step) -> None:
    strides = _strides(plan.shapes[step.inputs[0]])
    given = (plan.pointer(step.inputs[0]), [strides[place] for place in step.said["perm"]])
    _loops(plan, plan.shapes[step.output], [given], plan.pointer(step.output), "{0}")


@_emits("Slice")
def _slice(plan: Plan, step: Step) -> None:
    shape = plan.shapes[step.inputs[0]]
    starts = plan.whole(step, 1) or []
    axes = plan.whole(step, 3) or list(range(len(starts)))
    by = plan.whole(step, 4) or [1] * len(starts)
    strides, begin = _strides(shape), 0
    steps = list(strides)
    for start, axis, jump in zip(starts, axes, by, strict=True):
        side = shape[axis]
        first = min(max(start + side if start < 0 else start, 0), side if jump > 0 else side - 1)
        begin, steps[axis] = begin + first * strides[axis], strides[axis] * jump
    given = (f"({plan.pointer(step.inputs[0])} + {begin})", steps)
    _loops(plan, plan.shapes[step.output], [given], plan.pointer(step.output), "{0}")


@_emits("Gather")
def _gather(plan: Plan, step: Step) -> None:
    shape, index = plan.shapes[step.inputs[0]], plan.shapes[step.inputs[1]]
    axis = step.said.get("axis", 0) % len(shape)
    outer, inner = int(np.prod(shape[:axis])), int(np.prod(shape[axis + 1 :]))
    source, out = plan.pointer(step.inputs[0]), plan.pointer(step.output)
    if step.inputs[1] in plan.constants:
        places = plan.constant(plan.constants[step.inputs[1]] % shape[axis])
    else:
        places = plan.pointer(step.inputs[1])  # of an operator that gives none below zero
    count = int(np.prod(index))
    plan.lines.append(
        f"for (int i = 0; i < {outer}; i++) for (int j = 0; j < {count}; j++) "
        f"memcpy({out} + (i * {count} + j) * {inner}, {source} + (i * {shape[axis]} + (int){places}[j]) * {inner}, "
        f"{inner} * sizeof(float));"
    )


@_emits("Pad")
def _pad(plan: Plan, step: Step) -> None:
    """Axis by axis: every output is an input, or the filling."""
    shape, pads = plan.shapes[step.inputs[0]], plan.whole(step, 1) or []
    mode, count = step.said.get("mode", "constant"), len(shape)
    wanted, out = plan.shapes[step.output], plan.pointer(step.output)
    filling = plan.constants[step.inputs[2]] if len(step.inputs) > 2 and step.inputs[2] else 0.0
    places = np.arange(int(np.prod(shape))).reshape(shape)
    around = [(pads[axis], pads[count + axis]) for axis in range(count)]
    require(min(pads, default=0) >= 0, "a Pad that cuts off")
    if mode == "constant":
        begin = sum(pad * step_ for (pad, _), step_ in zip(around, _strides(wanted), strict=True))
        _loops(plan, wanted, [], out, _number(float(np.max(filling))))
        indices = [f"i{axis}" for axis in range(count)]
        heads = " ".join(
            f"for (int {i} = 0; {i} < {side}; {i}++)" for i, side in zip(indices, shape, strict=True)
        )
        to = " + ".join(f"{i} * {one}" for i, one in zip(indices, _strides(wanted), strict=True))
        at = " + ".join(f"{i} * {one}" for i, one in zip(indices, _strides(shape), strict=True))
        plan.lines.append(f"{heads} {out}[{begin} + {to}] = {plan.pointer(step.inputs[0])}[{at}];")
        return
    require(mode in ("edge", "reflect") and places.size < 2**24, f"a Pad of mode {mode}")
    table = plan.constant(np.pad(places, around, mode=mode))
    size = int(np.prod(wanted))
    plan.lines.append(
        f"for (int i = 0; i < {size}; i++) {out}[i] = {plan.pointer(step.inputs[0])}[(int){table}[i]];"
    )


@_emits("Resize")
def _resize(plan: Plan, step: Step) -> None:
    """Along each side apart, by the weights that ONNX's reference gives of an axis of ones and zeros."""
    shape, wanted = plan.shapes[step.inputs[0]], plan.shapes[step.output]
    require(
        len(shape) == 4 and shape[:2] == wanted[:2] and "axes" not in step.said, "a Resize of another kind"
    )
    (height, width), (to_height, to_width) = shape[2:], wanted[2:]
    middle = shape[1] * height * to_width
    plan.scratch = max(plan.scratch, middle)
    source, out = plan.pointer(step.inputs[0]), plan.pointer(step.output)
    for outer, side, inner, to, given, made in (
        (shape[1] * height, width, 1, to_width, source, "panel"),
        (shape[1], height, to_width, to_height, "panel", out),
    ):
        matrix = _axis(step, side, to)
        taps = max(1, int((matrix != 0).sum(1).max()))
        places = np.argsort(matrix == 0, axis=1, kind="stable")[:, :taps]
        weights = np.take_along_axis(matrix, places, 1)
        plan.lines.append(
            f"resample({given}, {outer}, {side}, {inner}, {to}, {taps}, {plan.constant(places)}, "
            f"{plan.constant(weights)}, {made});"
        )


def _axis(step: Step, side: int, to: int) -> npt.NDArray[np.float32]:
    """Weights `to` x side of a resize along one axis."""
    given = helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1, 1, side, side])
    made = helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, None)
    sizes = helper.make_tensor("sizes", onnx.TensorProto.INT64, [4], [1, 1, side, to])
    node = helper.make_node("Resize", ["x", "", "", "sizes"], ["y"], **step.said)
    graph = helper.make_graph([node], "axis", [given], [made], [sizes])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])
    ones = np.eye(side, dtype=np.float32)[None, None]
    said: Any = ReferenceEvaluator(model).run(None, {"x": ones})
    made_of_ones = np.asarray(said[0], np.float32)
    return np.ascontiguousarray(made_of_ones[0, 0].T)


@_emits("MatMul", "Gemm")
def _matmul(plan: Plan, step: Step) -> None:
    left, right = (plan.shapes[name] for name in step.inputs[:2])
    if step.node.op_type == "Gemm":
        plain = (
            not step.said.get("transA") and step.said.get("alpha", 1.0) == step.said.get("beta", 1.0) == 1.0
        )
        require(plain, "a Gemm of another kind")
    require(len(left) >= 2 and len(right) >= 2, "a MatMul of vectors")
    rows, depth, columns = left[-2], left[-1], right[-1]
    second = plan.pointer(step.inputs[1])
    if step.said.get("transB"):
        require(step.inputs[1] in plan.constants, "a Gemm of another kind")
        second, columns = plan.constant(plan.constants[step.inputs[1]].T), right[-2]
    blocks = plan.shapes[step.output][:-2]
    require(all(side in (blocks, ()) for side in (left[:-2], right[:-2])), "a MatMul that repeats blocks")
    jumps = [rows * depth if left[:-2] else 0, depth * columns if right[:-2] else 0, rows * columns]
    out = plan.pointer(step.output)
    plan.lines.append(
        f"for (int i = 0; i < {int(np.prod(blocks))}; i++) multiply({plan.pointer(step.inputs[0])} + i * {jumps[0]}, "
        f"{second} + i * {jumps[1]}, {rows}, {depth}, {columns}, {out} + i * {jumps[2]});"
    )
    if len(step.inputs) > 2:
        shape = plan.shapes[step.output]
        added = (plan.pointer(step.inputs[2]), _spread(plan.shapes[step.inputs[2]], shape))
        _loops(plan, shape, [(out, _strides(shape)), added], out, "{0} + {1}")


@_emits("TopK")
def _top_k(plan: Plan, step: Step) -> None:
    shape = plan.shapes[step.inputs[0]]
    require(step.said.get("axis", -1) % len(shape) == len(shape) - 1, "a TopK of another axis")
    count = (plan.whole(step, 1) or [0])[0]
    sign = "1.0f" if step.said.get("largest", 1) else "-1.0f"
    found, places = (plan.pointer(name) for name in step.node.output)
    outer = int(np.prod(shape[:-1]))
    plan.lines.append(
        f"top({plan.pointer(step.inputs[0])}, {outer}, {shape[-1]}, {count}, {sign}, {found}, {places});"
    )
