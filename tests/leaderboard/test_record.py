"""Records are restored exactly, and faults are named."""

import json
import os

import pytest

from reincarnate.leaderboard import record as records
from reincarnate.leaderboard.record import Evaluation, Parent, Point, RunRecord, load, save

JUDGED = Evaluation(returns=(-21.0, 3.5), lengths=(900, 1200), epsilon=0.001, seeds=(7, 8))
SPENT = {"frames": 400.0, "steps": 100.0, "updates": 25.0, "flops": 1.5e12, "seconds": 2.25}
RECORD = RunRecord(
    run="0123456789ab",
    task="atari/Pong",
    protocol={"env": "pong", "sticky": 0.25, "clip": True},
    method="qdagger",
    settings={"temperature": "0.2"},
    network={"name": "nature", "options": {}},
    seed=3,
    environments=8,
    budget={"frames": 400.0},
    parents=(Parent(kind="teacher", reference="a/b@" + "0" * 40, digest="f" * 64),),
    random=JUDGED,
    teacher=None,
    points=(Point(spent=SPENT, evaluation=JUDGED, parameters="e" * 64, file="students/0000000100.safetensors"),),
    complete=True,
    ledger="d" * 64,
    command="reincarnate run --task atari/Pong",
    machine={"device": "cpu: x", "packages": {"jax": "0.10.2"}},
)


def test_a_record_comes_back_as_it_was(tmp_path):
    save(RECORD, tmp_path / "record.json")
    assert load(tmp_path / "record.json") == RECORD
    assert load(tmp_path / "record.json").points[0].spent == SPENT
    assert os.listdir(tmp_path) == ["record.json"]
    assert json.loads((tmp_path / "record.json").read_text())["schema_version"] == records.SCHEMA


def broken(tmp_path, change):
    content = json.loads(RECORD.model_dump_json())
    change(content)
    path = tmp_path / "record.json"
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError) as error:
        load(path)
    assert str(path) in str(error.value) and "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda c: c.update(score=9), "score: Extra"),
        (lambda c: c["points"][0].update(note=""), "points.0.note: Extra"),
        (lambda c: c.pop("seed"), "seed: Field required"),
        (lambda c: c.update(seed="three"), "seed: "),
        (lambda c: c.update(points=7), "points: "),
        (lambda c: c["points"][0]["spent"].update(frames="many"), "points.0.spent.frames: "),
        (lambda c: c["points"][0]["evaluation"].update(returns=["x"]), "points.0.evaluation.returns.0: "),
        (lambda c: c["random"].update(seeds=[1]), "random.seeds"),
        (lambda c: c.update(teacher=[]), "teacher: "),
        (lambda c: c.update(points=[]), "points: "),
        (lambda c: c["random"].update(returns=[]), "random.returns: "),
        (lambda c: c.update(complete="perhaps"), "complete: "),
        (lambda c: c.update(parents=[{"kind": "teacher"}]), "parents.0.reference: "),
    ],
)
def test_what_is_wrong_is_named_with_its_path(tmp_path, change, says):
    assert says in broken(tmp_path, change)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", '"x"', "{}", "\x00", '{"run": ', "[" * 100_000, b"\xff\xfe\x00", b"\x80abc"]
)
def test_damaged_json_is_a_sentence(tmp_path, text):
    path = tmp_path / "record.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ValueError) as error:
        load(path)
    assert str(path) in str(error.value) and "\n" not in str(error.value)


def test_no_record_is_a_sentence(tmp_path):
    for path in (tmp_path / "record.json", tmp_path):
        with pytest.raises(ValueError, match="name the folder of a run"):
            load(path)


def test_a_record_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    """If the disk is full, the old record remains and nothing else."""
    path = tmp_path / "record.json"
    save(RECORD, path)
    before = path.read_bytes()

    def fail(*args):
        raise OSError("the disk is full")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="full"):
        save(RECORD.model_copy(update={"seed": 4}), path)
    assert path.read_bytes() == before and os.listdir(tmp_path) == ["record.json"]


def test_a_record_cannot_be_changed():
    with pytest.raises(ValueError, match="frozen"):
        RECORD.seed = 4  # pyright: ignore[reportAttributeAccessIssue]


def test_a_file_that_would_fill_the_memory_is_refused(tmp_path, monkeypatch):
    save(RECORD, tmp_path / "record.json")
    monkeypatch.setattr(records, "LIMIT", 1000)
    with pytest.raises(ValueError, match="more than 1000 bytes"):
        load(tmp_path / "record.json")


@pytest.mark.parametrize(
    ("due", "planned", "says"),
    [
        (100, 400, []),
        (100, None, ["line 2: its number of planned steps is not the record's"]),
        (99, 400, ["line 2: the student was not planned for 100 steps"]),
        (-1, 400, ["line 2: the student was not planned for 100 steps"]),
        ([100], 400, ["line 2: the student was not planned for 100 steps"]),
    ],
)
def test_what_was_planned_is_what_the_ledger_says(due, planned, says):
    point = RECORD.points[0].model_copy(update={"due": 100})
    one = RECORD.model_copy(update={"points": (point,), "planned": 400, "complete": False, "ledger": "h" * 64})
    told = {"due": due, "planned": planned, "returns": list(JUDGED.returns), "spent": SPENT, "parameters": "e" * 64}
    lines = [{"event": "start"}, {"event": "point", "hash": "h" * 64, **told}]
    assert [fault for fault in records.mismatches(lines, one) if "planned" in fault] == says
