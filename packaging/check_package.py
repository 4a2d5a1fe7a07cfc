"""Check the wheel and the sdist in a folder: what they hold, and that the base install alone inspects.

    .venv/bin/python packaging/check_package.py dist [--keep FOLDER]

The wheel is installed without extras into a fresh environment. There `blemish --help` must answer, and an inspector
that this environment has fitted on the sample line must judge as it does here, while no connection can be opened and
neither torch nor pandas is there. What the base install takes on disk is printed; more than 500 MB are refused.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import venv
import zipfile
from collections import Counter
from importlib.metadata import version
from pathlib import Path

import blemish

ROOT = Path(__file__).resolve().parents[1]
MOST_MEGABYTES = 500
LABORATORY = ("torch", "pandas", "sklearn", "onnx", "timm", "fastapi", "gradio")
NEEDED = (
    "Makefile", "constraints.txt", "pyproject.toml", "mkdocs.yml", "README.md", "LICENSE", "tests/conftest.py",
    "docs/architecture.md", "packaging/check_package.py", "bench/measuring/pages.py",
)  # fmt: skip
JUNK = re.compile(
    r"(^|/)(__pycache__|\.venv|runs|build|dist|\.\w+_cache|\.coverage.*|\.git)(/|$)|\.(pyc|blemish)$"
)
# Bytes on disk of every installed package, but of what installs.
SIZES = """
import json
from importlib.metadata import distributions
sizes = {
    each.name: sum(path.stat().st_size for name in each.files or () if (path := each.locate_file(name)).is_file())
    for each in distributions() if each.name not in ("pip", "setuptools")
}
print(json.dumps(sizes))
"""
# Runs the command line as `blemish` does, but any connection is an error.
ALONE = """
import sys
def watch(event, arguments):
    if event == "socket.connect" or event == "socket.getaddrinfo":
        sys.exit(f"it wants a connection: {event} {arguments}")
sys.addaudithook(watch)
from blemish.cli.main import main
main(sys.argv[1:])
"""


def main() -> None:
    """Check both files; ends with one sentence and status 1 at the first thing that is wrong."""
    parser = argparse.ArgumentParser(description="Check the wheel and the sdist in a folder.")
    parser.add_argument("folder", type=Path, help="where `python -m build` has put them")
    parser.add_argument("--keep", type=Path, help="make the environment here and leave it")
    options = parser.parse_args()
    wheel, sdist = _only(options.folder, "*.whl"), _only(options.folder, "*.tar.gz")
    check_wheel(wheel)
    check_sdist(sdist)
    with tempfile.TemporaryDirectory(prefix="blemish-package-") as work:
        place = options.keep or Path(work) / "environment"
        python = install(wheel, place)
        inspect_alone(python, Path(work))
        print_sizes(python)
    print(f"{wheel.name} and {sdist.name} are whole, and the base install inspects alone.")


def check_wheel(wheel: Path) -> None:
    """Everything that lies in src/blemish must be in the wheel: templates, style sheets, tables, migrations."""
    with zipfile.ZipFile(wheel) as archive:
        held = set(archive.namelist())
    _no_junk(wheel, held)
    source = ROOT / "src"
    wanted = {
        path.relative_to(source).as_posix() for path in (source / "blemish").rglob("*") if path.is_file()
    }
    _all_there(wheel, {name for name in wanted if not JUNK.search(name)}, held)


def check_sdist(sdist: Path) -> None:
    """The source, and all that it takes to judge it."""
    with tarfile.open(sdist) as archive:
        held = {name.partition("/")[2] for name in archive.getnames()}
    _no_junk(sdist, held)
    _all_there(sdist, set(NEEDED), held)
    if version("blemish") not in sdist.name or blemish.__version__ != version("blemish"):
        sys.exit(
            f"{sdist.name}, the environment ({version('blemish')}) and blemish.__version__ ({blemish.__version__}) "
            "disagree on the version: run `make setup` again."
        )


def install(wheel: Path, place: Path) -> Path:
    """A fresh environment with the wheel, without extras, at the versions that were tested; its Python."""
    venv.create(place, with_pip=True, clear=True)
    python = place / ("Scripts" if os.name == "nt" else "bin") / "python"
    _run(
        python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
        "--constraint", ROOT / "constraints.txt", wheel.resolve(),
    )  # fmt: skip
    there = _run(
        python, "-c", f"import importlib.util as u; print([n for n in {LABORATORY} if u.find_spec(n)])"
    )
    if there.strip() != "[]":
        sys.exit(f"The base install brings {there.strip()}: they belong to an extra, see pyproject.toml.")
    _run(python, "-m", "blemish", "--help")
    return python


def inspect_alone(python: Path, work: Path) -> None:
    """Fit here on the sample line, inspect there; the verdicts and scores must be those of this environment."""
    from blemish.data.sample_line import write_sample_line

    (parts,) = write_sample_line(work / "parts", ("washer",), train=12, good=2, per_defect_type=1, size=128)
    artifact = work / "washer.blemish"
    _run(
        sys.executable,
        "-m",
        "blemish",
        "fit",
        parts,
        "--out",
        artifact,
        "--size",
        128,
        "--set",
        "coreset_size=100",
    )
    photographs = sorted((parts / "test").glob("*/*.png"))
    inspect = ("inspect", artifact, *photographs, "--json")
    there, here = (
        [
            (each["verdict"], round(each["score"], 4))
            for each in json.loads(_run(*command, *inspect, rejects=True))
        ]
        for command in ((python, "-c", ALONE), (sys.executable, "-m", "blemish"))
    )
    if there != here or len(there) != len(photographs):
        sys.exit(f"The base install judges otherwise than this environment: {there} instead of {here}.")
    other = shutil.copy(artifact, work / "other.blemish")
    compare = ("compare-image", photographs[0], "--inspectors", artifact, other, "--out", work / "compared")
    _run(python, "-m", "blemish", *compare, rejects=True)


def print_sizes(python: Path) -> None:
    """What the base install takes on disk, package by package.

    Raises:
        SystemExit: it is more than 500 MB.
    """
    sizes: Counter[str] = Counter(json.loads(_run(python, "-c", SIZES)))
    total = sum(sizes.values()) / 1e6
    for name, size in sizes.most_common(10):
        print(f"  {name:20} {size / 1e6:6.1f} MB")
    print(f"  {'the base install':20} {total:6.1f} MB, of {MOST_MEGABYTES} at most")
    if total > MOST_MEGABYTES:
        sys.exit(f"The base install takes {total:.0f} MB: keep it under {MOST_MEGABYTES}.")


def _run(*command: object, rejects: bool = False) -> str:
    """What a command prints on stdout; away from the source tree, and with none of its paths."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    if command[0] == sys.executable and "PYTHONPATH" in os.environ:
        environment["PYTHONPATH"] = os.environ["PYTHONPATH"]
    done = subprocess.run(
        [str(part) for part in command],
        capture_output=True,
        text=True,
        env=environment,
        cwd=tempfile.gettempdir(),
    )
    if done.returncode not in ((0, 1) if rejects else (0,)):
        shown = " ".join(str(part) for part in command[:6])
        sys.exit(f"`{shown} ...` ended with status {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def _only(folder: Path, pattern: str) -> Path:
    found = sorted(folder.glob(pattern))
    if len(found) != 1:
        sys.exit(f"{folder} holds {len(found)} files {pattern}: it needs one. Run `make package`.")
    return found[0]


def _no_junk(archive: Path, held: set[str]) -> None:
    if junk := sorted(name for name in held if JUNK.search(name)):
        sys.exit(f"{archive.name} holds what does not belong there: {', '.join(junk[:5])}.")


def _all_there(archive: Path, wanted: set[str], held: set[str]) -> None:
    if absent := sorted(wanted - held):
        sys.exit(f"{archive.name} lacks {', '.join(absent[:5])}: see [tool.hatch.build] in pyproject.toml.")


if __name__ == "__main__":
    main()
