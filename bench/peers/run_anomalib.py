"""anomalib's PatchCore, run as its documentation says, in its own environment. It imports nothing of Blemish.

    python run_anomalib.py fit|export|scores|worker [OPTIONS]

Each command prints JSON documents, one a line. Not one of anomalib's own functions is replaced; what is given are its
documented arguments: pre-processor, layers, share of the coreset, weights.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from worker import serve, speak

os.environ["TRUST_REMOTE_CODE"] = "1"  # its torch file is a pickle, which this script has made itself


def fit(options: argparse.Namespace) -> None:
    """Learn from the good photographs of a category and write its torch model, without validation, which saves time."""
    from anomalib.data import Folder
    from anomalib.engine import Engine
    from anomalib.models import Patchcore
    from anomalib.pre_processing import PreProcessor
    from torchvision.transforms.v2 import Compose, InterpolationMode, Normalize, Resize

    size = (options.size, options.size)
    resize = Resize(size, InterpolationMode(options.interpolation), antialias=True)
    model = Patchcore(
        backbone=options.backbone,
        layers=options.layers.split(","),
        pre_trained=False,
        coreset_sampling_ratio=options.share,
        num_neighbors=options.neighbours,
        pre_processor=PreProcessor(Compose([resize, Normalize(options.mean, options.std)])),
        visualizer=False,
        evaluator=False,
    )
    load_weights(model.model.feature_extractor.feature_extractor, options.weights)
    data = Folder(
        name=options.data.name,
        root=options.data,
        normal_dir="train/good",
        test_split_mode="none",
        val_split_mode="none",
        num_workers=0,
    )
    engine = Engine(
        accelerator="cpu",
        default_root_dir=options.out,
        enable_progress_bar=False,
        logger=False,
        limit_val_batches=0,
    )
    if options.whole_bank:
        fill_whole(model, data)
    began, worked = time.perf_counter(), time.process_time()
    if not options.whole_bank:
        engine.fit(model=model, datamodule=data)
    seconds, cpu = time.perf_counter() - began, time.process_time() - worked
    path = model.to_torch(options.out)
    speak(
        {
            "seconds": seconds,
            "cpu_seconds": cpu,
            "bank": list(model.model.memory_bank.shape),
            "model": str(path),
        }
    )


def fill_whole(model, data) -> None:
    """Every patch into the memory bank, by its own pre-processor and embedding, without choosing: for times alone."""
    import torch

    data.setup()
    model.model.train()
    with torch.no_grad():
        for batch in data.train_dataloader():
            model.model(model.pre_processor(batch.image))
    model.model.memory_bank = torch.vstack(model.model.embedding_store)
    model.model.embedding_store.clear()
    model.eval()


def load_weights(network: object, path: Path) -> None:
    """Load a safetensors file of the whole cut network; every tensor has to fit."""
    from safetensors.torch import load_file

    network.load_state_dict(load_file(path))  # type: ignore[attr-defined]


def export(options: argparse.Namespace) -> None:
    """Its own exports of a torch model, to OpenVINO and to ONNX, for one size of photographs."""
    model = loaded(options.model)
    size = tuple(options.photograph)
    # One photograph at a time; with its default, a free number, the exporter fixes it at two.
    fixed = {"dynamic_shapes": None}
    speak(
        {
            "openvino": str(model.to_openvino(options.out, input_size=size, onnx_kwargs=dict(fixed))),
            "onnx": str(model.to_onnx(options.out, input_size=size, **fixed)),
        }
    )


def loaded(path: Path):
    """The module that `to_torch` has written."""
    from anomalib.deploy import TorchInferencer

    return TorchInferencer(path=path, device="cpu").model


def scores(options: argparse.Namespace) -> None:
    """Raw scores and maps of photographs, before anomalib scales and clamps them, as an .npz file."""
    import numpy as np
    import torch
    from anomalib.data.utils import read_image

    model = loaded(options.model)
    found, maps = [], []
    with torch.inference_mode():
        for path in json.loads(options.photographs.read_text("utf-8")):
            said = model.model(model.pre_processor(read_image(path, as_tensor=True)[None]))
            found.append(float(said.pred_score))
            maps.append(said.anomaly_map[0, 0].numpy().astype(np.float32))
    np.savez(options.out, scores=np.asarray(found, np.float64), maps=np.stack(maps))
    speak({"scores": str(options.out)})


def worker(options: argparse.Namespace) -> None:
    """From file to verdict by one of its runtimes, in lots."""
    serve(judge_by(options.runtime, options.model))


def judge_by(runtime: str, model: Path) -> Callable[[str], object]:
    """What judges one file."""
    if runtime == "torch":
        import torch
        from anomalib.deploy import TorchInferencer

        inferencer = TorchInferencer(path=model, device="cpu")

        def by_torch(path: str) -> object:
            with torch.inference_mode():
                return inferencer.predict(path)

        return by_torch
    if runtime.startswith("openvino"):
        from anomalib.deploy import OpenVINOInferencer

        precision = {"openvino-f32": "f32", "openvino-bf16": "bf16"}[runtime]
        config = {"INFERENCE_PRECISION_HINT": precision, "PERFORMANCE_HINT": "LATENCY"}
        return OpenVINOInferencer(path=model, device="CPU", config=config).predict
    import onnxruntime
    from anomalib.data.utils import read_image
    from anomalib.deploy import OpenVINOInferencer

    passive = onnxruntime.SessionOptions()
    passive.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(str(model), passive, providers=["CPUExecutionProvider"])
    entry = session.get_inputs()[0].name

    def by_onnxruntime(path: str) -> object:
        # It has no inferencer of its own for ONNX Runtime: its OpenVINO one's reading is used.
        return session.run(None, {entry: OpenVINOInferencer.pre_process(read_image(path))})

    return by_onnxruntime


def main() -> None:
    """Run one command."""
    parser = argparse.ArgumentParser(description="anomalib's PatchCore.")
    verbs = parser.add_subparsers(required=True)
    one = verbs.add_parser("fit")
    for name in ("data", "weights", "out"):
        one.add_argument(f"--{name}", type=Path, required=True)
    for name in ("backbone", "layers", "interpolation"):
        one.add_argument(f"--{name}", required=True)
    one.add_argument("--size", type=int, required=True)
    one.add_argument("--share", type=float, required=True)
    one.add_argument("--neighbours", type=int, default=9, help="in the weight of the score; 1 for none")
    one.add_argument("--mean", type=float, nargs=3, required=True)
    one.add_argument("--std", type=float, nargs=3, required=True)
    one.add_argument("--whole-bank", action="store_true", help="every patch instead of a coreset")
    one.set_defaults(run=fit)
    one = verbs.add_parser("export")
    one.add_argument("--photograph", type=int, nargs=2, required=True, help="height and width")
    one.set_defaults(run=export)
    _with_model(one).add_argument("--out", type=Path, required=True)
    one = verbs.add_parser("scores")
    one.add_argument("--photographs", type=Path, required=True, help="a JSON list of files")
    one.set_defaults(run=scores)
    _with_model(one).add_argument("--out", type=Path, required=True)
    one = verbs.add_parser("worker")
    one.add_argument("--runtime", required=True)
    one.set_defaults(run=worker)
    _with_model(one)
    options = parser.parse_args()
    options.run(options)


def _with_model(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser.add_argument("--model", type=Path, required=True)
    return parser


if __name__ == "__main__":
    sys.exit(main())
