"""The steps of the comparison: which processes each side runs, in which turns, and what is kept of them."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from environment import CACHE
from processes import FailedError, Worker, run

HERE = Path(__file__).resolve().parent
SIZE = 256
STARTED = 3
STARTS = {
    "to judge": (
        "from blemish.line.runtime import Inspector",
        "from anomalib.deploy import OpenVINOInferencer",
    ),
    "to learn": (
        "from blemish.detectors.memory.patchcore import PatchCore",
        "from anomalib.models import Patchcore; from anomalib.engine import Engine; from anomalib.data import Folder",
    ),
}


class Comparison:
    """All steps, each kept as it ends.

    Args:
        options: of the command line.
        python: the peer's interpreter.
    """

    def __init__(self, options: argparse.Namespace, python: Path) -> None:
        self.options, self.folder = options, CACHE / "results"
        self.ours = [sys.executable, HERE / "run_blemish.py"]
        self.theirs = [python, HERE / "run_anomalib.py"]
        self.python, self.exports = python, self.folder / "models"
        self.exports.mkdir(parents=True, exist_ok=True)

    def kept(self, name: str, compute: Callable[[], Any]) -> Any:
        """What a step has measured, now or, with --resume, before; a step that fails is said, and kept as such."""
        file = self.folder / f"{name}{'-quick' if self.options.quick else ''}.json"
        if self.options.resume and file.is_file():
            return json.loads(file.read_text("utf-8"))
        print(name, file=sys.stderr, flush=True)
        try:
            found = compute()
        except FailedError as failure:
            print(f"{name}: {failure}.", file=sys.stderr, flush=True)
            found = {"failed": str(failure)}
        unfinished = file.with_suffix(".part")
        unfinished.write_text(json.dumps(found), "utf-8")
        unfinished.replace(file)
        return found

    def ask(self, command: list[Any], *words: object) -> Any:
        """The document of one of the runners."""
        return run([*command, *words], self.options.limit, folder=self.exports).document

    def prepared(self, name: str, data: Path) -> dict[str, Any]:
        """A set's photographs."""
        listed = self.exports / f"{name}-photographs.json"  # an export writes NAME.json
        return {**self.ask(self.ours, "photographs", *words(data=data, out=listed)), "list": str(listed)}

    def weights(self, backbone: str) -> dict[str, Any]:
        """A backbone's weights for both sides."""
        out = self.exports / f"{backbone}.safetensors"
        given = words(backbone=backbone, size=SIZE, out=out)
        return {**self.ask(self.ours, "weights", *given), "file": str(out)}

    def fit_ours(self, data: Path, out: Path, *words: object) -> dict[str, Any]:
        """`blemish fit` in a process of its own, its cache empty."""
        with tempfile.TemporaryDirectory() as cache:
            command = [sys.executable, "-m", "blemish", "fit", data, "--out", out, "--json", *words]
            done = run(command, self.options.limit, {"BLEMISH_CACHE": cache})
        return {"seconds": done.seconds, "cpu_seconds": done.cpu_seconds, "peak_mib": done.peak_mib}

    def theirs_on(self, data: Path, out: Path, weights: dict[str, Any], share: float) -> list[Any]:
        """The command of anomalib's fit."""
        given = words(data=data, out=out, weights=weights["file"], backbone=weights["timm_name"], size=SIZE)
        given += words(
            layers=",".join(weights["layers"]), interpolation=weights["interpolation"], share=share
        )
        return [*self.theirs, "fit", *given, "--mean", *weights["mean"], "--std", *weights["std"]]

    def fit_theirs(self, data: Path, out: Path, weights: dict[str, Any], share: float) -> dict[str, Any]:
        """anomalib's `Engine.fit` in a process of its own."""
        done = run(self.theirs_on(data, out, weights, share), self.options.limit, folder=self.exports)
        return {
            "seconds": done.seconds,
            "cpu_seconds": done.cpu_seconds,
            "peak_mib": done.peak_mib,
            "engine_seconds": done.document["seconds"],
            "bank": done.document["bank"],
            "model": done.document["model"],
        }

    def equal(self, share: float, backbone: str = "efficientnet_lite0") -> list[Any]:
        """Options of `blemish fit` that make what anomalib makes: the preset `paper`, its size, taps and share."""
        recipe = ["--detector", "patchcore:paper", "--set", f"size={SIZE}", "--set", f"coreset_ratio={share}"]
        return [*recipe, "--set", f"backbone={backbone}"]

    def fits(self, name: str, data: Path, share: float) -> dict[str, Any]:
        """Both fits and the default's, in turns; the models of the last turn stay."""
        weights, found = self.weights("efficientnet_lite0"), {"equal": [], "default": [], "anomalib": []}
        equal, default = self.exports / f"{name}.blemish", self.exports / f"{name}-default.blemish"
        for _ in range(self.options.runs):
            found["equal"].append(self.fit_ours(data, equal, *self.equal(share)))
            found["anomalib"].append(self.fit_theirs(data, self.exports / name, weights, share))
            found["default"].append(self.fit_ours(data, default))
        return {"share": share, "inspectors": {"equal": str(equal), "default": str(default)}, **found}

    def finished_fits(self, name: str, data: Path) -> dict[str, Any]:
        """`fits` at the first of the coreset's shares at which both end in time."""
        found: dict[str, Any] = {}
        for share in map(float, self.options.shares.split(",")):
            found = self.kept(f"{name}-fits-{share}", lambda share=share: self.fits(name, data, share))
            if "failed" not in found:
                break
        return found

    def aurocs(self, name: str, data: Path, fits: dict[str, Any], listed: str) -> dict[str, Any]:
        """Both areas of the raw scores and maps of all three."""
        models = {which: (self.ours, of) for which, of in fits["inspectors"].items()}
        models["anomalib"] = (self.theirs, fits["anomalib"][-1]["model"])
        found = {}
        for which, (command, model) in models.items():
            out = self.exports / f"{name}-{which}.npz"
            self.ask(command, "scores", *words(model=model, photographs=listed, out=out))
            found[which] = self.ask(self.ours, "auroc", *words(data=data, scores=out))
            out.unlink()
        return found

    def direct(self, inspector: str, listed: str) -> dict[str, Any]:
        """How far the runtime is from a direct computation."""
        found: dict[str, Any] = self.ask(self.ours, "reference", *words(model=inspector, photographs=listed))
        return found

    def latency(self, inspector: str, model: str, name: str, known: dict[str, Any]) -> dict[str, Any]:
        """File to verdict by every runtime of both, in turns; anomalib's exports are its own."""
        size = ("--photograph", known["height"], known["width"])
        exports = self.ask(
            self.theirs, "export", *words(model=model, out=self.exports / f"{name}-exports"), *size
        )
        graph = self.exports / f"{name}.onnx"
        self.ask([sys.executable, "-m", "blemish", "export", inspector], *words(out=graph), "--json")
        own = {"openvino-f32": inspector, "onnxruntime": graph, "backbone": inspector}
        other = {"torch": model, "openvino-f32": exports["openvino"], "onnxruntime": exports["onnx"]}
        if has_bfloat16():
            other["openvino-bf16"] = exports["openvino"]
        commands = {
            f"{side}, {runtime}": [*command, "worker", *words(runtime=runtime, model=of)]
            for side, command, models in (("Blemish", self.ours, own), ("anomalib", self.theirs, other))
            for runtime, of in models.items()
        }
        return self.turns(commands, known["of_this_shape"])

    def turns(self, commands: dict[str, list[Any]], paths: list[str]) -> dict[str, Any]:
        """Lots of each process in turn, after one that does not count; a runtime that fails is said and left out."""
        lots: dict[str, list[Any]] = {}
        with ExitStack() as held, tempfile.TemporaryDirectory() as folder:
            workers = {}
            for name, command in commands.items():
                try:
                    workers[name] = held.enter_context(Worker(command, self.options.limit, Path(folder)))
                    workers[name].judge(paths[:2])
                except FailedError as failure:
                    print(f"{name}: {failure}.", file=sys.stderr, flush=True)
                    workers.pop(name, None)
            for turn in range(self.options.turns):
                lot = [paths[(turn * 8 + number) % len(paths)] for number in range(8)]
                for name, worker in workers.items():
                    lots.setdefault(name, []).append(worker.judge(lot))
        return lots

    def whole_bank(self, backbone: str, count: int, data: Path, known: dict[str, Any]) -> dict[str, Any]:
        """File to verdict with every patch of `count` photographs in the bank of both, by random weights.

        There is no coreset, and no weight of the score, as Blemish would seek each vector's neighbours at the fit.
        """
        weights, name = self.weights(backbone), f"{backbone}-whole"
        inspector, model = self.exports / f"{name}.blemish", self.exports / name
        with tempfile.TemporaryDirectory() as folder:
            good = Path(folder) / "few" / "train" / "good"
            good.mkdir(parents=True)
            for path in sorted((data / "train" / "good").iterdir())[:count]:
                (good / path.name).symlink_to(path)
            few = good.parents[1]
            given = ("--weights", f"{backbone}={weights['file']}", "--no-pictures")
            self.fit_ours(few, inspector, *self.equal(1.0, backbone), "--set", "reweighting=0", *given)
            theirs = self.ask(self.theirs_on(few, model, weights, 1.0), "--whole-bank", "--neighbours", 1)
        return {
            "lots": self.latency(str(inspector), theirs["model"], name, known),
            "bank": theirs["bank"],
        }

    def starts(self) -> dict[str, Any]:
        """Processes that only import, or say --help, in turns: seconds and CPU seconds of each."""
        commands: dict[str, list[Any]] = {}
        for what, (ours, theirs) in STARTS.items():
            commands[f"Blemish, import {what}"] = [sys.executable, "-c", ours]
            commands[f"anomalib, import {what}"] = [self.python, "-c", theirs]
        commands["Blemish, --help"] = [sys.executable, "-m", "blemish", "--help"]
        commands["anomalib, --help"] = [self.python.with_name("anomalib"), "--help"]
        found: dict[str, list[Any]] = {name: [] for name in commands}
        for turn in range(STARTED + 1):
            for name, command in commands.items():
                done = run(command, self.options.limit, folder=self.exports)
                if turn:  # the first one reads the disk
                    found[name].append({"seconds": done.seconds, "cpu_seconds": done.cpu_seconds})
        return found

    def sizes(self) -> dict[str, Any]:
        """Packages and bytes of what runs on a line, of what learns, and of the peer."""
        wanted = {
            "Blemish, on the line": (sys.executable, "blemish"),
            "Blemish with [train]": (sys.executable, "blemish[train]"),
            "anomalib[openvino] with torch": (self.python, "anomalib[openvino]", "torch", "torchvision"),
        }
        found = {}
        for name, (python, *packages) in wanted.items():
            found[name] = self.ask([python, HERE / "installed.py"], *packages)
        return found


def words(**options: object) -> list[Any]:
    """Options of a command line, by their names."""
    return [word for name, value in options.items() for word in (f"--{name}", value)]


def has_bfloat16() -> bool:
    """Whether the processor computes bfloat16; elsewhere OpenVINO takes float32 for it."""
    try:
        flags = Path("/proc/cpuinfo").read_text("utf-8")
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags
