"""Operators of exported graphs in other runtimes: what ONNX Runtime makes of them is what they make of them."""

from __future__ import annotations

import ctypes
import io
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper

from blemish.core.errors import UsageError
from blemish.making import exported_c
from blemish.making.c_operators import planned
from blemish.making.folded_graph import folded

RNG = np.random.default_rng(0)


def array(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype(np.float32)


def whole(*numbers: int) -> np.ndarray:
    return np.array(numbers, np.int64)


RESIZES = [
    ("linear", "half_pixel"),
    ("linear", "pytorch_half_pixel"),
    ("linear", "align_corners"),
    ("cubic", "half_pixel"),
]
# Operator, the constants behind its input of 1 x 6 x 9 x 11, and its attributes.
ONE_INPUT: list[tuple[str, list[Any], dict[str, Any]]] = [
    ("Conv", [array(8, 6, 3, 3), array(8)], {"pads": [1, 1, 1, 1]}),
    ("Conv", [array(5, 6, 1, 1)], {}),
    ("Conv", [array(6, 1, 3, 3), array(6)], {"group": 6, "strides": [2, 2], "pads": [0, 0, 1, 1]}),
    ("Conv", [array(6, 1, 5, 5), array(6)], {"group": 6, "pads": [2, 2, 2, 2]}),
    ("Conv", [array(4, 3, 3, 3), array(4)], {"group": 2, "dilations": [2, 2], "pads": [2, 1, 2, 3]}),
    ("BatchNormalization", [array(6), array(6), array(6), np.abs(array(6))], {}),
    ("Clip", [np.float32(0), np.float32(0.5)], {}),
    ("Relu", [], {}),
    ("LeakyRelu", [], {"alpha": 0.2}),
    ("Sigmoid", [], {}),
    ("Tanh", [], {}),
    ("Erf", [], {}),
    ("Exp", [], {}),
    ("Abs", [], {}),
    ("Neg", [], {}),
    ("Add", [array(6, 1, 1)], {}),
    ("Sub", [array(1, 1, 9, 1)], {}),
    ("Mul", [array(11)], {}),
    ("Div", [np.float32(3)], {}),
    ("Pad", [whole(0, 0, 1, 2, 0, 0, 3, 0)], {"mode": "reflect"}),
    ("Pad", [whole(0, 0, 1, 2, 0, 0, 3, 1)], {"mode": "edge"}),
    ("Pad", [whole(0, 0, 1, 2, 0, 0, 3, 1), np.float32(2)], {}),
    ("AveragePool", [], {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "count_include_pad": 1}),
    ("AveragePool", [], {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}),
    ("AveragePool", [], {"kernel_shape": [2, 2], "strides": [2, 2]}),
    ("MaxPool", [], {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}),
    ("GlobalAveragePool", [], {}),
    ("ReduceSum", [whole(1)], {"keepdims": 1}),
    ("ReduceSum", [whole(2, 3)], {"keepdims": 0}),
    ("ReduceMin", [], {"axes": [1]}),
    ("ReduceMax", [], {"keepdims": 0}),
    ("ReduceMean", [], {"axes": [2, 3]}),
    ("Reshape", [whole(6, 99)], {}),
    ("Transpose", [], {"perm": [0, 2, 3, 1]}),
    ("Unsqueeze", [whole(0)], {}),
    ("Squeeze", [whole(0)], {}),
    ("Slice", [whole(1, 2), whole(5, 9), whole(1, 3), whole(1, 2)], {}),
    ("Gather", [whole(3, 0)], {"axis": 1}),
    ("MatMul", [array(11, 7)], {}),
    ("Softmax", [], {"axis": 1}),
    *(
        ("Resize", ["", "", whole(1, 6, 18, 15)], {"mode": mode, "coordinate_transformation_mode": place})
        for mode, place in RESIZES
    ),
    (
        "Resize",
        ["", np.array([1, 1, 2, 3], np.float32)],
        {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"},
    ),
]


def model_of(
    operator: str, constants: list[Any], attributes: dict[str, Any], name: str = "image"
) -> ModelProto:
    named = ["" if isinstance(one, str) else f"constant{place}" for place, one in enumerate(constants)]
    node = helper.make_node(operator, [name, *named], ["score"], name="node", **attributes)
    graph = helper.make_graph(
        [node],
        "one",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 6, 9, 11])],
        [helper.make_tensor_value_info("score", TensorProto.FLOAT, None)],
        [
            numpy_helper.from_array(np.asarray(one), key)
            for one, key in zip(constants, named, strict=True)
            if key
        ],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def by_onnx_runtime(model: ModelProto, given: np.ndarray) -> np.ndarray:
    onnxruntime = pytest.importorskip("onnxruntime")
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {model.graph.input[0].name: given})[0]


@pytest.mark.parametrize(
    ("operator", "constants", "attributes"),
    ONE_INPUT,
    ids=[f"{one[0]}-{n}" for n, one in enumerate(ONE_INPUT)],
)
def test_in_torchscript(operator: str, constants: list[Any], attributes: dict[str, Any]) -> None:
    import torch

    from blemish.making.exported_torchscript import _Graph

    model = model_of(operator, constants, attributes)
    given = array(1, 6, 9, 11)
    with torch.inference_mode():
        found = _Graph(model)(torch.from_numpy(given))["score"]
    assert np.allclose(found.numpy(), by_onnx_runtime(model, given), atol=1e-5)


NOT_IN_C = {"Softmax"}


def test_in_c(tmp_path: Path) -> None:
    """All operators in one library, compiled once; an inspector calls the same lines."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("there is no cc")
    cases = [one for one in ONE_INPUT if one[0] not in NOT_IN_C]
    parts, weights, plans = [exported_c._template("kernels.c")], [], []
    for number, case in enumerate(cases):
        graph, constants = folded(model_of(*case))
        plan = planned(graph, constants, "image", ("score",))
        plans.append(plan)
        weights.append(np.concatenate([*plan.weights, np.zeros(1, np.float32)]))
        shared = f"void network{number}("
        parts.append(plan.function(f"network{number}").replace(f"static {shared}", shared))
    (tmp_path / "all.c").write_text("\n".join(parts))
    command = [compiler, "-O2", "-Wall", "-Wextra", "-Werror", "-Wno-missing-prototypes"]
    command += ["-shared", "-fPIC", "all.c", "-o", "all.so", "-lm"]
    made = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300)
    assert made.returncode == 0, made.stderr[:2000]
    library = ctypes.CDLL(str(tmp_path / "all.so"))
    given = array(1, 6, 9, 11)
    for number, (case, plan, constants) in enumerate(zip(cases, plans, weights, strict=True)):
        values = np.full(plan.size, np.nan, np.float32)
        values[plan.places["image"] :][: given.size] = given.ravel()
        wanted = by_onnx_runtime(model_of(*case), given)
        call = getattr(library, f"network{number}")
        call(*(one.ctypes.data_as(ctypes.POINTER(ctypes.c_float)) for one in (constants, values)))
        found = values[plan.places["score"] :][: wanted.size].reshape(wanted.shape)
        assert np.allclose(found, wanted, atol=2e-5), case[0]


@pytest.mark.parametrize("operator", sorted(NOT_IN_C))
def test_what_c_does_not_know_is_named(operator: str) -> None:
    graph, constants = folded(model_of(operator, [], {}))
    with pytest.raises(UsageError, match=f"operator {operator}, which is not known in C"):
        planned(graph, constants, "image", ("score",))


def test_what_torchscript_does_not_know_is_named() -> None:
    from blemish.making.exported_torchscript import torchscript_of

    with pytest.raises(UsageError, match="operator Det, which is not known for TorchScript"):
        torchscript_of(model_of("Det", [], {}))


def test_a_saved_graph_runs_by_itself() -> None:
    import torch

    from blemish.making.exported_torchscript import torchscript_of

    node = helper.make_node("Cast", ["photograph"], ["score"], to=TensorProto.FLOAT)
    graph = helper.make_graph(
        [node],
        "one",
        [helper.make_tensor_value_info("photograph", TensorProto.UINT8, ["height", "width", 3])],
        [helper.make_tensor_value_info("score", TensorProto.FLOAT, ["height", "width", 3])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    loaded = torch.jit.load(io.BytesIO(torchscript_of(model)))
    assert loaded(torch.full((2, 5, 3), 7, dtype=torch.uint8))["score"].tolist() == [[[7.0] * 3] * 5] * 2
