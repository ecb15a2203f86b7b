"""What is ready to be played."""

from reincarnate.benchmark.prior.ready import ready
from reincarnate.benchmark.tasks.task import PINNED


def test_a_weaker_teacher_is_an_earlier_student_of_the_same_training_where_there_is_one():
    found = {one.task: one for one in ready()}
    for game in ("asterix", "breakout", "freeway", "seaquest", "space_invaders"):
        one = found[f"minatar/{game}"]
        assert one.weaker_teacher == f"{PINNED[one.task][0].partition('@')[0]}-early"
        assert one.random is not None and one.weaker is not None and one.teacher is not None
        assert one.random < one.weaker < one.teacher
