"""The sentences about a run on its entry's page follow from its record and its verdict."""

from types import SimpleNamespace

from reincarnate.leaderboard.entries import entries
from reincarnate.leaderboard.results import read
from reincarnate.leaderboard.told import pinned, runs, verdict_of

from .makers import evaluation, judge, parent, put, record, submission

TEACHER, LOG = f"lab/pong@{'1' * 40}", f"lab/pong-log@{'2' * 40}"


def told(tmp_path, **fields):
    one = submission(record("a", returns=[(0.0,), (4.0, 6.0)]))
    put(tmp_path, one)
    judge(tmp_path, one, accepted="2026-11-24T10:00:00Z", **fields)
    return " ".join(verdict_of(one, read(tmp_path).verdicts["a"]))


def test_a_verdict_in_words(tmp_path):
    said = told(tmp_path, rescored=evaluation(3.0, 4.0), agreement=0.615, reasons=("the preset is another version's",))
    assert "played its last student for 2 episodes" in said and "3.50 on average; the author states 5.00." in said
    assert (
        "Its earlier students were played too." in said and "its teacher's action in 62% of the compared states" in said
    )
    assert "Nobody has trained it again" in said and "The preset is another version's." in said
    assert said.endswith("Judged on 2026-11-24.")


def test_the_time_in_the_goal_is_the_maintainers_if_they_played(tmp_path):
    one = submission(record("a", returns=[(0.0,), (4.0, 6.0)]))
    put(tmp_path, one)

    def good(**fields) -> float | None:
        judge(tmp_path, one, **fields)
        results = read(tmp_path)
        (entry,), cost = entries(results), SimpleNamespace(views={}, unpriced=())
        return runs(results, entry, {"a": cost}, {})[0]["good"]  # pyright: ignore[reportArgumentType]

    assert good(rescored=evaluation(3.0, 4.0)) is None
    assert good(rescored=evaluation(3.0, 4.0).model_copy(update={"shares": (0.25, 0.75)})) == 0.5


def test_what_was_not_measured_is_called_a_claim(tmp_path):
    assert "Its scores before the end are claims." in told(tmp_path, points=())
    assert verdict_of(submission(record("a")), None) == [
        "Only its author has played this student: its score is a claim."
    ]


def test_a_second_training_a_lost_student_and_a_promotion_are_told(tmp_path):
    said = told(
        tmp_path, state="promoted", retrained=(5.0, 4.5), gone="2026-12-01T00:00:00Z", teacher=f"lab/a@{'3' * 40}"
    )
    assert "trained it again, with the mean return 5.00, 4.50." in said and "Nobody has trained" not in said
    assert "not been on the hub since 2026-12-01." in said and f"promoted to a teacher: lab/a@{'3' * 40}." in said


def test_a_command_names_every_teacher_and_log_at_its_commit():
    parents = (parent(TEACHER), parent(LOG, "log"))
    run = "reincarnate run --preset minatar"
    bare = record("a", *parents, command=f"{run} --task atari/Pong --seed 0")
    assert pinned(bare) == f"{run} --task atari/Pong --seed 0 --teacher {TEACHER} --teacher-log {LOG}"
    typed = record("a", *parents, command=f"{run} --teacher lab/pong --teacher-log lab/pong-log --seed 0")
    assert pinned(typed) == f"{run} --teacher {TEACHER} --teacher-log {LOG} --seed 0"
    alone = record("a", command=f"{run} --task 'atari/Pong' --seed 0")
    assert pinned(alone) == f"{run} --task atari/Pong --seed 0"
    kept = record("a", parent("runs/teacher"), command=f"{run} --teacher runs/teacher")
    assert pinned(kept) == f"{run} --teacher runs/teacher"  # a folder has no commit


def test_a_command_names_the_preset_that_the_run_had():
    chosen = record("a", command="reincarnate run --seed 0", preset="minatar")
    assert pinned(chosen) == "reincarnate run --seed 0 --preset minatar"
    before_presets = record("a", command="reincarnate run --seed 0", preset="")
    assert pinned(before_presets) == "reincarnate run --seed 0 --preset paper"
    typed = record("a", command="reincarnate run --preset paper --seed 0", preset="paper")
    assert pinned(typed) == "reincarnate run --preset paper --seed 0"
