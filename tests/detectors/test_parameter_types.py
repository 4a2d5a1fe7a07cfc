"""Values of the wrong kind, as people type them after --set: one sentence with the way out."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from blemish.core.errors import UsageError
from blemish.detectors.parameter_types import check_types
from blemish.detectors.registry import create_detector, detector_info, detector_names, quick_parameters
from blemish.workflows.fields import parsed_setting


@pytest.mark.parametrize(
    ("name", "setting", "way_out"),
    [
        ("cae", "epochs=many", "give a whole number, as --set epochs=20"),
        ("cae", "epochs=2.5", "give a whole number, as --set epochs=20"),
        ("cae", "epochs=true", "give a whole number, as --set epochs=20"),
        ("cae", "learning_rate=true", "give a number, as --set learning_rate=0.001"),
        ("cae", "device=1", "give a text, as --set device=auto"),
        ("supersimplenet", "supervised=yes", "give true or false, as --set supervised=false"),
        ("patchcore", "taps=8", "give a list of whole numbers, as --set taps='[8, 16]'"),
        ("patchcore", 'taps=["8"]', "give a list of whole numbers, as --set taps='[8, 16]'"),
        ("patchcore", "weights=3", "give a text"),
        ("one-class-svm", "gamma=[1]", "give a text or a number, as --set gamma=scale"),
        ("ensemble", "members=patchcore", "give a list of texts, as --set members="),
    ],
)
def test_a_value_of_another_kind_is_refused(name: str, setting: str, way_out: str) -> None:
    parameter, value = parsed_setting(setting)
    detector = create_detector(name, **{parameter: value})
    with pytest.raises(UsageError, match=re.escape(f"is not possible for {name}: {way_out}")):
        check_types(detector)


@pytest.mark.parametrize("name", detector_names())
def test_defaults_presets_and_what_the_sentence_proposes_are_of_the_right_kind(name: str) -> None:
    info = detector_info(name)
    for preset in (None, *info.presets):
        check_types(create_detector(name, preset))
    written = {
        key: list(value) if isinstance(value, tuple) else value for key, value in info.parameters.items()
    }
    settings = [
        f"{key}={value if isinstance(value, str) else json.dumps(value)}" for key, value in written.items()
    ]
    given: dict[str, Any] = dict(map(parsed_setting, settings))
    assert given == info.parameters
    check_types(create_detector(name, **given))


def test_a_whole_number_is_a_number() -> None:
    check_types(create_detector("cae", learning_rate=1, top=1))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--set", "epochs=many"), "epochs=many is not possible for cae: give a whole number"),
        (("--set", "epochs=0"), "epochs=0 is not possible for cae: the default is 20"),
        (("--size", "100"), "size=100 is not possible for cae: choose a multiple of 32 from 64 to 2048."),
        (("--augment", "flip"), "augment=flip is not possible for cae: choose none, auto, or of flips"),
        (("--set", "device=cuda"), "device=cuda is not possible here"),
    ],
)
def test_the_command_says_it_in_one_sentence(
    options: tuple[str, ...],
    sentence: str,
    washers: Path,
    tmp_path: Path,
    blemish: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    outcome = blemish("fit", washers, "--out", tmp_path / "part.blemish", "--detector", "cae", *options)
    said = [line for line in outcome.stderr.splitlines() if " is not possible" in line]
    assert outcome.status == 2 and len(said) == 1 and said[0].startswith(sentence)
    assert not (tmp_path / "part.blemish").exists()


def test_a_quick_run_is_small_with_every_preset() -> None:
    small = {
        (name, preset): create_detector(name, preset, **quick_parameters(name, preset)).get_params()
        for name in detector_names()
        for preset in (None, *detector_info(name).presets)
    }
    assert all(chosen.get("epochs", 1) <= 5 for chosen in small.values())
    assert {chosen["size"] for chosen in small.values()} == {126, 128}, "patches of 14 pixels do not make 128"
    assert small["patchcore", "official"]["crop"] == 96, "a crop of 224 does not fit into 128 pixels"
    assert small["efficientad", "paper"]["distillation_steps"] == 0, "60,000 steps are no small run"
