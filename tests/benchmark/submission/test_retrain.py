"""What of a stranger's command is run again and for how long, and where an honest claim lies."""

import signal
import time

import pytest

from reincarnate.benchmark.submission.deadline import until
from reincarnate.benchmark.submission.judge import RARE, _are_rounds, interval
from reincarnate.benchmark.submission.retrain import arguments, retrain
from reincarnate.benchmark.tasks.task import find
from reincarnate.leaderboard.submission import Verdict

from ...leaderboard.makers import evaluation, record, submission


def test_a_command_becomes_arguments():
    found = arguments(
        "reincarnate run --task gym/X --method dqn --budget steps=5 --seed 3 --set a=1 --set b=x=y --points 0,1"
    )
    assert (found["task"], found["seed"], found["settings"]) == ("gym/X", 3, {"a": "1", "b": "x=y"})
    assert found["points"] == (0.0, 1.0) and found["environments"] == 8


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("rm -rf /", "no `reincarnate run`"),
        ("reincarnate run --task gym/X --method os:system", "somebody's code"),
        ("reincarnate run --task gym/X --set base=os:system", "somebody's code"),
        ("reincarnate run --task gym/X --out /etc", "--out"),
        ("reincarnate run --task", "--task"),
    ],
)
def test_other_commands_are_not_run(command, says):
    with pytest.raises(ValueError, match=says):
        arguments(command)


def test_the_interval_of_an_honest_claim_by_hand():
    """Ours: 0 and 10 in turns, 30 episodes, so a spread of 5.085; t with 29 degrees is 2.756 at 99 %.

    With 119 degrees it is 4.027 at 99.99 %.
    """
    low, high = interval(evaluation(*[0.0, 10.0] * 15), evaluation(*[5.0] * 30), record("a"))
    assert (low + high) / 2 == 5.0
    assert high - low == pytest.approx(2 * 2.756 * 5.0855 * (2 / 30) ** 0.5, rel=1e-3)
    low, high = interval(evaluation(*[3.0] * 30), evaluation(3.0), record("a"))
    assert (low, high) == pytest.approx((2.9, 3.1))  # a hundredth of the scale where nothing varies
    low, high = interval(evaluation(*[0.0, 10.0] * 60), evaluation(*[5.0] * 30), record("a"), RARE)
    assert high - low == pytest.approx(2 * 4.027 * 5.021 * (1 / 120 + 1 / 30) ** 0.5, rel=1e-3)


def test_a_strangers_method_is_never_imported(tmp_path, monkeypatch):
    (tmp_path / "stranger.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(str(tmp_path))
    found = record("a", method="stranger:method", command="reincarnate run --method stranger:method")
    one = submission(found, entry="theirs")
    told = retrain(one, Verdict(run="a", state="re-scored"), "bundled")
    assert told.state == "re-scored" and "names somebody's code, which is not run here" in told.reasons[0]


@pytest.mark.slow
def test_a_training_that_does_not_end_is_stopped_near_the_limit(tmp_path):
    command = "reincarnate run --task gym/CartPole-v1 --method dqn --budget steps=1b --points 1 --episodes 1"
    one = submission(record("a", method="dqn", budget={"steps": 1e9}, command=command))
    started = time.monotonic()
    told = retrain(one, Verdict(run="a", state="re-scored"), "bundled", started + 2.0)
    assert time.monotonic() - started < 10.0
    assert told.state == "re-scored" and "longer than one request may" in told.reasons[0]


def test_a_limit_holds_where_errors_are_swallowed():
    before, started = signal.getsignal(signal.SIGALRM), time.monotonic()
    with pytest.raises(ValueError, match="it was stopped"), until(started + 0.1):
        try:
            time.sleep(20)
        except ValueError:
            pass
        time.sleep(20)
    assert 1.0 < time.monotonic() - started < 5.0 and signal.getsignal(signal.SIGALRM) == before
    with until(time.monotonic() + 0.05):
        pass
    time.sleep(0.1)  # nothing comes after the block


def test_rounds_of_an_evaluation_by_hand():
    """MinAtar: 20 episodes at a time until they have 10,000 steps."""
    task = find("minatar/breakout")
    assert _are_rounds((500,) * 20, task) and _are_rounds((499,) * 40, task) and _are_rounds((1,) * 1000, task)
    assert not _are_rounds((500,) * 40, task)  # went on too long
    assert not _are_rounds((499,) * 20, task) and not _are_rounds((600,) * 19, task)  # ended too early
