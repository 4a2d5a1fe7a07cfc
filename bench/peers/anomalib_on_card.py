"""anomalib's own PatchCore and EfficientAD on a card, in its own environment: seconds, photographs and steps a second.

    python anomalib_on_card.py --good FOLDER --shown FOLDER --device cuda [--backbone B] [--size N] [--steps N]

Weights are random: they change no time. `Engine.fit` and `Engine.predict` are what it offers; of EfficientAD its
network, its losses and its optimizer are trained step by step on a photograph that lies ready, for its own module wants
to download a teacher and 1.5 GB of photographs first. So its steps are spared the reading that Blemish's hold.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path

from worker import speak

BATCH = 32
LAYERS = ["layer2", "layer3"]


def synchronised(device: str) -> float:
    """Now, when the card has done what it was told."""
    import torch

    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


def patchcore(options: argparse.Namespace, out: Path) -> dict[str, float]:
    """Fit its recipe of the paper, a tenth of all patches, and score files in batches."""
    from anomalib.data import Folder, PredictDataset
    from anomalib.engine import Engine
    from anomalib.models import Patchcore
    from anomalib.pre_processing import PreProcessor
    from torch.utils.data import DataLoader
    from torchvision.transforms.v2 import CenterCrop, Compose, Normalize, Resize

    size, crop = (options.size, options.size), (options.crop, options.crop)
    standard = Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    model = Patchcore(
        backbone=options.backbone,
        layers=LAYERS,
        pre_trained=False,
        coreset_sampling_ratio=0.1,
        pre_processor=PreProcessor(Compose([Resize(size, antialias=True), CenterCrop(crop), standard])),
        visualizer=False,
        evaluator=False,
    )
    data = Folder(
        name="good",
        root=options.good,
        normal_dir=".",
        test_split_mode="none",
        val_split_mode="none",
        train_batch_size=BATCH,
        num_workers=0,
    )
    engine = Engine(
        accelerator=options.device,
        devices=1,
        default_root_dir=out,
        enable_progress_bar=False,
        logger=False,
        limit_val_batches=0,
    )
    began = synchronised(options.device)
    engine.fit(model=model, datamodule=data)
    fitted = synchronised(options.device)

    def score(folder: Path) -> float:
        files = PredictDataset(path=folder, image_size=size)
        loader = DataLoader(files, batch_size=BATCH, collate_fn=files.collate_fn, num_workers=options.workers)
        begun = synchronised(options.device)
        engine.predict(model=model, dataloaders=[loader], return_predictions=False)
        return len(files) / (synchronised(options.device) - begun)

    warm = out / "warm"
    warm.mkdir()
    for path in sorted(options.shown.iterdir())[:2]:
        shutil.copy(path, warm)
    score(warm)
    return {
        "fit_seconds": fitted - began,
        "bank": len(model.model.memory_bank),
        "images_a_second": score(options.shown),
    }


def efficientad(options: argparse.Namespace) -> dict[str, float]:
    """Steps a second of its small network at batches of one, after some that do not count."""
    import torch
    from anomalib.models.image.efficient_ad.torch_model import EfficientAdModel, EfficientAdModelSize

    model = EfficientAdModel(384, EfficientAdModelSize.S).to(options.device).train()
    learnt = [*model.student.parameters(), *model.ae.parameters()]
    optimizer = torch.optim.Adam(learnt, lr=1e-4, weight_decay=1e-5)
    photograph, other = torch.rand(2, 1, 3, 256, 256, device=options.device)

    def train(steps: int) -> float:
        began = synchronised(options.device)
        for _ in range(steps):
            optimizer.zero_grad()
            sum(model(batch=photograph, batch_imagenet=other)).backward()
            optimizer.step()
        return synchronised(options.device) - began

    train(max(1, options.steps // 10))
    rate = options.steps / train(options.steps)
    return {"steps_a_second": rate, "minutes_of_70000": 70_000 / rate / 60}


def main() -> None:
    """Measure both and print one JSON document."""
    parser = argparse.ArgumentParser(description="anomalib on a card.")
    parser.add_argument("--good", type=Path, required=True, help="folder of photographs to learn from")
    parser.add_argument("--shown", type=Path, required=True, help="folder of photographs to score")
    parser.add_argument("--device", required=True, choices=("cuda", "cpu"))
    parser.add_argument("--backbone", default="wide_resnet50_2")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--crop", type=int, default=224)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--workers", type=int, default=8, help="processes that read photographs to score")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        said = {"patchcore": patchcore(options, Path(folder)), "efficientad": efficientad(options)}
    speak(said)


if __name__ == "__main__":
    sys.exit(main())
