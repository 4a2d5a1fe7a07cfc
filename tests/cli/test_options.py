"""What is typed becomes a request: each option is a field of it."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from blemish.cli.verbs import VERBS, Verbs
from blemish.core.errors import UsageError
from blemish.workflows.request import Request

Call = Callable[..., Any]
A, B = Path("a"), Path("b")

TYPED: dict[str, tuple[str, str, dict[str, Any]]] = {
    "what is absent": ("fit", "a --out b", {"data": A, "out": B}),
    "settings": (
        "fit",
        "a --out b --set taps=[8,16] --set k=0.5 --set name=x=y --quick --seed 3",
        {
            "data": A,
            "out": B,
            "parameters": {"taps": (8, 16), "k": 0.5, "name": "x=y"},
            "quick": True,
            "seed": 3,
        },
    ),
    "commas": (
        "benchmark",
        "a b --out b --detectors knn,cae:quick, --seeds 0,2",
        {"data": (A, B), "out": B, "detectors": ("knn", "cae:quick"), "seeds": (0, 2)},
    ),
    "a comma list that is absent": ("study", "a --out b", {"data": (A,), "out": B, "models": None}),
    "an option for each": (
        "sample",
        "a --category washer --category label",
        {"out": A, "categories": ("washer", "label")},
    ),
    "a choice": ("features", "a --out b --deep mid", {"data": A, "out": B, "deep": "mid"}),
    "a choice by default": ("distil", "a --out b", {"images": A, "out": B, "model_size": "tiny"}),
    "a choice of verdicts": (
        "inspect",
        "a b --save rejects",
        {"inspector": A, "paths": (B,), "save": "rejects"},
    ),
    "a flag that is on": (
        "explore",
        "a --out b --no-handcrafted",
        {"data": A, "out": B, "handcrafted": False},
    ),
    "a time": (
        "similar",
        "a --inspector b --since 2026-03-01T14:30",
        {"image": A, "inspector": B, "since": datetime(2026, 3, 1, 14, 30, tzinfo=UTC)},
    ),
    "inspectors beside the photograph": (
        "compare-image",
        "--inspectors a.blemish b.blemish a --out b",
        {"image": A, "inspectors": (Path("a.blemish"), Path("b.blemish")), "out": B},
    ),
}


@pytest.mark.parametrize("case", TYPED)
def test_what_is_typed_becomes_the_request(blemish: Call, monkeypatch: pytest.MonkeyPatch, case: str) -> None:
    verb, arguments, expected = TYPED[case]
    name, asked = verb.replace("-", "_"), []

    def workflow(request: Request, *_: object) -> None:
        asked.append(request)
        raise UsageError("That is all.")

    module = importlib.import_module(f"blemish.workflows.{name}")
    monkeypatch.setattr(module, name, workflow)
    assert blemish(verb, *arguments.split()).stderr == "That is all.\n"
    assert asked == [type(asked[0])(**expected)]


REFUSED = {
    "no number": ("benchmark a --out b --detectors knn --seeds 0,x", "--seeds x is not possible: "),
    "too little": ("serve --keep-gigabytes 0", "--keep-gigabytes 0.0 is not possible: "),
    "no choice": ("features a --out b --deep low", "'low' is not one of 'last', 'mid'"),
    "no time": ("similar a --inspector b --since yesterday", "--since yesterday is no time: "),
    "no setting": ("search a --detector knn --out b --set k", "--set k is not NAME=VALUE: "),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_value_that_is_not_possible_is_refused_by_its_option(blemish: Call, case: str) -> None:
    arguments, said = REFUSED[case]
    outcome = blemish(*arguments.split())
    assert (outcome.status, outcome.stdout) == (2, "")
    assert said in outcome.stderr and outcome.stderr.count("\n") == 1


@pytest.mark.parametrize("verb", VERBS)
def test_every_option_says_what_it_is(verb: str) -> None:
    command = Verbs()[verb]
    for one in getattr(command, "commands", {"": command}).values():
        assert one.params and all(parameter.help for parameter in one.params)
