"""What of a stranger's command is run again, and where an honest claim lies."""

import pytest

from reincarnate.benchmark.judge import interval
from reincarnate.benchmark.retrain import arguments

from ..leaderboard.makers import evaluation, record


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
    """Ours: 0 and 10 in turns, 30 episodes, so a spread of 5.085; t with 29 degrees is 2.756 at 99 %."""
    low, high = interval(evaluation(*[0.0, 10.0] * 15), evaluation(*[5.0] * 30), record("a"))
    assert (low + high) / 2 == 5.0
    assert high - low == pytest.approx(2 * 2.756 * 5.0855 * (2 / 30) ** 0.5, rel=1e-3)
    low, high = interval(evaluation(*[3.0] * 30), evaluation(3.0), record("a"))
    assert (low, high) == pytest.approx((2.9, 3.1))  # a hundredth of the scale where nothing varies
