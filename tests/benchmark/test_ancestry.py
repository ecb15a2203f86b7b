"""What a card says of the whole cost: the run, its teacher's run, its log and who played it, each once."""

import json

import pytest

from reincarnate.benchmark.ancestry import total
from reincarnate.leaderboard.record import Evaluation, Parent, Point, RunRecord

EVALUATION = Evaluation(returns=(1.0,), lengths=(1,), epsilon=0.0, seeds=(1, 1))


def record(run: str, weights: dict[str, float], parents: list[Parent]) -> RunRecord:
    """A run whose students have these weights after so many steps."""
    points = tuple(
        Point(spent={"steps": steps}, evaluation=EVALUATION, parameters=name, file="x")
        for name, steps in weights.items()
    )
    return RunRecord(
        run=run, task="t", protocol={}, method="m", settings={}, network={}, seed=0, environments=1, budget={},
        parents=tuple(parents), random=EVALUATION, teacher=None, points=points, complete=True, ledger="", command="",
        machine={},
    )  # fmt: skip


@pytest.fixture
def teacher(tmp_path):
    """A folder with the student of `first` after 100 of its 300 steps."""
    folder = tmp_path / "teacher"
    folder.mkdir()
    made = record("first", {"w100": 100.0, "w300": 300.0}, [])
    (folder / "record.json").write_text(made.model_dump_json())
    (folder / "config.json").write_text(json.dumps({"spent": {"steps": 100.0}}))
    return folder


def log(folder, teacher):
    folder.mkdir()
    facts = {"transitions": 40, "seconds": 2.0, "protocol": {"frame_skip": 4}, "parents": [{"reference": str(teacher)}]}
    (folder / "provenance.json").write_text(json.dumps(facts))
    return Parent(kind="log", reference=str(folder), digest="shards")


def test_every_ancestor_counts_once(tmp_path, teacher):
    """1000 steps, on a teacher that took 100, and on a log of 40 that the same teacher played."""
    parents = [Parent(kind="teacher", reference=str(teacher), digest="w100"), log(tmp_path / "log", teacher)]
    made = record("second", {"new": 1000.0}, parents)
    found = total(made, made.points[0], "bundled")
    assert found.spent == {"steps": 1000.0 + 100.0 + 40.0, "frames": 160.0, "seconds": 2.0} and found.unpriced == ()


def test_a_log_alone_brings_the_one_who_played(tmp_path, teacher):
    made = record("second", {"new": 1000.0}, [log(tmp_path / "log", teacher)])
    assert total(made, made.points[0], "bundled").spent["steps"] == 1140.0


@pytest.mark.parametrize("spoil", ["absent", "{", "[]", "{}", '{"parents": 3}'])
def test_what_cannot_be_read_is_unpriced(tmp_path, teacher, spoil):
    if spoil == "absent":
        (teacher / "record.json").unlink()
    else:
        (teacher / "record.json").write_text(spoil)
    made = record("second", {"new": 1000.0}, [Parent(kind="teacher", reference=str(teacher), digest="w100")])
    found = total(made, made.points[0], "bundled")
    assert found.spent == {"steps": 1000.0} and found.unpriced == (str(teacher),)
