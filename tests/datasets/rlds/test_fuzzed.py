"""Runs of the fuzz script: right logs are read to the last bit, and lies are refused."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from reincarnate.datasets.rlds import survey
from reincarnate.datasets.transition import Box, spanned

from ...fuzz import logs

SCRIPT = Path(logs.__file__)


@pytest.mark.parametrize("kind", logs.FORMATS)
def test_a_few_logs_of_each_format(tmp_path, kind):
    _, lies, dtypes = logs.FORMATS[kind]
    rng = np.random.default_rng(7)
    for number in range(3):
        log = logs.draw(rng, lies, dtypes)
        assert logs.judge(kind, log, rng, tmp_path / str(number))[1] == "", (number, log)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [11, 12])
def test_no_importer_differs_in_silence(seed):
    answer = subprocess.run([sys.executable, SCRIPT, "60", str(seed)], capture_output=True, text=True)
    assert answer.returncode == 0 and answer.stdout.count('"broken": 0') == 5, answer.stdout + answer.stderr


@pytest.mark.parametrize(
    ("actions", "expected"),
    [
        ([[0.0, 1.0], [1.0, 0.0]], True),
        ([[0.0, 1.0], [0.0, 0.0]], False),
        ([[0.5, 0.5], [1.0, 0.0]], False),
        ([[1.0, 1.0], [-1.0, 2.0]], False),
        ([[1.0], [1.0]], False),
        ([0.0, 1.0], False),
    ],
)
def test_one_hot_actions_are_told_by_their_rows(actions, expected):
    assert survey.one_hot(np.array(actions)) == expected


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0, 3, 4), ([-1.0, 0.5], [2.0, 0.5], Box((-1.0, 0.5), (2.0, 1.5)))],  # the second number never changes
)
def test_actions_span_what_was_seen(low, high, expected):
    assert spanned(np.array(low), np.array(high)) == expected
