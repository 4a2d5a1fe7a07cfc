"""An exported graph as TorchScript, which libtorch runs without Blemish and without Python.

Each operator of the graph is a function of torch's below; they are traced once, and sizes of the photograph stay open,
for all that depends on them is computed from tensors. An operator without a function is refused by its name.

References:
    ONNX operators, opset 17: https://onnx.ai/onnx/operators/.
    https://docs.pytorch.org/docs/stable/generated/torch.jit.trace.html.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx
import torch
import torch.nn.functional as F
from onnx import TensorProto, helper
from torch import Tensor, nn

from blemish.core.errors import UsageError
from blemish.making.folded_graph import attributes_of, folded

Values = list[Any]
"""Inputs of an operator: tensors, or None where one was left out."""

_EXAMPLE = (67, 41)
"""Height and width of the photograph that is traced: like nothing in a graph, so that nothing is taken for them."""


def torchscript_of(model: onnx.ModelProto) -> bytes:
    """An exported graph as the content of a file for `torch.jit.load`.

    The module takes a photograph, uint8 RGB H x W x 3, and gives a dictionary of the graph's outputs by name.

    Raises:
        UsageError: it has an operator that is not known here.
    """
    module = _Graph(model).eval()
    height, width = (side.dim_value for side in model.graph.input[0].type.tensor_type.shape.dim[:2])
    example = torch.zeros(height or _EXAMPLE[0], width or _EXAMPLE[1], 3, dtype=torch.uint8)
    buffer = io.BytesIO()
    with warnings.catch_warnings(), torch.inference_mode():
        # Tracing is called deprecated for torch.export, whose files need Python or a compiler where they run.
        warnings.simplefilter("ignore")
        traced: Any = torch.jit.trace(module, (example,), strict=False, check_trace=False)  # type: ignore[no-untyped-call]
        torch.jit.save(traced, buffer)
    return buffer.getvalue()


class _Graph(nn.Module):
    """A graph whose nodes are run by torch, one after the other."""

    def __init__(self, model: onnx.ModelProto) -> None:
        super().__init__()
        graph, constants = folded(model)
        self._nodes = [(node, attributes_of(node), _operator(node.op_type)) for node in graph.node]
        self._input = graph.input[0].name
        self._outputs = [one.name for one in graph.output]
        self._places = {name: f"constant_{place}" for place, name in enumerate(constants)}
        for name, place in self._places.items():
            self.register_buffer(place, torch.from_numpy(np.array(constants[name])))

    def forward(self, photograph: Tensor) -> dict[str, Tensor]:
        """The outputs by name."""
        values: dict[str, Any] = {name: getattr(self, place) for name, place in self._places.items()}
        values |= {"": None, self._input: photograph}
        for node, attributes, operator in self._nodes:
            given = [values[name] for name in node.input]
            made = operator(given, attributes)
            many = made if isinstance(made, (tuple, list)) else (made,)
            values.update(zip(node.output, many, strict=False))
        return {name: values[name] for name in self._outputs}


Operator = Callable[[Values, dict[str, Any]], Any]
_OPERATORS: dict[str, Operator] = {}


def _operator(name: str) -> Operator:
    """The function of an operator.

    Raises:
        UsageError: there is none.
    """
    if name not in _OPERATORS:
        raise UsageError(
            f"The graph has the operator {name}, which is not known for TorchScript: export it --to onnx or openvino."
        )
    return _OPERATORS[name]


def _defines(name: str) -> Callable[[Operator], Operator]:
    def keep(function: Operator) -> Operator:
        _OPERATORS[name] = function
        return function

    return keep


def _plainly(**functions: Callable[..., Any]) -> None:
    """Operators that are a function of their inputs alone."""
    _OPERATORS.update((name, _plain(function)) for name, function in functions.items())


def _plain(function: Callable[..., Any]) -> Operator:
    return lambda given, _: function(*given)


def _divided(left: Tensor, right: Tensor) -> Tensor:
    whole = None if left.is_floating_point() else "trunc"
    return torch.div(left, right, rounding_mode=whole)


_plainly(
    Abs=torch.abs, Add=torch.add, And=torch.logical_and, Ceil=torch.ceil, Cos=torch.cos, Div=_divided,
    Equal=torch.eq, Erf=torch.erf, Exp=torch.exp, Floor=torch.floor, Greater=torch.gt, GreaterOrEqual=torch.ge,
    Identity=lambda value: value, Less=torch.lt, LessOrEqual=torch.le, Log=torch.log, MatMul=torch.matmul,
    Mul=torch.mul, Neg=torch.neg, Not=torch.logical_not, Or=torch.logical_or, Pow=torch.pow,
    Reciprocal=torch.reciprocal, Relu=torch.relu, Round=torch.round, Shape=torch._shape_as_tensor,
    Sigmoid=torch.sigmoid, Sign=torch.sign, Sin=torch.sin, Sqrt=torch.sqrt, Sub=torch.sub, Tanh=torch.tanh,
    Where=torch.where,
)  # fmt: skip


def _of_all(function: Callable[[Tensor, Tensor], Tensor]) -> Operator:
    def of_all(given: Values, _: dict[str, Any]) -> Tensor:
        made: Tensor = given[0]
        for one in given[1:]:
            made = function(made, one)
        return made

    return of_all


_OPERATORS |= {
    "Max": _of_all(torch.maximum), "Min": _of_all(torch.minimum), "Sum": _of_all(torch.add),
    "Concat": lambda given, said: torch.cat(given, said["axis"]),
    "Transpose": lambda given, said: given[0].permute(said["perm"]),
    "Softmax": lambda given, said: torch.softmax(given[0], said.get("axis", -1)),
    "LogSoftmax": lambda given, said: torch.log_softmax(given[0], said.get("axis", -1)),
    "LeakyRelu": lambda given, said: F.leaky_relu(given[0], said.get("alpha", 0.01)),
    "Elu": lambda given, said: F.elu(given[0], said.get("alpha", 1.0)),
    "PRelu": lambda given, _: torch.where(given[0] < 0, given[0] * given[1], given[0]),
    "Softplus": lambda given, _: F.softplus(given[0]),
    "HardSigmoid": lambda given, said: torch.clamp(
        given[0] * said.get("alpha", 0.2) + said.get("beta", 0.5), 0.0, 1.0
    ),
    "HardSwish": lambda given, _: F.hardswish(given[0]),
    "Expand": lambda given, _: given[0] * torch.ones(_list(given[1]), dtype=given[0].dtype),
    "Flatten": lambda given, said: _flattened(given[0], said.get("axis", 1)),
    "GlobalAveragePool": lambda given, _: given[0].mean((2, 3), keepdim=True),
    "GlobalMaxPool": lambda given, _: given[0].amax((2, 3), keepdim=True),
    "Einsum": lambda given, said: torch.einsum(said["equation"], *given),
    "Tile": lambda given, _: given[0].repeat(_list(given[1])),
}  # fmt: skip


def _list(values: Tensor) -> list[int]:
    """Whole numbers of a tensor, which must be a constant: a trace would keep them for ever."""
    found: list[int] = values.tolist()
    return found


def _flattened(value: Tensor, axis: int) -> Tensor:
    first = int(np.prod(value.shape[:axis]))
    return value.reshape(first, -1)


@_defines("Cast")
def _cast(given: Values, said: dict[str, Any]) -> Tensor:
    wanted = torch.from_numpy(np.zeros(1, helper.tensor_dtype_to_np_dtype(said["to"]))).dtype
    value: Tensor = given[0]
    return value.to(wanted) if said["to"] != TensorProto.BOOL else value != 0


@_defines("Range")
def _range(given: Values, said: dict[str, Any]) -> Tensor:
    start, end, step = given
    return torch.arange(start, end, step)


@_defines("Gather")
def _gather(given: Values, said: dict[str, Any]) -> Tensor:
    value, places = given
    axis = said.get("axis", 0)
    if places.ndim == 0:
        chosen: Tensor = value.index_select(axis, places.reshape(1)).squeeze(axis)
        return chosen
    found: Tensor = value.index_select(axis, places.reshape(-1) % value.shape[axis])
    return found.reshape(*value.shape[:axis], *places.shape, *value.shape[axis + 1 :])


@_defines("GatherElements")
def _gather_elements(given: Values, said: dict[str, Any]) -> Tensor:
    return torch.gather(given[0], said.get("axis", 0), given[1])


@_defines("Reshape")
def _reshape(given: Values, said: dict[str, Any]) -> Tensor:
    value: Tensor = given[0]
    sides = [value.shape[place] if side == 0 else side for place, side in enumerate(_list(given[1]))]
    return value.reshape(sides)


@_defines("Squeeze")
def _squeeze(given: Values, said: dict[str, Any]) -> Tensor:
    value: Tensor = given[0]
    if len(given) < 2 or given[1] is None:
        return value.squeeze()
    return value.squeeze(tuple(_list(given[1])))


@_defines("Unsqueeze")
def _unsqueeze(given: Values, said: dict[str, Any]) -> Tensor:
    value: Tensor = given[0]
    axes = _list(given[1])
    for axis in sorted(axis % (value.ndim + len(axes)) for axis in axes):
        value = value.unsqueeze(axis)
    return value


@_defines("Slice")
def _slice(given: Values, said: dict[str, Any]) -> Tensor:
    value: Tensor = given[0]
    starts, ends = _list(given[1]), _list(given[2])
    axes = _list(given[3]) if len(given) > 3 and given[3] is not None else list(range(len(starts)))
    steps = _list(given[4]) if len(given) > 4 and given[4] is not None else [1] * len(starts)
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        if step < 0:
            kept = range(value.shape[axis])[start:end:step]
            value = value.index_select(axis, torch.tensor(list(kept)))
        else:
            value = value[(slice(None),) * (axis % value.ndim) + (slice(start, end, step),)]
    return value


@_defines("Split")
def _split(given: Values, said: dict[str, Any]) -> Sequence[Tensor]:
    parts: Sequence[Tensor] = given[0].split(_list(given[1]), said.get("axis", 0))
    return parts


@_defines("Clip")
def _clip(given: Values, said: dict[str, Any]) -> Tensor:
    value, low, high = [*given, None, None][:3]
    return torch.clamp(value, low, high)


@_defines("Pad")
def _pad(given: Values, said: dict[str, Any]) -> Tensor:
    value, pads = given[0], _list(given[1])
    count = len(pads) // 2
    around = [amount for axis in reversed(range(count)) for amount in (pads[axis], pads[count + axis])]
    while len(around) > 2 and around[-2:] == [0, 0]:
        del around[-2:]
    mode = {"edge": "replicate", "wrap": "circular"}.get(
        said.get("mode", "constant"), said.get("mode", "constant")
    )
    if mode == "constant":
        filling = float(given[2]) if len(given) > 2 and given[2] is not None else 0.0
        return F.pad(value, around, mode, filling)
    return F.pad(value, around, mode)


@_defines("Conv")
def _conv(given: Values, said: dict[str, Any]) -> Tensor:
    value, weight, bias = [*given, None][:3]
    sides = weight.ndim - 2
    value, pads = _padded(value, said, sides, 0.0)
    convolve = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}[sides]
    made: Tensor = convolve(
        value,
        weight,
        bias,
        _each(said, "strides", sides),
        pads,
        _each(said, "dilations", sides),
        said.get("group", 1),
    )
    return made


@_defines("ConvTranspose")
def _conv_transpose(given: Values, said: dict[str, Any]) -> Tensor:
    value, weight, bias = [*given, None][:3]
    sides = weight.ndim - 2
    pads = said.get("pads", [0] * 2 * sides)
    _require(pads[:sides] == pads[sides:] and "output_shape" not in said, "ConvTranspose with uneven sides")
    return F.conv_transpose2d(
        value, weight, bias, _each(said, "strides", sides), pads[:sides],
        said.get("output_padding", [0] * sides), said.get("group", 1), _each(said, "dilations", sides),
    )  # fmt: skip


@_defines("MaxPool")
def _max_pool(given: Values, said: dict[str, Any]) -> Tensor:
    kernel = said["kernel_shape"]
    sides = len(kernel)
    value, pads = _padded(given[0], said, sides, float("-inf"))
    return F.max_pool2d(
        value,
        kernel,
        _each(said, "strides", sides),
        pads,
        _each(said, "dilations", sides),
        bool(said.get("ceil_mode")),
    )


@_defines("AveragePool")
def _average_pool(given: Values, said: dict[str, Any]) -> Tensor:
    kernel, counted = said["kernel_shape"], bool(said.get("count_include_pad"))
    pads = said.get("pads", [0] * 2 * len(kernel))
    _require(counted or pads[: len(kernel)] == pads[len(kernel) :], "AveragePool with uneven sides")
    value, pads = _padded(given[0], said, len(kernel), 0.0)
    strides = _each(said, "strides", len(kernel))
    return F.avg_pool2d(value, kernel, strides, pads, bool(said.get("ceil_mode")), counted)


def _each(said: dict[str, Any], name: str, sides: int) -> list[int]:
    found: list[int] = said.get(name, [1] * sides)
    return found


def _padded(value: Tensor, said: dict[str, Any], sides: int, filling: float) -> tuple[Tensor, list[int]]:
    """A value, and the padding that is left to the operator: what is not alike on both sides is done before."""
    _require(said.get("auto_pad", "NOTSET") in ("NOTSET", "VALID"), "padding by auto_pad")
    pads = said.get("pads", [0] * 2 * sides)
    if pads[:sides] == pads[sides:]:
        return value, pads[:sides]
    around = [amount for axis in reversed(range(sides)) for amount in (pads[axis], pads[sides + axis])]
    return F.pad(value, around, "constant", filling), [0] * sides


def _require(known: bool, what: str) -> None:
    if not known:
        raise UsageError(
            f"The graph has {what}, which is not known for TorchScript: export it --to onnx or openvino."
        )


@_defines("BatchNormalization")
def _batch_normalization(given: Values, said: dict[str, Any]) -> Tensor:
    value, scale, bias, mean, variance = given
    return F.batch_norm(value, mean, variance, scale, bias, False, 0.0, said.get("epsilon", 1e-5))


@_defines("InstanceNormalization")
def _instance_normalization(given: Values, said: dict[str, Any]) -> Tensor:
    value, scale, bias = given
    return F.instance_norm(value, weight=scale, bias=bias, eps=said.get("epsilon", 1e-5))


@_defines("LayerNormalization")
def _layer_normalization(given: Values, said: dict[str, Any]) -> Tensor:
    value, scale, bias = [*given, None][:3]
    return F.layer_norm(value, scale.shape, scale, bias, said.get("epsilon", 1e-5))


@_defines("Gemm")
def _gemm(given: Values, said: dict[str, Any]) -> Tensor:
    left, right, added = [*given, None][:3]
    left = left.T if said.get("transA") else left
    right = right.T if said.get("transB") else right
    product: Tensor = said.get("alpha", 1.0) * (left @ right)
    return product if added is None else product + said.get("beta", 1.0) * added


def _reduction(function: Callable[..., Tensor]) -> Operator:
    def reduced(given: Values, said: dict[str, Any]) -> Tensor:
        # Of some operators the axes are an attribute yet, of others an input.
        axes = _list(given[1]) if len(given) > 1 and given[1] is not None else said.get("axes")
        axes = list(range(given[0].ndim)) if axes is None else axes
        return function(given[0], tuple(axes), bool(said.get("keepdims", 1)))

    return reduced


def _root(value: Tensor, axes: tuple[int, ...], kept: bool) -> Tensor:
    return value.square().sum(axes, keepdim=kept).sqrt()


_OPERATORS |= {
    "ReduceMax": _reduction(torch.amax), "ReduceMin": _reduction(torch.amin),
    "ReduceMean": _reduction(torch.mean), "ReduceSum": _reduction(torch.sum),
    "ReduceL1": _reduction(lambda value, axes, kept: value.abs().sum(axes, keepdim=kept)),
    "ReduceL2": _reduction(_root),
    "ReduceSumSquare": _reduction(lambda value, axes, kept: value.square().sum(axes, keepdim=kept)),
}  # fmt: skip


@_defines("ArgMin")
def _argmin(given: Values, said: dict[str, Any]) -> Tensor:
    return torch.argmin(given[0], said.get("axis", 0), bool(said.get("keepdims", 1)))


@_defines("ArgMax")
def _argmax(given: Values, said: dict[str, Any]) -> Tensor:
    return torch.argmax(given[0], said.get("axis", 0), bool(said.get("keepdims", 1)))


@_defines("TopK")
def _top_k(given: Values, said: dict[str, Any]) -> Sequence[Tensor]:
    (count,) = _list(given[1])
    found: Sequence[Tensor] = torch.topk(
        given[0], count, said.get("axis", -1), bool(said.get("largest", 1)), bool(said.get("sorted", 1))
    )
    return found


@_defines("Resize")
def _resize(given: Values, said: dict[str, Any]) -> Tensor:
    value: Tensor = given[0]
    scales, sizes = [*given, None, None, None][2:4]
    wanted = (
        _list(sizes)[2:]
        if sizes is not None
        else [int(side * float(scale)) for side, scale in zip(value.shape[2:], scales[2:], strict=True)]
    )
    place, mode = said.get("coordinate_transformation_mode", "half_pixel"), said.get("mode", "nearest")
    if mode == "nearest":
        _require(
            place == "asymmetric" and said.get("nearest_mode") == "floor", f"Resize of mode nearest, {place}"
        )
        return F.interpolate(value, wanted)
    _require(place in ("half_pixel", "pytorch_half_pixel", "align_corners"), f"Resize by {place}")
    _require(not said.get("antialias") and not said.get("exclude_outside"), "Resize with antialias")
    _require(mode == "linear" or said.get("cubic_coeff_a", -0.75) == -0.75, "Resize by another cubic")
    torch_mode = {"linear": "bilinear", "cubic": "bicubic"}[str(mode)]
    return F.interpolate(value, wanted, mode=torch_mode, align_corners=place == "align_corners")
