"""Records, ledgers and suites whose JSON is valid but not theirs: a sentence each."""

import json
from pathlib import Path

import pytest

from reincarnate.benchmark.submission import suite_anchors
from reincarnate.leaderboard import ledger, results
from reincarnate.leaderboard import suite as suites
from reincarnate.leaderboard.generations import parse as generations
from reincarnate.leaderboard.prices import parse as prices
from reincarnate.leaderboard.record import load, mismatches
from reincarnate.leaderboard.seen import parse as seen
from reincarnate.leaderboard.seen import students
from reincarnate.leaderboard.units import COUNTERS

from .makers import record

SUITES = {
    "list": b"[]",
    "number": b"3",
    "empty": b"{}",
    "tasks": b'{"name": "own", "version": 1, "tasks": []}',
    "anchors": b'{"name": "own", "version": 1, "tasks": {"a": 1, "b": 2}}',
}


def is_a_sentence(text: str) -> bool:
    return "\n" not in text and "pydantic" not in text


@pytest.mark.parametrize("played", ["x", [], ["x"], 3, True])
def test_an_evaluation_in_a_ledger_that_is_none_is_a_mismatch(played):
    one = record("a", points=((0, 100),))
    lines = [{"event": "start"}, {"event": "point", "evaluation": played, "hash": one.ledger}]
    assert "line 2: its totals or returns are not those of the record" in mismatches(lines, one)


def test_a_hash_in_a_ledger_that_is_none_is_a_mismatch():
    lines = [{"event": "start", "hash": ["f"]}, {"event": "end", "hash": {}}]
    assert mismatches(lines, record("a"))[0].startswith("no line of the ledger has the record's hash")


def test_a_negative_amount_that_was_not_there_before_is_a_fault():
    book = [{"event": "start", "budget": {"steps": 9.0}, "frame_skip": 1}]
    book += [{"event": "progress", "spent": {**dict.fromkeys(COUNTERS, 0.0), "queries": -1.0}}]
    assert "line 2: queries went back from 0 to -1" in ledger.faults(book)


@pytest.mark.parametrize("unit", COUNTERS)
def test_a_point_says_what_was_spent(tmp_path, unit):
    plain = json.loads(record("a").model_dump_json())
    del plain["points"][1]["spent"][unit]
    (tmp_path / "record.json").write_text(json.dumps(plain))
    with pytest.raises(ValueError, match=f"points.1.spent: .* does not say how many {unit} are spent$") as caught:
        load(tmp_path / "record.json")
    assert is_a_sentence(str(caught.value))


@pytest.mark.parametrize("network", [{}, {"name": 3}, {"name": "mlp", "options": []}])
def test_a_record_names_its_network(tmp_path, network):
    plain = {**json.loads(record("a").model_dump_json()), "network": network}
    (tmp_path / "record.json").write_text(json.dumps(plain))
    with pytest.raises(ValueError, match="network: .* does not say what the network's name and options are$"):
        load(tmp_path / "record.json")


def suite_file(folder: Path, content: bytes) -> Path:
    (folder / "suites").mkdir()
    path = folder / "suites" / "own-v1.json"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("content", SUITES.values(), ids=SUITES)
def test_a_damaged_suite_is_a_sentence(tmp_path, content):
    path = suite_file(tmp_path, content)
    (fault,) = results.read(tmp_path).faults
    assert fault.startswith(f"{path} is not a suite: ") and is_a_sentence(fault)
    with pytest.raises(ValueError, match="is not a suite") as caught:
        suite_anchors.path_of("own", 2, tmp_path)
    assert is_a_sentence(str(caught.value))


@pytest.mark.parametrize("content", [b"[]", b"3", b'{"a": 1, "b": 2}', b"{"])
def test_damaged_hidden_tasks_are_a_sentence(tmp_path, content):
    (tmp_path / "own-v1.json").write_bytes(content)
    hidden = suites.hashlib.sha256(content).hexdigest()
    task = suites.Anchor(random=0.0, teacher=1.0)
    one = suites.Suite(name="own", version=1, tasks={"gym/CartPole-v1": task}, hidden=hidden)
    with pytest.raises(ValueError, match=r"^seasons/own-v1.json is not ") as caught:
        suites.season(one, tmp_path / "own-v1.json")
    assert is_a_sentence(str(caught.value))


@pytest.mark.parametrize("read", [generations, prices, seen, students])
@pytest.mark.parametrize("content", [b"{}", b"3", b"[3, 4]", b"[{}]"])
def test_damaged_lists_of_the_maintainers_are_a_sentence(read, content):
    with pytest.raises(ValueError, match=r"^the file: ") as caught:
        read(content, "the file")
    assert is_a_sentence(str(caught.value))
