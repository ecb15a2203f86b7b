"""A policy evaluated again gives the same returns to the last bit, whatever plays beside it."""

import json
import os

import numpy as np
import pytest

from reincarnate.benchmark.cli.evaluate import span_of
from reincarnate.benchmark.display import Display
from reincarnate.benchmark.evaluation.evaluator import Evaluator
from reincarnate.benchmark.prior.promote import open_players
from reincarnate.benchmark.runs.reevaluate import evaluate
from reincarnate.benchmark.runs.run import run
from reincarnate.benchmark.tasks.task import find
from reincarnate.leaderboard import record as records

TASK = "gym/CartPole-v1"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("judged") / "run"
    settings = {"batch_size": 4, "learning_rate": 1e-2}
    run(TASK, "dqn", "steps=120", 3, settings=settings, out=folder, points=(0.0, 1.0), episodes=12)
    return folder


def again(policy, **changed):
    plain = {"hub": "bundled", "point": None, "episodes": 0, "seeds": None, "sticky": None, "epsilon": None}
    plain |= {"environments": 32, "threads": 0, "video": ""}
    return evaluate(str(policy), **{**plain, **changed}, display=Display(quiet=True))


@pytest.mark.parametrize("environments", [1, 5, 12, 100])
def test_the_episodes_of_a_run_are_the_same_again(made, environments):
    recorded = records.load(made / "record.json").points
    last = again(made, environments=environments)
    assert last.evaluation == recorded[-1].evaluation and last.differs is False and "to the last bit" in last.sentence()
    first = again(made, point=0.0, environments=environments)
    assert first.evaluation == recorded[0].evaluation != last.evaluation


def test_other_episodes_are_other_episodes(made):
    recorded = records.load(made / "record.json").points[-1].evaluation
    few = again(made, episodes=5)
    assert few.recorded is None and few.evaluation.returns == recorded.returns[:5]  # they begin with the same seeds
    low = recorded.seeds[0]
    some = again(made, seeds=range(low + 3, low + 7))
    assert some.evaluation.returns == recorded.returns[3:7] and some.evaluation.seeds == (low + 3, low + 6)
    wild = again(made, epsilon=1.0)
    assert wild.recorded is None and wild.evaluation.epsilon == 1.0 and wild.evaluation.returns != recorded.returns
    assert json.loads(json.dumps(few.plain()))["returns"] == list(few.evaluation.returns)


def test_a_record_that_flatters_is_noticed(made, tmp_path):
    copy = tmp_path / "run"
    copy.mkdir()
    for path in made.iterdir():
        os.symlink(path, copy / path.name)
    record = records.load(made / "record.json")
    better = record.points[-1].evaluation.model_copy(update={"returns": (500.0,) * 12})
    point = record.points[-1].model_copy(update={"evaluation": better})
    (copy / "record.json").unlink()
    records.save(record.model_copy(update={"points": (record.points[0], point)}), copy / "record.json")
    told = again(copy)
    assert told.differs and "recorded 500.00 for the same episodes" in told.sentence()


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"episodes": -1}, "must be at least 1"),
        ({"environments": 0}, "must be at least 1"),
        ({"epsilon": 2.0}, "are shares from 0 to 1"),
        ({"sticky": 0.25}, "no sticky actions"),
        ({"episodes": 3, "seeds": range(4)}, "leave out --episodes"),
        ({"point": 7.0}, "no student at 7"),
        ({"video": __file__}, "exists: give another file"),
    ],
)
def test_what_cannot_be_judged_is_said(made, changed, says):
    with pytest.raises(ValueError, match=says):
        again(made, **changed)


@pytest.mark.parametrize("text", ["3", "3..", "..3", "5..4", "a..b", "0..99999999999", "0..200000", "-1..3"])
def test_spans_that_cannot_be_read(text):
    with pytest.raises(ValueError, match="cannot be read"):
        span_of(text)
    assert span_of("") is None and list(span_of("3..5") or ()) == [3, 4, 5]


def test_rounds_are_played_until_there_are_enough_steps():
    """Pushing left always falls within 12 steps: 5 episodes a round, until there are 100 steps."""
    task = find(TASK)._replace(evaluation_episodes=5, evaluation_steps=100)
    params = np.array([1.0, 0.0], np.float32)

    def left(params, obs):
        return params + 0.0 * obs[:, 0, :2]

    told = Evaluator(task, 0, 0, Display(quiet=True)).play(left, params, "test", "")
    assert len(told.returns) % 5 == 0 and sum(told.lengths) >= 100 > sum(told.lengths[:-5])
    assert told.seeds[1] - told.seeds[0] == len(told.returns) - 1


@pytest.mark.slow
def test_atari_does_not_depend_on_company_or_threads():
    """Six short games of Pong with the bundled teacher: all at once, or two at a time on one thread."""
    (player,), task = open_players("reincarnate/pong-rainbow", "bundled")
    task = task._replace(max_steps=90, evaluation_epsilon=0.1, evaluation_episodes=6, evaluation_steps=0)
    told = [
        Evaluator(task, 0, threads, Display(quiet=True), at_once=n).play(
            player.policy.apply, player.policy.params, "test", ""
        )
        for n, threads in ((6, 0), (2, 1), (4, 2))
    ]
    assert told[0] == told[1] == told[2] and set(told[0].lengths) == {90} and min(told[0].returns) < 0
