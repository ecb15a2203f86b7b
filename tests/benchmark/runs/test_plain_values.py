"""What people pass to `run` in Python: paths and numbers of numpy, folders from elsewhere."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from reincarnate.benchmark.runs.reevaluate import EvaluationRequest
from reincarnate.benchmark.runs.request import placed, plain, whole
from reincarnate.benchmark.sweep.sweep import asked_for
from reincarnate.benchmark.training.budget import Budget


def test_numbers_of_numpy_become_plain_and_what_no_record_holds_is_refused():
    found = plain(
        {"a": np.float32(0.5), "b": np.int64(3), "c": np.bool_(True), "d": "x", "e": Path("p"), "f": (np.int8(1),)}
    )
    assert found == {"a": 0.5, "b": 3, "c": True, "d": "x", "e": "p", "f": [1]}
    assert [type(found[key]) for key in "abc"] == [float, int, bool]
    with pytest.raises(ValueError, match="the setting a is a ndarray: give a number or a text"):
        plain({"a": np.zeros(2)})
    assert type(whole("the seed", np.int64(3))) is int
    for wrong in (1.5, "1", None):
        with pytest.raises(ValueError, match="the seed is .*: give a whole number"):
            whole("the seed", wrong)


class Where(os.PathLike):
    """A path of somebody's own."""

    def __fspath__(self):
        return "teachers/pole"


def test_an_evaluation_takes_numbers_of_numpy_and_paths_of_any_kind():
    given: dict[str, Any] = {"episodes": np.int64(0), "environments": np.uint8(4), "threads": np.int32(1)}
    given |= {"policy": Where(), "seeds": np.arange(3, 6), "sticky": np.float32(0.25)}
    made = EvaluationRequest(**given)
    assert made == EvaluationRequest("teachers/pole", seeds=range(3, 6), sticky=0.25, environments=4, threads=1)
    assert json.dumps([made.policy, made.episodes, made.environments, made.threads, made.sticky])
    wrong: list[Any] = [[3, 5], [], [1.5]]
    for seeds in wrong:
        with pytest.raises(ValueError, match="consecutive whole numbers|a seed is 1.5: give a whole number"):
            EvaluationRequest("teachers/pole", seeds=seeds)


def test_a_sweep_takes_numbers_of_numpy():
    options: dict[str, Any] = {"environments": np.int64(2), "settings": {"learning_rate": np.float32(0.5)}}
    seeds: Any = np.arange(2)
    asked = asked_for("gym/CartPole-v1", "dqn", Budget(steps=np.float32(100)), seeds, **options)
    assert asked.seeds == (0, 1) and json.loads(json.dumps(asked._asdict()))["seeds"] == [0, 1]


def test_local_references_hold_from_any_working_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("teachers", "user@lab"):
        (tmp_path / name).mkdir()
    (tmp_path / "one.zip").write_bytes(b"")
    here = os.path.abspath(tmp_path)
    assert placed("teachers") == f"{here}/teachers" and placed("one.zip") == f"{here}/one.zip"
    assert placed("user@lab") == f"{here}/user@lab"
    assert placed("teachers#a.zip") == f"{here}/teachers#a.zip"
    assert placed("teachers:checkpoints=1-2:share=0.3") == f"{here}/teachers:checkpoints=1-2:share=0.3"
    for reference in ("", "me/cartpole", "me/cartpole@0123", "me/cartpole#a.zip", "mine:policy"):
        assert placed(reference) == reference
