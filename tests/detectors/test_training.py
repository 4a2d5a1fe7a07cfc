"""Training: examples in a fixed order, one loop, checkpoints that a killed training goes on from bit by bit."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
import timm
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import Tensor, nn

from blemish.core.errors import BlemishError, MissingExtraError, UsageError
from blemish.core.progress import PeriodicReporter, use_reporter
from blemish.data.catalog import open_catalog
from blemish.detectors.registry import create_detector
from blemish.detectors.training.checkpoint import Checkpoint, Progress, read_checkpoint, write_checkpoint
from blemish.detectors.training.examples import Batch, batch_of, order_of
from blemish.detectors.training.loop import (
    Material,
    Objective,
    Recipe,
    cosine_schedule,
    epoch_in_words,
    step_schedule,
    train,
)
from blemish.detectors.training.session import TrainingSession, training_session


class Line(Objective):
    """A line with dropout, so that a training has something random about it."""

    def __init__(self) -> None:
        super().__init__()
        self.line = nn.Sequential(
            nn.Conv2d(2, 4, 3, padding=1), nn.BatchNorm2d(4), nn.Dropout(0.3), nn.Conv2d(4, 1, 1)
        )

    def loss(self, batch: Batch) -> Tensor:
        return ((self.line(batch["x"]) - batch["y"]) ** 2).mean()

    def validation_loss(self, batch: Batch) -> Tensor:
        self.seen = getattr(self, "seen", 0) + len(batch["x"])
        return super().validation_loss(batch)

    def validation_figures(self) -> dict[str, float]:
        seen, self.seen = self.seen, 0
        return {"validation_seen": float(seen)}


def examples(index: int, rng: np.random.Generator) -> dict[str, Tensor]:
    x = np.random.default_rng(index).normal(size=(2, 6, 6)).astype(np.float32)
    noise = rng.normal(size=(1, 6, 6)).astype(np.float32)
    return {"x": torch.from_numpy(x), "y": torch.from_numpy(2 * x[:1] - x[1:] + 0.01 * noise)}


def untrained() -> Line:
    torch.manual_seed(5)
    return Line()


RECIPE = Recipe(epochs=6, batch_size=4, learning_rate=1e-2, seed=3)
TRAINING, VALIDATION = Material(examples, 18), Material(lambda index, rng: examples(index + 100, rng), 6)


def weights(objective: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in objective.state_dict().items()}


def same(left: dict[str, Tensor], right: dict[str, Tensor]) -> bool:
    return left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)


@given(st.integers(1, 40), st.integers(1, 100), st.integers(0, 5), st.integers(0, 50))
def test_an_epoch_takes_each_example_once_before_any_twice(
    count: int, wanted: int, seed: int, epoch: int
) -> None:
    order = order_of(count, wanted, seed, epoch)
    times = np.bincount(order, minlength=count)
    assert len(order) == wanted and times.max() - times.min() <= 1
    assert np.array_equal(order, order_of(count, wanted, seed, epoch))


def test_weights_decide_how_often_an_example_comes() -> None:
    order = order_of(4, 4000, 0, 0, np.array([0.0, 1.0, 1.0, 2.0]))
    assert np.bincount(order, minlength=4) / 4000 == pytest.approx([0, 0.25, 0.25, 0.5], abs=0.03)


def test_a_batch_depends_on_seed_epoch_and_place_alone() -> None:
    chosen = np.array([3, 1, 3])
    one, again = batch_of(examples, chosen, 7, 2), batch_of(examples, chosen, 7, 2)
    assert same(one, again) and not torch.equal(one["y"][0], one["y"][2]), "the same example twice differs"
    assert not torch.equal(one["y"], batch_of(examples, chosen, 7, 3)["y"])


def test_it_learns_and_keeps_the_best_epoch() -> None:
    objective = untrained()
    history = train("line", objective, TRAINING, VALIDATION, dataclasses.replace(RECIPE, epochs=20), "id")
    losses = [row["validation_loss"] for row in history]
    assert losses[-1] < 0.5 * losses[0]
    assert [row["epoch"] for row in history] == list(range(1, 21)) and not objective.training
    assert {row["validation_seen"] for row in history} == {6.0}
    with torch.no_grad():
        total = sum(
            float(objective.loss(batch_of(VALIDATION.examples, np.array([i]), 3, 2**31))) for i in range(6)
        )
    assert total / 6 == pytest.approx(min(losses), rel=1e-2)


def test_patience_ends_a_training_that_does_not_get_better() -> None:
    stuck = dataclasses.replace(RECIPE, learning_rate=1e-12, patience=2, epochs=50)
    assert len(train("line", untrained(), TRAINING, VALIDATION, stuck, "id")) < 50


def test_schedules() -> None:
    step = step_schedule((80,))
    assert [step(epoch) for epoch in (0, 79, 80, 99)] == pytest.approx([1, 1, 0.1, 0.1])
    cosine = cosine_schedule(10)
    values = [cosine(epoch) for epoch in range(11)]
    assert values[0] == 1 and values[-1] == pytest.approx(0.01) and values == sorted(values, reverse=True)
    recipe = dataclasses.replace(RECIPE, schedule=step_schedule((3,)))
    rates = [row["learning_rate"] for row in train("line", untrained(), TRAINING, None, recipe, "id")]
    assert rates == pytest.approx([1e-2] * 3 + [1e-3] * 3)


def test_a_loss_that_is_no_number_says_what_to_do() -> None:
    class Broken(Line):
        def loss(self, batch: Batch) -> Tensor:
            return super().loss(batch) * float("nan")

    with pytest.raises(BlemishError, match=r"line came apart in epoch 1 .*lower learning_rate"):
        train("line", Broken(), TRAINING, None, RECIPE, "id")


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd"])
@pytest.mark.parametrize("stopped_after", [1, 4])
def test_a_resumed_training_ends_with_the_same_weights(
    tmp_path: Path, optimizer: str, stopped_after: int
) -> None:
    recipe = dataclasses.replace(RECIPE, optimizer=optimizer, keep="last", schedule=cosine_schedule(6))
    whole = untrained()
    history = train("line", whole, TRAINING, VALIDATION, recipe, "id")

    class StoppedError(Exception):
        pass

    def stopping(index: int, rng: np.random.Generator) -> dict[str, Tensor]:
        calls.append(index)
        if len(calls) > stopped_after * 16 + 7:  # in the middle of an epoch of 4 batches of 4
            raise StoppedError
        return examples(index, rng)

    calls: list[int] = []
    with training_session(TrainingSession(tmp_path)), pytest.raises(StoppedError):
        train("line", untrained(), Material(stopping, 18), VALIDATION, recipe, "id")
    resumed = untrained()
    with training_session(TrainingSession(tmp_path, resume=True)):
        again = train("line", resumed, TRAINING, VALIDATION, recipe, "id")
    assert same(weights(whole), weights(resumed))
    timeless = [{key: value for key, value in row.items() if key != "seconds"} for row in history]
    assert timeless == [{key: value for key, value in row.items() if key != "seconds"} for row in again]


def test_a_finished_training_is_not_trained_again(tmp_path: Path) -> None:
    objective = untrained()
    with training_session(TrainingSession(tmp_path)):
        train("line", objective, TRAINING, VALIDATION, RECIPE, "id")

    def forbidden(index: int, rng: np.random.Generator) -> dict[str, Tensor]:
        raise AssertionError("nothing is left to read")

    other = untrained()
    with training_session(TrainingSession(tmp_path, resume=True)):
        train("line", other, Material(forbidden, 18), VALIDATION, RECIPE, "id")
    assert same(weights(objective), weights(other))


def test_a_checkpoint_of_something_else_or_damaged_is_refused(tmp_path: Path) -> None:
    with training_session(TrainingSession(tmp_path)):
        train("line", untrained(), TRAINING, None, RECIPE, "one")
    session = TrainingSession(tmp_path, resume=True)
    with (
        training_session(session),
        pytest.raises(UsageError, match=r"other parameters or other images.*without --resume"),
    ):
        train("line", untrained(), TRAINING, None, RECIPE, "other")
    path = tmp_path / "line.safetensors"
    path.write_bytes(path.read_bytes()[:-40])
    with training_session(session), pytest.raises(BlemishError, match=r"line.safetensors is damaged"):
        train("line", untrained(), TRAINING, None, RECIPE, "one")


@pytest.mark.parametrize("place", [-1, -30, 20])
def test_a_flipped_bit_in_a_checkpoint_is_noticed(tmp_path: Path, place: int) -> None:
    with training_session(TrainingSession(tmp_path)):
        train("line", untrained(), TRAINING, None, RECIPE, "one")
    path = tmp_path / "line.safetensors"
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)
    with (
        training_session(TrainingSession(tmp_path, resume=True)),
        pytest.raises(BlemishError, match=r"line.safetensors is (damaged|of a training with other)"),
    ):
        train("line", untrained(), TRAINING, None, RECIPE, "one")


def test_a_checkpoint_holds_no_pickle_and_comes_back_whole(tmp_path: Path) -> None:
    objective = untrained()
    optimizer = torch.optim.AdamW(objective.parameters(), lr=0.1)
    objective.loss(batch_of(examples, np.arange(4), 0, 0)).backward()
    optimizer.step()
    written = Checkpoint(
        Progress(3, 2, 0.5, 1, False, [{"epoch": 1.0}]), objective.state_dict(), {}, optimizer.state_dict()
    )
    path = tmp_path / "a.safetensors"
    write_checkpoint(path, "id", written)
    assert safetensors.numpy.load_file(path), "a plain file of tensors"
    read = read_checkpoint(path, "id")
    assert read is not None and read.progress == written.progress and same(read.weights, written.weights)
    other = torch.optim.AdamW(untrained().parameters(), lr=0.5)
    other.load_state_dict(read.optimizer)
    assert other.state_dict()["param_groups"] == written.optimizer["param_groups"]
    for number, values in written.optimizer["state"].items():
        assert all(
            torch.equal(value, other.state_dict()["state"][number][key]) for key, value in values.items()
        )
    assert read_checkpoint(tmp_path / "none.safetensors", "id") is None


def test_logs_are_off_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*arguments: object) -> None:
        raise AssertionError("nobody asked for a log")

    monkeypatch.setattr("blemish.detectors.training.logs._tensorboard", never)
    monkeypatch.setattr("blemish.detectors.training.logs._mlflow", never)
    assert train("line", untrained(), TRAINING, None, RECIPE, "id")
    with training_session(TrainingSession(mlflow="x")), pytest.raises(AssertionError):
        train("line", untrained(), TRAINING, None, RECIPE, "id")


def test_an_address_that_mlflow_cannot_use_is_said_with_the_way_out() -> None:
    pytest.importorskip("mlflow")
    with (
        training_session(TrainingSession(mlflow="nonsense://nowhere")),
        pytest.raises(UsageError, match=r"cannot log to nonsense://nowhere: give an address such as sqlite"),
    ):
        train("line", untrained(), TRAINING, None, RECIPE, "id")


def test_logs_for_tensorboard(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    with training_session(TrainingSession(tensorboard=tmp_path)):
        train("line", untrained(), TRAINING, VALIDATION, RECIPE, "id")
    assert list((tmp_path / "line").glob("events.*"))
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    written = EventAccumulator(str(tmp_path / "line"))
    written.Reload()
    (tag,) = [tag for tag in written.Tags()["scalars"] if tag.endswith("validation_seen")]
    assert [(one.step, one.value) for one in written.Scalars(tag)] == [(epoch, 6.0) for epoch in range(1, 7)]


def test_logs_for_mlflow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")  # a server's stand-in
    mlflow = pytest.importorskip("mlflow")
    address = (tmp_path / "runs").as_uri()
    with training_session(TrainingSession(mlflow=address)):
        train("line", untrained(), TRAINING, VALIDATION, RECIPE, "id")
    (run,) = mlflow.tracking.MlflowClient(address).search_runs(["0"])
    assert [
        value for name, value in run.data.metrics.items() if name.endswith("validation_loss") and value > 0
    ]
    assert [value for name, value in run.data.metrics.items() if name.endswith("validation_seen")] == [6.0]


def test_the_progress_line_tells_the_figures_of_the_latest_epoch() -> None:
    told: list[str] = []
    reporter = PeriodicReporter(lambda progress: told.append(progress.in_words()), told.append)
    slow = Material(lambda index, rng: (time.sleep(0.02), examples(index, rng))[1], 18)
    with use_reporter(reporter):
        (*_, last) = train("line", untrained(), slow, VALIDATION, RECIPE, "id")
    assert told[-1].startswith("Training line: done in")
    assert f"(epoch 6: training loss {last['training_loss']:.3g}, validation loss" in told[-1]
    assert told[-1].endswith("validation seen 6)") and "seconds" not in told[-1]
    assert epoch_in_words({"epoch": 2.0, "validation_iou": 0.5}) == "epoch 2: validation IoU 0.5"


def test_a_missing_logger_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("tensorboardX", "tensorboard", "torch.utils.tensorboard", "mlflow"):
        monkeypatch.setitem(sys.modules, name, None)
    for session in (TrainingSession(tensorboard=Path("x")), TrainingSession(mlflow="x")):
        with (
            training_session(session),
            pytest.raises(MissingExtraError, match=r"pip install 'blemish\[logging\]'"),
        ):
            train("line", untrained(), TRAINING, None, RECIPE, "id")


FIT = [
    "--detector",
    "cae",
    "--size",
    "64",
    "--set",
    "epochs=8",
    "--set",
    "examples_per_epoch=64",
    "--set",
    "patience=0",
]


def fit_command(washers: Path, out: Path) -> list[str]:
    """`blemish fit` in a process of its own."""
    return [sys.executable, "-m", "blemish", "fit", str(washers), *FIT, "--out", str(out)]


@pytest.fixture(scope="module")
def whole(washers: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The inspector of a training that nobody has stopped."""
    out = tmp_path_factory.mktemp("whole") / "whole.blemish"
    subprocess.run(fit_command(washers, out), capture_output=True, check=True)
    return out


@pytest.mark.parametrize("epochs_before", [1, 4])
def test_kill_9_and_resume_end_with_the_same_inspector(
    washers: Path, tmp_path: Path, whole: Path, epochs_before: int
) -> None:
    from blemish.line.artifact import MODEL, read_artifact

    killed = tmp_path / "killed.blemish"
    command = fit_command(washers, killed)
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    checkpoint = killed.with_suffix(".training") / "cae.safetensors"
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        if checkpoint.exists() and _epoch(checkpoint) >= epochs_before:
            break
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not killed.exists() and checkpoint.exists()
    assert subprocess.run([*command, "--resume"], capture_output=True, check=False).returncode == 0
    assert read_artifact(whole).content(MODEL) == read_artifact(killed).content(MODEL)
    assert not checkpoint.parent.exists(), "what is no longer needed is removed"


def _epoch(checkpoint: Path) -> int:
    with safetensors.safe_open(checkpoint, "pt") as stored:
        return int(json.loads(stored.metadata()["training"])["progress"]["epoch"])


@pytest.mark.parametrize("changed", [{"size": 96}, {"epochs": 2}, {"patience": 1}, {"sigma": 1.0}])
def test_resuming_with_other_parameters_is_refused(
    washers: Path, tmp_path: Path, changed: dict[str, object]
) -> None:
    catalog = open_catalog(washers)
    small: dict[str, object] = {"size": 64, "epochs": 1, "examples_per_epoch": 8}
    with training_session(TrainingSession(tmp_path)):
        create_detector("cae", **small).fit(catalog)
    with (
        training_session(TrainingSession(tmp_path, resume=True)),
        pytest.raises(UsageError, match="other parameters"),
    ):
        create_detector("cae", **{**small, **changed}).fit(catalog)


def test_resuming_with_other_weights_in_the_same_file_is_refused(washers: Path, tmp_path: Path) -> None:
    catalog, weights = open_catalog(washers), tmp_path / "weights.safetensors"
    small: dict[str, object] = {"size": 64, "epochs": 1, "encoder": "resnet18", "weights": str(weights)}
    small |= {"examples_per_epoch": 8, "synthetic": "only"}
    for seed, session in enumerate((TrainingSession(tmp_path), TrainingSession(tmp_path, resume=True))):
        torch.manual_seed(seed)
        save_file(timm.create_model("resnet18", pretrained=False).state_dict(), weights)
        if session.resume:
            with training_session(session), pytest.raises(UsageError, match="other parameters"):
                create_detector("unet", **small).fit(catalog)
        else:
            with training_session(session):
                create_detector("unet", **small).fit(catalog)


def test_a_training_may_go_on_on_another_device(washers: Path, tmp_path: Path) -> None:
    catalog = open_catalog(washers)
    small: dict[str, object] = {"size": 64, "epochs": 1, "examples_per_epoch": 8, "precision": "float32"}
    with training_session(TrainingSession(tmp_path)):
        begun = create_detector("cae", **small, device="auto").fit(catalog)
    with training_session(TrainingSession(tmp_path, resume=True)):
        gone_on = create_detector("cae", **small, device="cpu").fit(catalog)
    states = begun.network().state_dict(), gone_on.network().state_dict()
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    history = [one.history_[0]["seconds"] for one in (begun, gone_on)]  # type: ignore[attr-defined]
    assert history[0] == history[1], "nothing was trained again"


def test_resuming_without_a_checkpoint_begins_anew_and_says_so(
    washers: Path, tmp_path: Path, blemish: Callable[..., Any]
) -> None:
    out = tmp_path / "part.blemish"
    short = ("--size", 64, "--set", "epochs=1", "--set", "examples_per_epoch=8")
    outcome = blemish("fit", washers, "--out", out, "--detector", "cae", *short, "--resume")
    assert outcome.status == 0 and out.exists()
    # Long lines are wrapped where the stream is narrow.
    assert "There is no checkpoint in" in " ".join(outcome.stderr.split())
