"""The clients in other languages say of photographs what the inspector says."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from blemish.line.runtime import Inspector

CLIENTS = Path(__file__).resolve().parents[2] / "examples" / "clients"
ONNX_RUNTIME_WEB = "1.22.0"


@pytest.fixture(scope="module")
def photographs(washers: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Some test photographs as PPM, one of another size."""
    folder = tmp_path_factory.mktemp("ppm")
    found = []
    for number, path in enumerate(sorted((washers / "test").glob("*/*.png"))[::4]):
        with Image.open(path) as image:
            photograph = image.convert("RGB")
        found.append(folder / f"{number}.ppm")
        (photograph.resize((300, 210)) if number == 1 else photograph).save(found[-1])
    return found


def said_as_by(inspector: Path, photographs: Sequence[Path], lines: str) -> None:
    """Fail unless each line tells a photograph's verdict, score and p-value as the inspector does."""
    judge = Inspector.load(inspector)
    told = [line.split() for line in lines.splitlines()]
    assert [row[0] for row in told] == [str(path) for path in photographs]
    for path, verdict, score, p_value in told:
        inspection = judge.inspect(Path(path))
        assert verdict == judge.decision.verdict(
            inspection.score
        )  # which knows no photograph of something else
        assert float(score) == pytest.approx(inspection.score, rel=1e-3)
        assert float(p_value) == pytest.approx(inspection.p_value, rel=1e-3)
    assert {row[1] for row in told} >= {"reject"}, "one of them is defective"


def test_in_cpp(fitted: Path, photographs: list[Path], blemish: Callable[..., Any], tmp_path: Path) -> None:
    compiler = shutil.which("g++")
    if compiler is None:
        pytest.skip("there is no g++")
    import openvino

    package = Path(openvino.__file__).parent
    (library,) = (package / "libs").glob("libopenvino.so.*")
    graph, program = tmp_path / "part.xml", tmp_path / "inspect"
    assert blemish("export", fitted, "--to", "openvino", "--out", graph).status == 0
    made = subprocess.run(
        [
            *(compiler, "-std=c++17", CLIENTS / "inspect.cpp", "-o", program, "-I", package / "include"),
            *("-L", package / "libs", f"-l:{library.name}", f"-Wl,-rpath,{package / 'libs'}"),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert made.returncode == 0, made.stderr
    done = subprocess.run(
        [program, graph, *photographs], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 1, done.stderr
    said_as_by(fitted, photographs, done.stdout)
    broken = tmp_path / "broken.ppm"
    broken.write_bytes(photographs[0].read_bytes()[:1000])
    done = subprocess.run([program, graph, broken], capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stderr.strip()) == (2, f"{broken} is cut short")


def test_in_javascript(
    fitted: Path, photographs: list[Path], blemish: Callable[..., Any], tmp_path: Path
) -> None:
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip("there is no node with npm")
    wanted = f"onnxruntime-web@{ONNX_RUNTIME_WEB}"
    got = subprocess.run(
        [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", tmp_path, wanted],
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    if got.returncode:
        pytest.skip(f"npm does not get {wanted}: {got.stderr.strip()[-200:]}")
    shutil.copy(CLIENTS / "inspect.mjs", tmp_path)
    graph = tmp_path / "part.onnx"
    assert blemish("export", fitted, "--out", graph).status == 0
    done = subprocess.run(
        [node, tmp_path / "inspect.mjs", graph, *photographs],
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == 1, done.stderr
    said_as_by(fitted, photographs, done.stdout)


@pytest.fixture(scope="module")
def in_c(fitted: Path, blemish: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of `fitted` in C, part.c and what lies beside it."""
    folder = tmp_path_factory.mktemp("in-c")
    outcome = blemish("export", fitted, "--to", "c", "--out", folder / "part.c")
    assert outcome.status == 0, outcome.stderr
    return folder


def test_in_c(fitted: Path, in_c: Path, photographs: list[Path], tmp_path: Path) -> None:
    """Warnings are errors, and no access outside of memory goes unseen."""
    compiler, program = shutil.which("gcc"), tmp_path / "inspect"
    if compiler is None:
        pytest.skip("there is no gcc")
    made = subprocess.run(
        [
            *(
                compiler,
                "-std=c99",
                "-O2",
                "-Wall",
                "-Wextra",
                "-Werror",
                "-pedantic",
                "-fsanitize=address,undefined",
            ),
            *(
                "-fno-sanitize-recover",
                "-I",
                in_c,
                CLIENTS / "inspect.c",
                in_c / "part.c",
                "-o",
                program,
                "-lm",
            ),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert made.returncode == 0, made.stderr
    weights = in_c / "part.weights"

    def run(*arguments: Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run([program, *arguments], capture_output=True, text=True, check=False, timeout=240)

    done = run(weights, *photographs)
    assert done.returncode == 1, done.stderr
    said_as_by(fitted, photographs, done.stdout)
    flipped = tmp_path / "flipped.weights"
    content = bytearray(weights.read_bytes())
    content[len(content) // 2] ^= 1
    flipped.write_bytes(content)
    done = run(flipped, photographs[0])
    assert (done.returncode, done.stderr.strip()) == (
        2,
        f"{flipped} cannot be read, or is of another inspector",
    )
    broken = tmp_path / "broken.ppm"
    broken.write_bytes(photographs[0].read_bytes()[:1000])
    done = run(weights, broken)
    assert (done.returncode, done.stderr.strip()) == (2, f"{broken} is cut short")
