"""The lower bound of a validation score, worked by hand, and the anchors that scores are relative to."""

import json
import math

import pytest

from reincarnate.benchmark.tasks.task import PINNED
from reincarnate.benchmark.training.weaning import anchored, measured, references, sentence, validated
from reincarnate.leaderboard.record import Evaluation, Yardstick
from reincarnate.leaderboard.suite import BUNDLED


def played(*returns: float) -> Evaluation:
    return Evaluation(returns=returns, lengths=tuple(range(1, len(returns) + 1)), epsilon=0.0, seeds=(0, 1))


def yard(random: float, teacher: float, error: float = 0.0) -> Yardstick:
    return Yardstick(random=random, teacher=teacher, error=error, source="")


def test_the_lower_bound_by_hand():
    """Returns 8, 10, 12: mean 10, s = 2, standard error 2 / sqrt(3); t(0.95, 2) = 2.919986 by the tables."""
    found = validated(played(8.0, 10.0, 12.0), yard(2.0, 12.0))
    assert found.score == pytest.approx(0.8) and (found.episodes, found.steps) == (3, 6)
    assert found.low == pytest.approx(0.8 - 2.919986 * (2 / math.sqrt(3)) / 10, abs=1e-6)  # 0.4628


def test_what_is_not_known_of_the_teacher_lowers_the_bound():
    """Standard errors of 3 for the teacher's mean and 4 for the student's: together 5. t(0.95, 1) = 6.313752."""
    found = validated(played(6.0, 14.0), yard(0.0, 20.0, 3.0))
    assert found.score == pytest.approx(0.5) and found.low == pytest.approx(0.5 - 6.313752 * 5 / 20, abs=1e-6)


def test_a_scale_that_is_turned_round_or_empty_makes_nobody_sure():
    worse = validated(played(1.0, 3.0), yard(10.0, 2.0))  # the teacher is worse than random play
    assert worse.score == pytest.approx(1.0) and worse.low == pytest.approx(1.0 - 6.313752 * 1.0 / 8, abs=1e-6)
    assert validated(played(1.0, 3.0), yard(2.0, 2.0)).low == -math.inf
    assert validated(played(5.0), yard(0.0, 1.0)).low == -math.inf  # one episode shows no spread
    sure = validated(played(*[9.0] * 30), yard(1.0, 9.0))
    assert sure == (pytest.approx(1.0), pytest.approx(1.0), 30, 465)


def test_what_a_run_measures_itself_has_the_error_of_its_teacher():
    made = measured(played(0.0, 2.0), played(8.0, 10.0, 12.0))
    assert (made.random, made.teacher) == (1.0, 10.0) and made.error == pytest.approx(2 / math.sqrt(3))
    assert made.source == "2 episodes of random play and 3 of the teacher"


def test_references_that_are_the_yardstick_themselves_are_played_in_larger_rounds():
    random, teacher = played(0.0, 2.0), played(8.0, 12.0)
    assert references(measured(random, teacher), random, teacher, 20) == 100
    assert references(measured(random, teacher), random, teacher, 200) == 200
    assert references(yard(1.0, 10.0), random, teacher, 20) == 20  # a suite's anchors
    assert references(measured(random, teacher), random, played(8.0, 13.0), 20) == 20  # not that of these episodes
    assert references(None, random, None, 20) == 20  # nobody is compared with a teacher


@pytest.mark.parametrize("task", sorted(PINNED))
def test_every_pinned_teacher_has_its_suites_anchors(task):
    name = {"minatar": "minatar5-v1", "atari": "atari-small-v2", "gym": "pendulum-v1"}[task.partition("/")[0]]
    anchor = json.loads((BUNDLED / f"{name}.json").read_text())["tasks"][task]
    found = yard(anchor["random"], anchor["teacher"]).model_copy(update={"source": name})
    assert anchored(task, PINNED[task][0]) == found
    assert anchored(task, PINNED[task][0].replace("@", "-early@")) is None  # another teacher is not what they are of
    assert anchored(task, "") is None


def test_weaning_is_said_in_a_line():
    told = {"steps": 944.0, "share": 0.111, "reason": "validation", "score": 1.019, "low": 1.001, "episodes": 30}
    assert sentence(told) == "weaned at step 944: validation 1.02, lower bound 1.00, 30 episodes"
    assert sentence({"steps": 60_008.0, "share": 0.6, "reason": "schedule"}) == (
        "weaned at step 60,008: at its deadline, 60 % of the steps"
    )
