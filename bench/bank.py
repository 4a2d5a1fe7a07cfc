"""The memory bank: choosing it, searching it, and measuring what it finds, each beside the plain way. About 6 minutes.

    python bench/bank.py [--turns 9] [--write]

The coreset is chosen from random vectors near a surface of 12 dimensions, a hundredth of them; the plain loop, one pass
over all for each pick, is run for a few picks and multiplied, as each takes as long as the other. The bank is made of
the patches of generated parts, read by a WideResNet50 whose weights are drawn by a seed (the search depends on how the
vectors lie, so with other weights it takes another time). Times of photographs are medians of turns in which all
networks take part one after the other, and ratios are medians of the ratios of a turn.
"""

from __future__ import annotations

import argparse
import functools
import gc
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from measuring.command import run_blemish
from measuring.pages import ROOT, origin, table, write_block
from torch import Tensor, nn

from blemish.core.execution import Execution
from blemish.core.images import list_images, read_image
from blemish.core.network import CompiledNetwork
from blemish.detectors.frozen import BackboneWithHead, batch_of_one
from blemish.detectors.layers import PatchEmbedding, PatchScoring
from blemish.detectors.memory.coreset import greedy_coreset, random_projection
from blemish.detectors.memory.nearest_patch import NearestPatch
from blemish.detectors.memory.patchcore import PatchCore
from blemish.detectors.memory.patchcore_network import PatchCoreHead
from blemish.evaluation.metrics import pixel_metrics
from blemish.evaluation.pixel_histogram import binned_pixel_metrics
from blemish.features.backbones import load_backbone
from blemish.features.onnx_export import to_onnx
from blemish.view.preprocessing import look, standardise

PAGE = ROOT / "docs" / "performance.md"
CORES = 2
SIZES = ((10_000, 64), (50_000, 512), (204_800, 1536))
PLAIN_PICKS = 12
BANK = 20_480
PICTURE = 256
SHOWN = 6


def processor_seconds(work: Callable[[], object]) -> float:
    """Time on the processor: others on the machine do not count."""
    started = time.process_time()
    work()
    return time.process_time() - started


def coreset_row(count: int, dimensions: int) -> list[str]:
    """One size: the plain loop and ours, after the same projection."""
    generator = torch.Generator().manual_seed(0)
    rows = torch.randn(count, 12, generator=generator) @ torch.randn(12, dimensions, generator=generator)
    for part in torch.split(rows, 8192):
        part += 0.1 * torch.randn(part.shape, generator=generator)
    projecting = processor_seconds(lambda: random_projection(rows, 64, 0))
    projected = random_projection(rows, 64, 0)
    rows = rows[:0]
    gc.collect()
    size, picks = count // 100, []
    ours = processor_seconds(lambda: picks.extend(greedy_coreset(projected, size).tolist()))
    array, nearest = projected.numpy(), np.full(count, np.inf, np.float32)
    plain_picks = [picks[0]]

    def plain() -> None:
        while len(plain_picks) <= PLAIN_PICKS:
            offset = array - array[plain_picks[-1]]
            np.minimum(nearest, np.einsum("ij,ij->i", offset, offset), out=nearest)
            plain_picks.append(int(nearest.argmax()))

    slow = processor_seconds(plain) / PLAIN_PICKS * (size - 1)
    if plain_picks != picks[: len(plain_picks)]:
        raise SystemExit(f"The coreset of {count} vectors is not that of the plain loop.")
    named = f"{count:,} x {dimensions}, {size:,} chosen"
    return [named, f"{projecting:.2f}", f"{slow:.2f}", f"{ours:.2f}", f"{slow / ours:.1f}"]


def large_bank(work: Path) -> tuple[nn.Module, Tensor, list[np.ndarray]]:
    """The backbone, a bank of patches of good parts, and what the network is given of parts not among them."""
    run_blemish("sample", work, "--category", "washer", "--train", 24, "--size", 512, "--json", cache=work)
    detector = PatchCore(backbone="wide_resnet50_2", weights="random", size=PICTURE, taps=(8, 16), context=0)
    extractor, embedding = detector.extractor(), PatchEmbedding()
    good = list_images(work / "washer" / "train")
    with torch.inference_mode():
        patches = [
            embedding(batch_of_one(maps)).flatten(2)[0].T.contiguous() for maps in extractor.stream(good)
        ]
    every = torch.cat(patches)
    bank = every[greedy_coreset(random_projection(every, 64, 0), BANK)]
    shown = list_images(work / "washer" / "test")[:: 40 // SHOWN][:SHOWN]
    contract = extractor.contract
    given = [standardise(look(read_image(path), contract).picture, contract)[None] for path in shown]
    return extractor.backbone, bank, [np.asarray(one, np.float32) for one in given]


def compiled(network: nn.Module, given: np.ndarray, outputs: Sequence[str]) -> CompiledNetwork:
    """A network as the line runs it."""
    return CompiledNetwork(
        to_onnx(network.eval(), torch.from_numpy(given), outputs), Execution(threads=CORES)
    )


def in_turns(networks: Sequence[CompiledNetwork], given: Sequence[np.ndarray], turns: int) -> np.ndarray:
    """Milliseconds of each network, turns x networks, one after the other on the same photograph."""
    found = []
    for turn in range(-1, turns):
        times = []
        for network in networks:
            started = time.perf_counter()
            network(given[turn % len(given)])
            times.append(1e3 * (time.perf_counter() - started))
        found.append(times)
    return np.array(found[1:])


def photograph_rows(work: Path, turns: int) -> tuple[list[list[str]], str]:
    """Backbone alone, with a plain search, and with ours; and how far scores are from float64."""
    backbone, bank, given = large_bank(work)
    grid = PICTURE // 8
    scoring = PatchScoring((grid, grid), (PICTURE, PICTURE), None, 8.0)
    ours = PatchCoreHead(bank, embedding=PatchEmbedding(), scoring=scoring).eval()
    bare = compiled(backbone, given[0], ["tap8", "tap16"])
    fast = compiled(BackboneWithHead(backbone, ours), given[0], ["score", "map"])
    directions = 0 if ours.to_bank.search is None else ours.to_bank.search.directions.shape[1]
    error = largest_error(backbone, bank, ours, fast, given)
    ours.to_bank = plain_search(bank)
    slow = compiled(BackboneWithHead(backbone, ours), given[0], ["score", "map"])
    times = in_turns((bare, slow, fast), given, turns)
    rows = []
    for name, column in (
        ("backbone alone", 0),
        ("with all distances", 1),
        (f"with bounds ({directions} directions)", 2),
    ):
        ratio = statistics.median(times[:, column] / times[:, 0])
        rows.append(
            [
                f"WideResNet50, 256 px, bank {BANK:,} x {bank.shape[1]}: {name}",
                ms(times[:, column]),
                f"{ratio:.2f}",
            ]
        )
    reached = statistics.median(times[:, 2] / times[:, 0]), statistics.median(times[:, 2])
    text = (
        f"Bars: at most 1.3 times the bare backbone: {reached[0]:.2f}, {said(reached[0] <= 1.3)}; at most 190 ms on 2 "
        f"cores: {reached[1]:.0f} ms, {said(reached[1] <= 190)}; scores within 1e-4 of a computation in float64: "
        f"{error:.1e}, {said(error <= 1e-4)}."
    )
    return rows, text


def plain_search(bank: Tensor) -> NearestPatch:
    """The search without bounds."""
    few = NearestPatch(bank[:1])
    centre = bank.mean(0)
    centred = bank - centre
    few.centre, few.weight = centre[None, :, None, None], (-2 * centred)[:, :, None, None]
    few.bias = (centred * centred).sum(1)
    return few.eval()


def largest_error(
    backbone: nn.Module,
    bank: Tensor,
    head: PatchCoreHead,
    network: CompiledNetwork,
    given: Sequence[np.ndarray],
) -> float:
    """Largest relative difference of a score from one whose distances are computed in float64."""
    errors = []
    for one in given:
        with torch.inference_mode():
            patches = head.embedding(backbone(torch.from_numpy(one)))[0].flatten(1).T.double()
            bank64 = bank.double() - bank.double().mean(0)
            moved = patches - bank.double().mean(0)
            squares = (moved * moved).sum(1)[:, None] + (bank64 * bank64).sum(1) - 2 * moved @ bank64.T
            side = PICTURE // 8
            exact = squares.amin(1).clamp(min=0).sqrt().reshape(1, 1, side, side)
            truth = float(head.scoring.double()(exact)[0])
            head.scoring.float()
        errors.append(abs(float(network(one)[0].reshape(-1)[0]) - truth) / truth)
    return max(errors)


def default_row(turns: int) -> list[list[str]]:
    """The default recipe's shapes, whose bank is small: backbone alone, and with its search."""
    taps, side = (8, 16), 448
    backbone = load_backbone("efficientnet_lite0", taps)
    given = [np.random.default_rng(0).normal(size=(1, 3, side, side)).astype(np.float32)]
    with torch.inference_mode():
        patches = PatchEmbedding()(backbone(torch.from_numpy(given[0])))[0].flatten(1).T
    scoring = PatchScoring((side // 8, side // 8), (side, side), None, 8.0)
    head = PatchCoreHead(patches[:2800].contiguous(), embedding=PatchEmbedding(), scoring=scoring)
    bare = compiled(backbone, given[0], ["tap8", "tap16"])
    whole = compiled(BackboneWithHead(backbone, head), given[0], ["score", "map"])
    times = in_turns((bare, whole), given, 5 * turns)
    shape = f"default recipe, 448 px, bank 2,800 x {patches.shape[1]}"
    return [
        [f"{shape}: {name}", ms(times[:, column]), f"{statistics.median(times[:, column] / times[:, 0]):.2f}"]
        for column, name in enumerate(("backbone alone", "with all distances"))
    ]


def metric_rows() -> tuple[list[list[str]], str]:
    """Pixel metrics of 160 maps of 448 x 448, 1 % of their pixels anomalous: from a sort, and from a histogram."""
    random = np.random.default_rng(0)
    masks, maps = [], []
    for _ in range(160):
        mask = np.zeros((448, 448), np.bool_)
        row, column = random.integers(0, 400, 2)
        mask[row : row + 45, column : column + 45] = True
        masks.append(mask)
        maps.append((random.gamma(2, 1, mask.shape) + 2 * mask).astype(np.float32))
    exact, binned = pixel_metrics(masks, maps), binned_pixel_metrics(masks, maps)
    slow, fast = (
        min(processor_seconds(functools.partial(measure, masks, maps)) for _ in range(3))
        for measure in (pixel_metrics, binned_pixel_metrics)
    )
    assert binned.errors is not None
    rows = [["exact, a sort", f"{slow:.2f}", "1.0", "-"]]
    off = max(
        abs(getattr(exact, name) - getattr(binned, name))
        for name in ("auroc", "average_precision", "f1", "aupro")
    )
    rows.append(
        [
            "histogram of 65,536 bins",
            f"{fast:.2f}",
            f"{slow / fast:.1f}",
            f"{off:.0e} of {max(binned.errors):.0e} stated",
        ]
    )
    return rows, f"{sum(one.size for one in maps):,} pixels."


def ms(times: np.ndarray) -> str:
    """The median."""
    return f"{statistics.median(times):.1f}"


def said(reached: bool) -> str:
    """Whether a bar is reached."""
    return "reached" if reached else "**missed**"


def main() -> None:
    """Measure, print, and with --write put the tables into the page."""
    parser = argparse.ArgumentParser(description="The memory bank, as Markdown tables.")
    parser.add_argument("--turns", type=int, default=9, help="photographs through each network")
    parser.add_argument("--write", action="store_true", help="write into docs/performance.md")
    options = parser.parse_args()
    torch.set_num_threads(1)  # one against one
    chosen = [coreset_row(*size) for size in SIZES]
    metrics, pixels = metric_rows()
    torch.set_num_threads(CORES)
    with tempfile.TemporaryDirectory() as work:
        searched, bars = photograph_rows(Path(work), options.turns)
    searched += default_row(options.turns)
    text = "\n\n".join(
        (
            table(
                ("coreset of", "projection, CPU s", "plain loop, CPU s", "ours, CPU s", "times as fast"),
                chosen,
            ),
            table(("one photograph", "ms", "times the backbone"), searched),
            bars,
            table((f"pixel metrics, {pixels}", "CPU s", "times as fast", "farthest from exact"), metrics),
            origin(),
        )
    )
    print(text)
    if options.write:
        write_block(PAGE, "bank", text)


if __name__ == "__main__":
    main()
