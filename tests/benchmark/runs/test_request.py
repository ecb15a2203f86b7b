"""One request, from which commands, the ledger, sweeps and re-training are made."""

import inspect
import json
import re
from dataclasses import FrozenInstanceError, fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer

import reincarnate as rr
from reincarnate.benchmark.cli.main import app
from reincarnate.benchmark.runs.request import RunRequest
from reincarnate.benchmark.sweep import sweep
from reincarnate.benchmark.training.budget import Budget

NAMES = [one.name for one in fields(RunRequest)]
OLD = Path(__file__).parent / "fixtures" / "requests.jsonl"  # as ledgers of each version have them


def test_values_become_plain_and_stay():
    given: dict[str, Any] = {
        "budget": Budget(steps=100), "seed": np.int64(3), "settings": {"batch_size": np.int32(8)},
        "teacher": Path("me"), "teacher_log": "a/log", "points": "0,0.5,1k-steps", "metrics": "wandb, wandb",
    }  # fmt: skip
    made = RunRequest("gym/CartPole-v1", "dqn", **given)
    assert (made.budget, made.seed, made.settings) == ("steps=100.0", 3, {"batch_size": 8}) and type(made.seed) is int
    assert (made.teacher, made.teacher_log, made.metrics) == ("me", ("a/log",), ("wandb",))
    assert made.points == (0.0, 0.5, 1000.0) and made.limits == Budget(steps=100.0)
    with pytest.raises(FrozenInstanceError):
        made.seed = 4  # type: ignore[misc]


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"budget": ""}, "the budget is empty"),
        ({"budget": "stones=4"}, "is not a limit"),
        ({"seed": 1.5}, "the seed is 1.5: give a whole number"),
        ({"episodes": -1}, "-1 episodes cannot be played"),
        ({"threads": 100_000_000}, "100000000 threads cannot play: give 1 to 1024"),
        ({"environments": -1}, "at least one environment"),
        ({"points": (-0.5,)}, "shares from 0 to 1"),
        ({"points": "a"}, "--points a cannot be read"),
        ({"settings": {"a": np.zeros(2)}}, "give a number or a text"),
    ],
)
def test_what_no_run_can_have_is_said(wrong, says):
    with pytest.raises(ValueError, match=re.escape(says)):
        RunRequest(**{"task": "gym/CartPole-v1", "budget": "steps=10"} | wrong)


def test_a_request_survives_its_ledger_under_the_names_of_old_ones():
    lines = [json.loads(line) for line in OLD.read_text().splitlines()]
    assert len(lines) == 3 and set().union(*lines) == set(NAMES) - {"fused"}  # which came later
    for told in lines:
        made = RunRequest.from_json(told)
        assert made.to_json() == RunRequest(**told).to_json() and made.to_json().items() >= told.items()
        assert [name for name in NAMES if name in told] == list(told), "the order on disk stays"
        assert RunRequest.from_json(json.loads(json.dumps(made.to_json()))) == made


def option(command: str, name: str) -> Any:
    group: Any = typer.main.get_command(app)
    for word in command.split():
        group = group.commands[word]
    return next(one for one in group.params if one.name == name)


@pytest.mark.parametrize("command", ["run", "sweep start"])
def test_options_take_their_names_and_defaults_from_the_request(command):
    shared = NAMES if command == "run" else [*sweep.SHARED, "preset"]
    plain = {one.name: one.default for one in fields(RunRequest) if isinstance(one.default, int | str)}
    for name in shared:
        found = option(command, name)
        assert found.help and found.default == plain.get(name, found.default)
        assert found.opts == ["--set" if name == "settings" else f"--{name.replace('_', '-')}"]


def test_run_in_python_has_its_keywords_with_types():
    said = inspect.signature(rr.run).parameters
    assert list(said)[: len(NAMES)] == NAMES and "out" in said and said["environments"].default == 0
    with pytest.raises(TypeError, match="stones"):
        rr.run("gym/CartPole-v1", budget="steps=10", stones=4)
