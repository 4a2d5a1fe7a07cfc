"""Blemish's side of the comparison, in processes of its own as the peer's is.

python run_blemish.py weights|photographs|scores|auroc|reference|worker [OPTIONS]
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from worker import serve, speak


def weights(options: argparse.Namespace) -> None:
    """Write a backbone's weights for both sides, and what pixels it expects: real ones, or random ones by a seed."""
    import torch
    from safetensors.torch import save_file

    from blemish.features.backbones import PACKAGED, load_backbone

    torch.manual_seed(options.seed)
    real = options.backbone in PACKAGED
    backbone = load_backbone(options.backbone, pretrained=real)
    contract = backbone.preprocessing(options.size, options.size)
    save_file({name: one.contiguous() for name, one in backbone.network.state_dict().items()}, options.out)
    speak(
        {
            "real": real,
            "timm_name": PACKAGED[options.backbone][0] if real else options.backbone,
            "layers": [info["module"] for info in backbone.network.feature_info.get_dicts()],
            "mean": [value / 255 for value in contract.mean],
            "std": [value / 255 for value in contract.std],
            "interpolation": contract.interpolation,
        }
    )


def photographs(options: argparse.Namespace) -> None:
    """The test photographs of a category, in the catalog's order, and how many are learnt from.

    And those of the shape that most of them have: the peer's exports take one shape.
    """
    from blemish.core.images import read_image
    from blemish.data.catalog import open_catalog

    catalog = open_catalog(options.data)
    paths = [str(path) for path in catalog.test().path]
    shapes = [read_image(path).shape[:2] for path in paths]
    (height, width), _ = Counter(shapes).most_common(1)[0]
    alike = [path for path, shape in zip(paths, shapes, strict=True) if shape == (height, width)]
    options.out.write_text(json.dumps(paths), "utf-8")
    of = {"test": len(paths), "train": len(catalog.train_normal())}
    speak({**of, "height": height, "width": width, "of_this_shape": alike})


def scores(options: argparse.Namespace) -> None:
    """Scores and maps of photographs as the line's runtime gives them, as an .npz file."""
    import numpy as np

    from blemish.core.images import read_image
    from blemish.line.runtime import Inspector

    inspector = Inspector.load(options.model)
    paths = json.loads(options.photographs.read_text("utf-8"))
    said = [inspector.predict(read_image(path)) for path in paths]
    maps = np.stack([np.asarray(one.anomaly_map, np.float32) for one in said])
    np.savez(options.out, scores=np.asarray([one.score for one in said], np.float64), maps=maps)
    speak({"scores": str(options.out)})


def auroc(options: argparse.Namespace) -> None:
    """Image and pixel AUROC of scores and maps, whoever made them."""
    import numpy as np

    from blemish.core.images import read_mask
    from blemish.data.catalog import open_catalog
    from blemish.evaluation.evaluate import mask_on_grid
    from blemish.evaluation.metrics import image_auroc, pixel_metrics

    with np.load(options.scores) as given:
        found, maps = given["scores"], given["maps"]
    table, masks, kept = open_catalog(options.data).test(), [], []
    labels = (table.label == "anomalous").to_numpy()
    for one, mask, anomalous in zip(maps, table["mask"], labels, strict=True):
        if anomalous and not (isinstance(mask, str) and mask):
            continue  # where its defect is, nobody knows
        masks.append(
            mask_on_grid(read_mask(mask), *one.shape) if anomalous else np.zeros(one.shape, np.bool_)
        )
        kept.append(one)
    speak({"image_auroc": image_auroc(labels, found), "pixel_auroc": pixel_metrics(masks, kept).auroc})


def reference(options: argparse.Namespace) -> None:
    """How far the runtime is from a direct computation in float64, on photographs; and whether both find one order.

    Features are the laboratory's in float64, vectors the artifact's own.
    """
    import numpy as np
    import onnx
    import torch
    from onnx import numpy_helper
    from reference import LearntContext, Recipe, largest_difference, score_and_map

    from blemish.core.images import read_image
    from blemish.features.backbones import load_backbone
    from blemish.line.artifact import MODEL, read_artifact
    from blemish.line.runtime import Inspector
    from blemish.making.bank_graph import BankGraph
    from blemish.view.preprocessing import preprocess

    artifact = read_artifact(options.model)
    inspector, model = Inspector.load(options.model), artifact.content(MODEL)
    asked, contract = artifact.manifest.detector.parameters, artifact.manifest.preprocessing
    held = {one.name: one for one in onnx.load_from_string(model).graph.initializer}

    def stored(of: str) -> np.ndarray | None:
        found = [numpy_helper.to_array(one) for name, one in held.items() if name.endswith(of)]
        return np.asarray(found[0], np.float64) if found else None

    whole = stored(".reweighting.bank")
    bank = BankGraph(model, inspector.name).bank if whole is None else whole
    parts = [stored(f".context.{name}") for name in ("descriptors", "scale", "offsets")]
    recipe = Recipe(
        size=(contract.height, contract.width),
        sigma=float(asked["sigma"]),
        neighbourhood=asked["neighbourhood"],
        score_of_map=asked["score"] == "map",
        reweighting=asked["reweighting"],
        context=None if parts[0] is None else LearntContext(*parts, asked["context"]),
    )
    given = None if options.weights is None else options.weights
    backbone = load_backbone(asked["backbone"], asked["taps"], weights=given).double()
    found, expected, maps = [], [], []
    for path in json.loads(options.photographs.read_text("utf-8"))[: options.most]:
        image = read_image(path)
        with torch.inference_mode():
            features = backbone(torch.from_numpy(preprocess(image, contract)).double()[None])
        score, anomaly_map = score_and_map([one[0].numpy() for one in features], bank, recipe)
        said = inspector.predict(image)
        found.append(said.score)
        expected.append(score)
        maps.append(largest_difference(said.anomaly_map, anomaly_map))
    speak(
        {
            "photographs": len(found),
            "bank": list(bank.shape),
            "score_error": float(np.max(np.abs(np.divide(found, expected) - 1))),
            "map_error": max(maps),
        }
    )


def worker(options: argparse.Namespace) -> None:
    """From file to verdict by one runtime, in lots; `backbone` for the network in front of the bank alone."""
    serve(judge_by(options.runtime, options.model))


def judge_by(runtime: str, model: Path) -> Callable[[str], object]:
    """What judges one file."""
    if runtime == "openvino-f32":
        from blemish.line.runtime import Inspector

        return Inspector.load(model).inspect
    from blemish.core.images import read_image

    if runtime == "onnxruntime":
        import onnxruntime

        passive = onnxruntime.SessionOptions()
        passive.add_session_config_entry("session.intra_op.allow_spinning", "0")
        session = onnxruntime.InferenceSession(str(model), passive, providers=["CPUExecutionProvider"])
        return lambda path: session.run(None, {"photograph": read_image(path)})
    return _bare_backbone(model)


def _bare_backbone(model: Path) -> Callable[[str], object]:
    """The inspector's backbone alone, on what the inspector would give it."""
    import torch

    from blemish.core.images import read_image
    from blemish.core.network import CompiledNetwork
    from blemish.features.backbones import load_backbone
    from blemish.features.onnx_export import to_onnx
    from blemish.line.artifact import read_manifest
    from blemish.view.preprocessing import preprocess

    manifest = read_manifest(model)
    asked, contract = manifest.detector.parameters, manifest.preprocessing
    # Time does not depend on the values of the weights.
    backbone = load_backbone(asked["backbone"], asked["taps"], pretrained=False)
    example = torch.zeros(1, 3, contract.height, contract.width)
    network = CompiledNetwork(to_onnx(backbone, example, [backbone.tap_name(tap) for tap in backbone.taps]))
    return lambda path: network(preprocess(read_image(path), contract)[None])


def main() -> None:
    """Run one command."""
    parser = argparse.ArgumentParser(description="Blemish's side of the comparison.")
    verbs = parser.add_subparsers(required=True)
    files: dict[Callable[[argparse.Namespace], None], tuple[str, ...]] = {
        weights: ("out",),
        photographs: ("data", "out"),
        scores: ("model", "photographs", "out"),
        auroc: ("data", "scores"),
        reference: ("model", "photographs"),
        worker: ("model",),
    }
    for does, needed in files.items():
        verb = verbs.add_parser(does.__name__)
        verb.set_defaults(run=does)
        for name in needed:
            verb.add_argument(f"--{name}", type=Path, required=True)
        if does is weights:
            verb.add_argument("--backbone", required=True)
            verb.add_argument("--size", type=int, required=True)
            verb.add_argument("--seed", type=int, default=0)
        if does is reference:
            verb.add_argument("--weights", type=Path)
            verb.add_argument("--most", type=int, default=8)
        if does is worker:
            verb.add_argument("--runtime", choices=("openvino-f32", "onnxruntime", "backbone"), required=True)
    options = parser.parse_args()
    options.run(options)


if __name__ == "__main__":
    sys.exit(main())
