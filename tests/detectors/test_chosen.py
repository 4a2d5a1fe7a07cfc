"""The options by which detectors are chosen: what they mean, what they change in keys, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from blemish.core.errors import UsageError
from blemish.detectors.chosen import ChosenDetector
from blemish.experiments.benchmark.candidates import open_candidates
from blemish.experiments.benchmark.cell import make_cell
from blemish.server.job_requests import JobRequest, workflow
from blemish.workflows.benchmark import BenchmarkRequest
from blemish.workflows.fields import parsed_weights
from blemish.workflows.fit import FitRequest

LITE, RESNET = "efficientnet_lite0", "resnet18"
TWO = {"padim.backbone": RESNET}


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """Two files, as of weights, by network; choosing a detector does not open them."""
    found = {name: tmp_path / f"{name}.safetensors" for name in (LITE, RESNET)}
    for name, file in found.items():
        file.write_bytes(name.encode())
    return found


def parameters(candidates: list[ChosenDetector], name: str) -> list[Any]:
    return [one.make().get_params().get(name) for one in candidates]


def test_a_plain_name_is_for_all_that_have_it_and_a_label_for_that_one() -> None:
    labels = ["patchcore", "patchcore:paper", "cae"]
    assert parameters(open_candidates(labels, settings={"size": 128}), "size") == [128, 128, 128]
    assert parameters(open_candidates(labels, settings={"epochs": 1}), "epochs") == [None, None, 1]
    usual = parameters(open_candidates(labels), "size")
    for settings in ({"patchcore:paper.size": 128, "size": 256}, {"size": 256, "patchcore:paper.size": 128}):
        assert parameters(open_candidates(labels, settings=settings), "size") == [256, 128, 256]
    one = open_candidates(labels, settings={"patchcore:paper.size": 128})
    assert parameters(one, "size") == [usual[0], 128, usual[2]]
    quick = open_candidates(labels, settings={"cae.epochs": 7, "size": 160}, quick=True)
    assert parameters(quick, "epochs") == [None, None, 7] and parameters(quick, "size") == [160, 160, 160]
    assert parameters(open_candidates(labels, backbone=RESNET), "backbone") == [RESNET, RESNET, None]


def test_each_network_takes_its_own_file(files: dict[str, Path]) -> None:
    labels = ["patchcore", "padim", "cae"]
    lite, resnet = (str(files[name]) for name in (LITE, RESNET))
    assert parameters(open_candidates(labels, settings=TWO, weights=files), "weights") == [lite, resnet, None]
    alone = open_candidates(labels, settings=TWO, weights={RESNET: files[RESNET]})
    assert parameters(alone, "weights") == [None, resnet, None]
    assert parameters(open_candidates(labels, weights={"": files[LITE]}), "weights") == [lite, lite, None]
    (ensemble,) = open_candidates(["ensemble"], weights={LITE: files[LITE]})
    assert ensemble.make().get_params()["weights"] == (f"{LITE}={lite}",)


def test_a_file_of_weights_may_be_written_with_or_without_a_name(tmp_path: Path) -> None:
    assert parsed_weights("resnet18=/data/a.pth") == (RESNET, Path("/data/a.pth"))
    assert parsed_weights("/data/a.pth") == ("", Path("/data/a.pth"))
    odd = tmp_path / "lr=1.pth"
    odd.write_bytes(b"")
    assert parsed_weights(str(odd)) == ("", odd)
    assert FitRequest(data=tmp_path, out=tmp_path / "a.blemish", weights="a.pth").weights == {
        "": Path("a.pth")
    }


@pytest.mark.parametrize("label", ["patchcore", "ensemble"])
def test_a_file_of_weights_counts_by_its_content(label: str, tmp_path: Path) -> None:
    def key(name: str, content: bytes) -> str:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
        (candidate,) = open_candidates([label], weights={LITE: tmp_path / name})
        return make_cell(candidate, "washer", "digest", 0, tmp_path / "out").key

    usual = make_cell(open_candidates([label])[0], "washer", "digest", 0, tmp_path).key
    first = key("a.safetensors", b"one")
    assert key("elsewhere/b.safetensors", b"one") == first
    assert len({usual, first, key("a.safetensors", b"two")}) == 3


def test_keys_of_a_file_that_is_named_in_either_way_are_one(files: dict[str, Path], tmp_path: Path) -> None:
    ways: list[dict[str, Any]] = [
        {"weights": {LITE: files[LITE]}},
        {"weights": {"": files[LITE]}},
        {"settings": {"weights": str(files[LITE])}},
    ]
    cells = [
        make_cell(open_candidates(["patchcore"], **way)[0], "washer", "digest", 0, tmp_path) for way in ways
    ]
    assert len({cell.key for cell in cells}) == 1


LISTED = f"the networks that are read here are {LITE}."
REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"settings": {"luck": 7}}, "None of patchcore, cae has a parameter luck: "),
    (
        {"settings": {"padim.size": 128}},
        "--set padim.size is for no detector here: write one of patchcore, cae ",
    ),
    ({"settings": {"cae.coreset_size": 9}}, "The detector cae has no parameter coreset_size"),
    ({"settings": {"patchcore.size": "big"}}, "size=big is not possible for patchcore"),
    ({"settings": {"cae.seed": 1}}, "--set cae.seed is not possible here: give them with --seeds."),
    ({"settings": {"bit_depth": 12}}, "--set bit_depth is not possible here: give it with --bit-depth."),
    (
        {"size": 128, "settings": {"size": 256}},
        "size=128 is asked for by an option of its own, and size=256 by --set",
    ),
    ({"backbone": RESNET, "settings": {"backbone": LITE}}, f"backbone={RESNET} is asked for by an option"),
    ({"weights": {RESNET: "{file}"}}, f"--weights {RESNET}={{file}} is of no use: {LISTED}"),
    ({"weights": {LITE: "/no/where"}}, "The weights file /no/where does not exist: correct --weights."),
    ({"weights": {"": "/no/where"}}, "The weights file /no/where does not exist: correct --weights."),
]


@pytest.mark.parametrize(("given", "said"), REFUSED, ids=[said[:40] for _, said in REFUSED])
def test_what_cannot_be_meant_is_said_in_one_sentence(
    given: dict[str, Any], said: str, files: dict[str, Path]
) -> None:
    file = files[LITE]
    weights = {name: Path(path.format(file=file)) for name, path in given.get("weights", {}).items()}
    with pytest.raises(UsageError) as error:
        open_candidates(["patchcore", "cae"], **given | {"weights": weights})
    assert str(error.value).startswith(said.format(file=file)) and "\n" not in str(error.value)
    assert str(error.value).endswith(".")


def test_weights_that_nothing_would_read_or_of_no_network_in_particular(files: dict[str, Path]) -> None:
    with pytest.raises(UsageError, match="is of no use: no network is read here"):
        open_candidates(["cae"], weights={"": files[LITE]})
    with pytest.raises(UsageError, match=f"does not say of which network it is.*{LITE}, {RESNET}"):
        open_candidates(["patchcore", "padim"], settings=TWO, weights={"": files[LITE]})


def test_an_option_and_a_setting_that_agree_are_no_contradiction(tmp_path: Path) -> None:
    def fit(**options: Any) -> FitRequest:
        return FitRequest(data=tmp_path, out=tmp_path / "a.blemish", **options)

    assert fit(size=128, parameters={"size": 128}).unfitted().size == 128
    assert fit(parameters={"seed": 3}).unfitted().seed == 3
    with pytest.raises(
        UsageError, match="size=128 is asked for by an option of its own, and size=256 by --set"
    ):
        fit(size=128, parameters={"size": 256}).unfitted()
    with pytest.raises(UsageError, match="patchcore:paper names a preset and --preset quick another"):
        fit(detector="patchcore:paper", preset="quick").unfitted()


@pytest.mark.parametrize("verb", ["benchmark", "fit", "search", "explore"])
def test_a_network_that_there_is_not_is_named_before_anything_is_read(
    verb: str, blemish: Callable[..., Any], washers: Path, files: dict[str, Path], tmp_path: Path
) -> None:
    which = {"benchmark": ("--detectors", "patchcore"), "search": ("--detector", "patchcore")}.get(verb, ())
    out = tmp_path / ("a.blemish" if verb == "fit" else "out")
    outcome = blemish(verb, washers, *which, "--out", out, "--weights", f"nonesuch={files[LITE]}")
    assert outcome.status == 2 and not out.exists()
    assert outcome.stderr == f"--weights nonesuch={files[LITE]} is of no use: {LISTED}\n"


def job(**fields: Any) -> Any:
    return TypeAdapter[Any](JobRequest).validate_python(fields)


BENCHMARK = {"kind": "benchmark", "detectors": ["patchcore", "padim"]}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("parameters", {"members": ["patchcore", "os.path:Join"]}),
        ("parameters", {"members": "os.path:Join:quick"}),
        ("parameters", {"Size": 128}),
        ("parameters", {"size": {"a": 1}}),
        ("detectors", ["os.path:Join"]),
        ("backbone", "../resnet18"),
        ("weights", {"res/net": "/data/a.pth"}),
        ("weights", {RESNET: "/data/\x00"}),
    ],
)
def test_a_job_takes_no_class_and_no_odd_name(field: str, value: object) -> None:
    with pytest.raises(ValidationError):
        job(**{**BENCHMARK, "folder": "/data", field: value})


def test_a_job_hands_on_what_is_set(washers: Path, tmp_path: Path) -> None:
    options = {
        "parameters": {"padim.size": 128, "top": 0.1},
        "backbone": RESNET,
        "weights": {RESNET: "/a.pth"},
    }
    name, request = workflow(job(**BENCHMARK, folder=str(washers), **options), tmp_path)
    assert name == "benchmark" and isinstance(request, BenchmarkRequest)
    assert (request.parameters, request.backbone) == (options["parameters"], RESNET)
    assert request.weights == {RESNET: Path("/a.pth")}
