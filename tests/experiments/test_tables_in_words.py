"""What a comparison and a study say in words: footnotes of the table, and how far validation and test lie apart."""

from __future__ import annotations

import math

import pytest

from blemish.cli.benchmark import print_comparison
from blemish.experiments.benchmark.table import Block, Row, Table
from blemish.experiments.study.summary import gap_in_words


def test_the_terminal_says_what_failed_and_what_was_tested_on_fewer(
    capsys: pytest.CaptureFixture[str],
) -> None:
    nothing = (math.nan,) * 12
    taught = Row("taught", (0.9,) * 12, nothing, remark="learnt from 30 labelled test photographs")
    failed = Row("broken", nothing, nothing, note="failed: too few photographs")
    block = Block("screw", (Row("whole", (0.8,) * 12, nothing), taught, failed))
    print_comparison(Table((block, Block("grid", block.rows), Block("mean", block.rows))))
    said = capsys.readouterr().out
    assert said.count("taught (1)") == said.count("broken (2)") == 3
    assert said.count("(1) taught: learnt from 30 labelled test photographs") == 1
    assert said.count("(2) broken: failed: too few photographs") == 1
    assert "System Mean" in said


@pytest.mark.parametrize(
    ("validation", "test", "said"),
    [
        (0.9, 0.85, "Validation and test agree."),
        (0.85, 0.9, "Validation and test agree."),
        (0.9, 0.75, "Test is below validation, by 0.150."),
        (0.9, 0.7, "Test is far below validation, by 0.200."),
        (0.7, 0.8, "Test is above validation, by 0.100."),
        (0.375, 0.729, "Test is far above validation, by 0.354."),
        (math.nan, 0.7, ""),
    ],
)
def test_the_gap_between_validation_and_test_has_its_word(validation: float, test: float, said: str) -> None:
    assert gap_in_words(validation, test) == said
